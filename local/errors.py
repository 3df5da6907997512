"""What can go wrong on the laptop. Each text says what to do next.

LocalError
├── EngineError   the engine can't be started, reached or stopped
└── DeployError   the CDK app can't be synthesised or deployed
"""


class LocalError(Exception):
    """Base; its text is a sentence for the person at the keyboard."""


class EngineError(LocalError):
    pass


class DeployError(LocalError):
    pass
