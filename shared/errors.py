"""The errors that decide what happens to a message.

PipelineError
├── ContractViolation   the event breaks its contract: parked, never retried (a stage's invalid result is retried)
├── TransientError      a retry may succeed: Step Functions retries (SQS, if there is no task token)
├── PermanentError      no retry can succeed: the message is parked and the stage fails
├── WorkerLost          two deliveries ended without an outcome, the third is not run: parked, the stage fails
├── InProgress          another delivery of the message is being handled: left for redelivery
└── TokenSettled        the task is over or never existed: the message is acknowledged

The errors' texts are stored in records, queues and logs: they never quote a message or a token.
"""

import re

from shared.contracts.limits import CAUSE_CHARS


class PipelineError(Exception):
    """Base of all errors that are raised on purpose. `NAME` is the error's name in Step Functions."""

    NAME = "Pipeline.Error"

    @property
    def cause(self) -> str:
        return str(self)[:CAUSE_CHARS]


class ContractViolation(PipelineError):  # noqa: N818 -- the field's word for it
    """The event breaks its contract: `path` is the JSON path of the violation, `reason` a sentence."""

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
    """A message was delivered so often without an outcome that it must have killed its workers."""

    NAME = "Pipeline.WorkerLost"


class InProgress(PipelineError):  # noqa: N818
    """Another delivery of the message is being handled: SQS delivers this one again, and it then finds the result.

    This delivery counts neither as a failure nor as an attempt of the stage.
    """

    NAME = "Pipeline.InProgress"


class TokenSettled(PipelineError):  # noqa: N818
    NAME = "Pipeline.TokenSettled"


CANCELLED_ERROR = "Pipeline.Cancelled"
CANCELLED_CAUSE = "The caller cancelled this pipeline."
"""The cause with which a cancelled execution is stopped; its record holds it."""

TIMEOUT_ERROR = "States.Timeout"
HEARTBEAT_ERROR = "States.HeartbeatTimeout"
TASK_ERROR = "States.TaskFailed"
DATA_LIMIT_ERROR = "States.DataLimitExceeded"
"""Step Functions' own names for errors of a task."""
ABORTED_ERROR = "Execution.Aborted"
FAILED_ERROR = "Execution.Failed"
"""The error in the record of an execution that was stopped, or failed, without an error name."""

NEVER_RETRIED = (PermanentError.NAME, ContractViolation.NAME, WorkerLost.NAME)


_PASSES = re.compile(
    r"Throttl|SlowDown|TooManyRequests|RequestRateTooLarge|OverLimit"
    r"|(Limit|Quota|Throughput|Bandwidth)\w*(Exceeded|Reached)"
    r"|Time(d?)Out|TimedOut|Timeout|Unavailable|NotReady|NotComplete|InProgress|InUse|Busy|Recently"
    r"|Conflict|ConcurrentModification|Internal(Error|Failure|Exception|Server|Service)|ModelError"
    r"|Expired|TooSkewed"
)
_STAYS = re.compile(
    r"AccessDenied|NotFound|Validation|Disabled|Unsupported|Size\w*Exceeded|SizeTooLarge|Invalid"
)
"""Words in the names of errors. AWS adds names to its lists, so a list of whole names would miss the next one."""


def may_pass(name: str, status: int = 0) -> bool:
    """Whether a second try may succeed after an error with this name, and this HTTP status if there was one.

    A name that says that the cause stays wins over a 5xx status, with which Lambda answers for a key it may not use.
    """
    if says_it_stays(name):
        return False
    return (
        bool(_PASSES.search(name))
        or status in (408, 425, 429)
        or (status >= 500 and status not in (501, 505))
    )


def says_it_stays(name: str) -> bool:
    """Whether an error's name says that every further try would fail, too."""
    return bool(_STAYS.search(name))
