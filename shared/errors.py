"""The errors that decide what happens to a message.

PipelineError
├── ContractViolation   the event breaks its contract: parked, never retried (a stage's invalid result is retried)
├── TransientError      a retry may succeed: Step Functions retries (SQS, if there is no task token)
├── PermanentError      no retry can succeed: the message is parked and the stage fails
├── ModelTimedOut       a model call gave no answer in time and may be billed: parked, never retried, the stage fails
├── WorkerLost          two counted starts ended without an outcome, none follows: parked, the stage fails
├── InProgress          another delivery of the message is being handled: left for redelivery
└── TokenSettled        the task is over or never existed: the message is acknowledged

The errors' texts are stored in records, queues and logs: they never quote a message or a token.
"""

from collections.abc import Mapping
from typing import Final

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


class ModelTimedOut(PipelineError):  # noqa: N818
    """A call that may be billed gave no answer in time, or its worker died: a repetition would pay again."""

    NAME = "Pipeline.ModelTimedOut"


class WorkerLost(PipelineError):  # noqa: N818
    """A message was started so often without an outcome that it must have killed its workers."""

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

NEVER_RETRIED = (PermanentError.NAME, ContractViolation.NAME, WorkerLost.NAME, ModelTimedOut.NAME)


TRANSIENT_STATUSES: Final[Mapping[int, str]] = {
    408: "The service waited too long.",
    425: "The service is not ready for the request yet.",
    429: "The caller sent too many requests, or the model is not ready.",
}
"""The HTTP statuses below 500 that mean "try later", with the reason. From 500 on, all do."""

TRANSIENT_WORDS: Final[Mapping[str, str]] = {
    "throttl": "A limit of requests per second was reached.",
    "limitexceeded": "A limit of what may run or exist at the same time was reached.",
    "limitreached": "A limit of what may run or exist at the same time was reached.",
    "overlimit": "A limit of what may run or exist at the same time was reached.",
    "quota": "A quota was reached: a rate, or what may run at the same time.",
    "throughputexceeded": "A table's or an index's capacity was reached.",
    "capacity": "No capacity is free at the moment.",
    "toomany": "Too many requests, connections or invocations at the same time.",
    "slowdown": "The service asks for fewer requests.",
    "busy": "The resource is being used.",
    "inuse": "The resource is being changed.",
    "inprogress": "An earlier operation has not ended.",
    "conflict": "Another writer came first, or the resource is being changed.",
    "concurrent": "Another writer came first.",
    "notready": "A model, a network interface or a function is being prepared.",
    "unavailable": "The service can't answer at the moment.",
    "timeout": "The service, or what it called, took too long.",
    "timedout": "The service, or what it called, took too long.",
    "internal": "The service failed.",
    "expiredtoken": "The function's credentials have expired; Lambda renews them.",
    "tokenexpired": "The function's credentials have expired; Lambda renews them.",
    "requestexpired": "The request was under way too long, such as in a function that was frozen.",
}
"""Words in error codes that mean "try later", with the reason."""

TRANSIENT_CODES: Final[Mapping[str, str]] = {
    "CodeArtifactUserPending": "The function is being prepared.",
    "EFSIO": "The function's file system failed once.",
    "InvalidSignature": "The signature had expired when the request arrived.",
    "ModelError": "The model failed at this request, which it may answer the next time.",
    "ModelStreamError": "The model failed at this request, which it may answer the next time.",
    "PriorRequestNotComplete": "An earlier request has not ended.",
    "RequestInTheFuture": "The function's clock was off, such as in a function that was frozen.",
    "RequestTimeTooSkewed": "The function's clock was off, such as in a function that was frozen.",
    "SignatureDoesNotMatch": "The signature had expired when the request arrived.",
    "SnapStart": "The function failed while it was restored, as it may fail in any invocation.",
}
"""Codes without such a word or status that mean "try later" nonetheless, with the reason."""

PERMANENT_CODES: Final[Mapping[str, str]] = {
    "ItemCollectionSizeLimitExceeded": "The items of this key are too large together; they stay so.",
    "TaskTimedOut": "The task is over; it stays so.",
    "TooManyEntriesInBatchRequest": "The request itself has too many entries.",
    "EC2AccessDenied": "Lambda's answer has status 502, but somebody must grant the function's role a right.",
    "InvalidRuntime": "Lambda's answer has status 502, but somebody must change the function.",
    "InvalidSecurityGroupID": "Lambda's answer has status 502, but somebody must change the function.",
    "InvalidSubnetID": "Lambda's answer has status 502, but somebody must change the function.",
    "InvalidZipFile": "Lambda's answer has status 502, but somebody must change the function.",
    "KMSAccessDenied": "Lambda's answer has status 502, but somebody must grant a right on the key.",
    "KMSDisabled": "Lambda's answer has status 502, but somebody must enable the key.",
    "KMSInvalidState": "Lambda's answer has status 502, but somebody must restore the key.",
    "KMSNotFound": "Lambda's answer has status 502, but somebody must restore the key.",
}
"""Codes with such a word or status that no repetition helps, with the reason."""


def is_transient(code: str, status: int = 0) -> bool:
    """Return whether a failure may pass by itself, from an AWS service's error code and HTTP status.

    A service adds codes at any time, so a code is sorted by its kind: the status and the words in it. Everything
    else is permanent: denied, not found, not valid, a condition that does not hold. Codes are listed without their
    namespace and without `Exception`.
    """
    name = code.rpartition("#")[2].rpartition(".")[2].removesuffix("Exception")
    if name in PERMANENT_CODES:
        return False
    lowered = name.lower()
    return (
        status >= 500
        or status in TRANSIENT_STATUSES
        or name in TRANSIENT_CODES
        or any(word in lowered for word in TRANSIENT_WORDS)
    )
