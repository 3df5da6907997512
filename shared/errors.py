"""The errors that decide what happens to a message.

PipelineError
├── ContractViolation   the event can't be read: parked, never retried
├── TransientError      may work next time: Step Functions retries (SQS, where there is no token)
├── PermanentError      will never work: parked, the stage fails
├── InProgress          another delivery of the message is at work: left for redelivery
└── TokenSettled        the task was finished, timed out or never was: nothing left to do

Their texts end up in records, queues and logs: they never quote a message or a token.
"""

from shared.contracts.limits import CAUSE_CHARS


class PipelineError(Exception):
    """Base of all errors that are raised on purpose. `NAME` is the error Step Functions sees."""

    NAME = "Pipeline.Error"

    @property
    def cause(self) -> str:
        return str(self)[:CAUSE_CHARS]


class ContractViolation(PipelineError):  # noqa: N818 -- the field's word for it
    """`path` is a JSON path into the event, `reason` a sentence."""

    NAME = "Pipeline.ContractViolation"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{reason} - at {path}")
        self.path = path
        self.reason = reason


class TransientError(PipelineError):
    NAME = "Pipeline.Transient"


class PermanentError(PipelineError):
    NAME = "Pipeline.Permanent"


class WorkerLost(PipelineError):  # noqa: N818
    """A message came back so often that it must have killed its workers."""

    NAME = "Pipeline.WorkerLost"


class InProgress(PipelineError):  # noqa: N818
    """Neither an outcome nor a try of the stage: the message comes again, and finds what the other one left."""

    NAME = "Pipeline.InProgress"


class TokenSettled(PipelineError):  # noqa: N818
    NAME = "Pipeline.TokenSettled"


CANCELLED_ERROR = "Pipeline.Cancelled"
CANCELLED_CAUSE = "Its caller asked to stop it."
"""What an execution is stopped with, and its record says."""

TIMEOUT_ERROR = "States.Timeout"
HEARTBEAT_ERROR = "States.HeartbeatTimeout"
TASK_ERROR = "States.TaskFailed"
DATA_LIMIT_ERROR = "States.DataLimitExceeded"
"""Step Functions' own errors of a task."""
ABORTED_ERROR = "Execution.Aborted"
FAILED_ERROR = "Execution.Failed"
"""What a record says of an execution that was stopped or failed without an error of its own."""

NEVER_RETRIED = (PermanentError.NAME, ContractViolation.NAME, WorkerLost.NAME)
