"""The errors of operations. The text of each says what happened and what to do next.

OperationError
├── InvalidInputError      the input breaks a rule; nothing was sent
├── NotFoundError          there is no run, parked message or service with this id or name
├── NotDeployedError       the environment, or the part that is needed, is not deployed
├── UnreachableError       there is no engine, no network or no credentials
│   └── LoginError         AWS does not accept the credentials (any more), or there are none
├── DeniedError            AWS does not allow the caller to do this
└── RefusedError           AWS, the API or a check of this library refused to do this
"""

__all__ = [
    "DeniedError",
    "InvalidInputError",
    "LoginError",
    "NotDeployedError",
    "NotFoundError",
    "OperationError",
    "RefusedError",
    "UnreachableError",
]


class OperationError(Exception):
    """The base of all errors of operations; `str(error)` is meant for the user."""


class InvalidInputError(OperationError):
    pass


class NotFoundError(OperationError):
    pass


class NotDeployedError(OperationError):
    pass


class UnreachableError(OperationError):
    pass


class LoginError(UnreachableError):
    pass


class DeniedError(OperationError):
    pass


class RefusedError(OperationError):
    pass
