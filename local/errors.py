"""The errors of the local engine and of deployments. Each text says what happened and what to do next.

LocalError
├── SettingsError               a port or a model address that can't be used
├── SetupMissingError           the environment is not set up
├── BusyError                   another command is starting, stopping or deploying to the same engine
├── EngineError
│   ├── EngineNotRunningError
│   ├── PortTakenError          another program listens on the port
│   ├── OtherCheckoutError      another checkout's engine listens on the port
│   ├── EngineStartError        the engine ended while starting, or was not ready in time
│   └── EngineStopError         the engine survived SIGKILL
└── DeployError                 synthesising or deploying the CDK app failed
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
    """The base of all errors here; `str(error)` is meant for the user."""


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
