"""What an operation can't do, each as a sentence that says what to do next.

OperationError
├── InvalidInputError      what was given breaks a rule; nothing was sent
├── NotFoundError          there is no such pipeline
├── NotDeployedError       the environment, or the part asked for, is not there
├── UnreachableError       no engine, no network, no credentials
├── DeniedError            AWS refuses the caller
└── RefusedError           the service answered, and did not do it
"""

__all__ = [
    "DeniedError",
    "InvalidInputError",
    "NotDeployedError",
    "NotFoundError",
    "OperationError",
    "RefusedError",
    "UnreachableError",
]


class OperationError(Exception):
    """The base of all; `str(error)` is meant for the user."""


class InvalidInputError(OperationError):
    pass


class NotFoundError(OperationError):
    pass


class NotDeployedError(OperationError):
    pass


class UnreachableError(OperationError):
    pass


class DeniedError(OperationError):
    pass


class RefusedError(OperationError):
    pass
