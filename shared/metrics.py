"""The metrics table: it defines every metric once, for the functions that emit it and for dashboard and alarms.

A metric has the dimensions `environment` and `service`, and at most one more of its own, whose values are few and
known beforehand. Ids of runs and messages are never dimensions: CloudWatch charges for each combination of values.
For the same reason a metric is here only if an alarm or the dashboard reads it, which a test ensures.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from shared.contracts.stages import BY_KEY, SERVICES, STAGES
from shared.errors import (
    ABORTED_ERROR,
    DATA_LIMIT_ERROR,
    HEARTBEAT_ERROR,
    TASK_ERROR,
    TIMEOUT_ERROR,
    ContractViolation,
    InProgress,
    ModelTimedOut,
    PermanentError,
    PipelineError,
    TokenSettled,
    TransientError,
    WorkerLost,
)

NAMESPACE: Final = "AIPipeline"
EVERYWHERE: Final = ("environment", "service")
"""The dimensions of every metric."""

Unit = Literal["Count", "Milliseconds", "None"]
"""CloudWatch's names of units; there is none for money."""

STAGE_SERVICES: Final = tuple(stage.service for stage in STAGES)
PAYING: Final = tuple(stage.service for stage in STAGES if stage.pays)


class Metric(Struct, frozen=True, kw_only=True):
    """One metric. `by` lists the services that emit it; `also` the dimension it has beyond those of every metric."""

    name: str
    meaning: str
    by: tuple[str, ...]
    unit: Unit = "Count"
    also: tuple[str, ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        return (*EVERYWHERE, *self.also)


# --- runs ------------------------------------------------------------------------------------------------

RUNS_ACCEPTED: Final = Metric(
    name="RunsAccepted",
    by=("trigger",),
    meaning="requests that the API accepted; repeated requests count again",
)
RUNS_STARTED: Final = Metric(
    name="RunsStarted",
    by=("trigger",),
    meaning="executions that the starter began, for requests from the API and from the bus; without restarts",
)
RUNS_SUCCEEDED: Final = Metric(
    name="RunsSucceeded", by=("logger",), meaning="runs recorded with an answer, degraded runs included"
)
RUNS_DEGRADED: Final = Metric(
    name="RunsDegraded", by=("logger",), meaning="runs that succeeded although a stage failed"
)
RUNS_FAILED: Final = Metric(name="RunsFailed", by=("logger",), meaning="runs recorded without an answer")
RUNS_CANCELLED: Final = Metric(
    name="RunsCancelled",
    by=("logger",),
    meaning="runs that their caller cancelled; RunsSucceeded and RunsFailed exclude them",
)
RUN_TIME: Final = Metric(
    name="RunTime",
    unit="Milliseconds",
    by=("logger",),
    meaning="time from the acceptance of a run to its record, for runs that succeeded",
)
ENDS_MENDED: Final = Metric(
    name="EndsMended",
    by=("logger",),
    meaning="failed runs that the reconciler recorded because their ends were not announced",
)
STAGE_FAILURES: Final = Metric(
    name="StageFailures",
    by=("logger",),
    also=("failure",),
    meaning="stages that failed after all retries, by stage and error; each degraded its run or failed it",
)

# --- messages --------------------------------------------------------------------------------------------

ERRORS: Final = Metric(
    name="Errors",
    by=SERVICES,
    also=("error_type",),
    meaning="failures, redeliveries and late callbacks of messages, by type of error",
)
PARKED: Final = Metric(
    name="Parked", by=SERVICES, meaning="messages that a service put into its DLQ, with the reason"
)
LATE_CALLBACKS: Final = Metric(
    name="LateCallbacks", by=STAGE_SERVICES, meaning="outcomes reported for a task that was already over"
)
REDELIVERIES: Final = Metric(
    name="Redeliveries", by=SERVICES, meaning="messages left in their queue for another delivery"
)
REJECTIONS_NOT_PUBLISHED: Final = Metric(
    name="RejectionsNotPublished",
    by=SERVICES,
    meaning="rejected events for which contract.rejected could not be published",
)
QUEUE_WAIT: Final = Metric(
    name="QueueWait",
    unit="Milliseconds",
    by=STAGE_SERVICES,
    meaning="time from sending to receiving a message, for messages that succeeded",
)
WORK_TIME: Final = Metric(
    name="WorkTime", unit="Milliseconds", by=STAGE_SERVICES, meaning="time that a stage worked on a message"
)
ATTEMPTS: Final = Metric(
    name="Attempts", by=STAGE_SERVICES, meaning="attempts of a stage until it succeeded or failed for good"
)

# --- the API ---------------------------------------------------------------------------------------------

API_REFUSALS: Final = Metric(
    name="ApiRefusals", by=("trigger",), meaning="requests that the API refused (4xx)"
)
API_FAILURES: Final = Metric(
    name="ApiFailures", by=("trigger",), meaning="requests that the API could not handle (5xx)"
)

# --- money -----------------------------------------------------------------------------------------------

INPUT_TOKENS: Final = Metric(
    name="InputTokens",
    by=PAYING,
    also=("model",),
    meaning="tokens sent to a model, those of its cache included",
)
OUTPUT_TOKENS: Final = Metric(
    name="OutputTokens", by=PAYING, also=("model",), meaning="tokens received from a model"
)
ANSWERS_RECALLED: Final = Metric(
    name="AnswersRecalled",
    by=("chatbot",),
    meaning="stored answers that were sent without asking the model again",
)
ANSWERS_BLOCKED: Final = Metric(
    name="AnswersBlocked",
    by=("chatbot",),
    meaning="answers that a guardrail, a filter or the model itself refused to give",
)
ANSWER_STORE_FAILURES: Final = Metric(
    name="AnswerStoreFailures", by=("chatbot",), meaning="failed calls to the table of stored answers"
)
FALLBACK_ANSWERS: Final = Metric(
    name="FallbackAnswers",
    by=("chatbot",),
    meaning="answers of a fallback, in the place of a model that was unavailable",
)
CIRCUITS_OPENED: Final = Metric(
    name="CircuitsOpened",
    by=("chatbot",),
    meaning="times that a function instance stopped asking a model first, after repeated failures",
)
COST: Final = Metric(
    name="CostMicroDollars",
    unit="None",
    by=("logger",),
    meaning="metered cost of a run, in millionths of a dollar",
)
WASTE: Final = Metric(
    name="WasteMicroDollars",
    unit="None",
    by=("logger",),
    meaning="part of a run's cost that failed attempts and lost deliveries caused",
)
UNKNOWN_PRICES: Final = Metric(
    name="UnknownPrices",
    by=("logger",),
    meaning="runs with a price that is not in the price list; they cost more than recorded",
)
BUDGET_SPENT: Final = Metric(
    name="BudgetSpentPercent",
    unit="None",
    by=("trigger",),
    meaning="share of today's budget spent by finished runs, sampled once per guard run",
)
BUDGET_PAUSED: Final = Metric(
    name="BudgetPaused",
    by=("trigger",),
    meaning="1 while the starter is paused by the budget or an operator, else 0",
)
BUDGET_LOOKS: Final = Metric(
    name="BudgetLooks", by=("trigger",), meaning="completed runs of the budget's guard"
)

# --- answers that a person approves -----------------------------------------------------------------------

APPROVALS_WAITING: Final = Metric(
    name="ApprovalsWaiting",
    by=("approval",),
    meaning="answers that wait for a person's approval, sampled at each look of the sweep",
)
OLDEST_APPROVAL: Final = Metric(
    name="OldestApproval",
    unit="Milliseconds",
    by=("approval",),
    meaning="time for which the oldest of these answers has waited; 0 if none waits",
)
OF_THE_APPROVAL: Final = (APPROVALS_WAITING, OLDEST_APPROVAL)
"""The metrics of deployments in which a person approves answers."""

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric for metric in list(globals().values()) if isinstance(metric, Metric)
}
"""All metrics by name."""

# --- values of dimensions --------------------------------------------------------------------------------

OTHER: Final = "Other"
ERROR_TYPES: Final = (
    *(
        kind.NAME
        for kind in (
            ContractViolation,
            TransientError,
            PermanentError,
            ModelTimedOut,
            WorkerLost,
            InProgress,
            TokenSettled,
            PipelineError,
        )
    ),
    TIMEOUT_ERROR,
    HEARTBEAT_ERROR,
    TASK_ERROR,
    "States.Permissions",
    "States.Runtime",
    DATA_LIMIT_ERROR,
    "EventBridge.FailedEntry",
    ABORTED_ERROR,
)


def error_type(name: str) -> str:
    """Return `name` if it is a known error, else `Other`: whoever starts executions can invent error names."""
    return name if name in ERROR_TYPES else OTHER


def failure(stage: str | None, error: str) -> str:
    """Return a value of the dimension `failure`: `chat: Pipeline.Transient`, or `no stage: …` if none was reached."""
    return f"{stage if stage in BY_KEY else 'no stage'}: {error_type(error)}"
