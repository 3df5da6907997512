"""What can go wrong, each as a sentence that says what to do next.

LocalError
├── SettingsError               a port or a model address that can't be used
├── SetupMissingError           the environment is not set up
├── BusyError                   another command is starting, deploying or stopping the same engine
├── EngineError
│   ├── EngineNotRunningError
│   ├── PortTakenError          something else listens on the port
│   ├── OtherCheckoutError      another checkout's engine listens on the port
│   ├── EngineStartError        it died or never became ready
│   └── EngineStopError         it survived SIGKILL
└── DeployError                 the CDK app or a stack failed
    ├── UnknownServiceError
    └── AwsAccessError          no usable AWS credentials or region
"""

__all__ = [
    "AwsAccessError",
    "BusyError",
    "DeployError",
    "EngineError",
    "EngineNotRunningError",
    "EngineStartError",
    "EngineStopError",
    "LocalError",
    "OtherCheckoutError",
    "PortTakenError",
    "SettingsError",
    "SetupMissingError",
    "UnknownServiceError",
]


class LocalError(Exception):
    """The base of all; `str(error)` is meant for the user."""


class SettingsError(LocalError):
    pass


class SetupMissingError(LocalError):
    pass


class BusyError(LocalError):
    pass


class EngineError(LocalError):
    pass


class EngineNotRunningError(EngineError):
    pass


class PortTakenError(EngineError):
    pass


class OtherCheckoutError(EngineError):
    pass


class EngineStartError(EngineError):
    pass


class EngineStopError(EngineError):
    pass


class DeployError(LocalError):
    pass


class UnknownServiceError(DeployError):
    pass


class AwsAccessError(DeployError):
    pass
