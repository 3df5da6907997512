"""The metrics table: every metric once. Functions emit from it, dashboard and alarms read from it.

A metric has the dimensions `environment` and `service`, and at most one more of its own, whose values are few and
known beforehand. Ids of runs and messages are never among them: each combination is a metric that is paid for.
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
"""CloudWatch's names of units; money has none there."""

STAGE_SERVICES: Final = tuple(stage.service for stage in STAGES)


class Metric(Struct, frozen=True, kw_only=True):
    """`by` are the services that emit it; `also` is a dimension beyond those of every metric."""

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
    name="RunsAccepted", by=("trigger",), meaning="requests the API accepted; a repeated one counts again"
)
RUNS_STARTED: Final = Metric(
    name="RunsStarted",
    by=("trigger",),
    meaning="executions begun, whether asked by the API or on the bus; no restart is among them",
)
RUNS_SUCCEEDED: Final = Metric(
    name="RunsSucceeded", by=("logger",), meaning="runs recorded with an answer, degraded ones among them"
)
RUNS_DEGRADED: Final = Metric(
    name="RunsDegraded", by=("logger",), meaning="runs whose answer lacks the part of a stage that failed"
)
RUNS_FAILED: Final = Metric(name="RunsFailed", by=("logger",), meaning="runs recorded without an answer")
RUNS_CANCELLED: Final = Metric(
    name="RunsCancelled", by=("logger",), meaning="runs that a caller stopped: neither succeeded nor failed"
)
RUN_TIME: Final = Metric(
    name="RunTime",
    unit="Milliseconds",
    by=("logger",),
    meaning="from accepted to recorded, of a run that succeeded",
)
STAGE_FAILURES: Final = Metric(
    name="StageFailures",
    by=("logger",),
    also=("failure",),
    meaning="stages that failed for good, by stage and error: each a degraded or a failed run",
)

# --- messages --------------------------------------------------------------------------------------------

SUCCEEDED: Final = Metric(name="Succeeded", by=SERVICES, meaning="messages done with")
FAILED: Final = Metric(
    name="Failed", by=SERVICES, meaning="failures reported to Step Functions, which may try again"
)
ERRORS: Final = Metric(
    name="Errors",
    by=SERVICES,
    also=("error_type",),
    meaning="what went wrong with a message, by its error's type: failures, redeliveries and late callbacks",
)
PARKED: Final = Metric(
    name="Parked", by=SERVICES, meaning="messages a service put into its DLQ, with the reason"
)
LATE_CALLBACKS: Final = Metric(
    name="LateCallbacks", by=STAGE_SERVICES, meaning="outcomes of a task that was over already"
)
REDELIVERIES: Final = Metric(
    name="Redeliveries", by=SERVICES, meaning="messages left in their queue, to come again"
)
REJECTIONS_NOT_PUBLISHED: Final = Metric(
    name="RejectionsNotPublished", by=SERVICES, meaning="refused events whose publisher could not be told"
)
BATCHES: Final = Metric(name="Batches", by=SERVICES, meaning="invocations by a queue")
QUEUE_WAIT: Final = Metric(
    name="QueueWait",
    unit="Milliseconds",
    by=STAGE_SERVICES,
    meaning="from sent to received, of a message that succeeded",
)
WORK_TIME: Final = Metric(
    name="WorkTime", unit="Milliseconds", by=STAGE_SERVICES, meaning="a stage's own work on a message"
)
ATTEMPTS: Final = Metric(
    name="Attempts", by=STAGE_SERVICES, meaning="tries of a stage until it succeeded or was given up"
)

# --- the API ---------------------------------------------------------------------------------------------

API_READS: Final = Metric(name="ApiReads", by=("trigger",), meaning="records and lists shown")
API_CANCELS: Final = Metric(name="ApiCancels", by=("trigger",), meaning="requests to cancel that were taken")
API_REFUSALS: Final = Metric(name="ApiRefusals", by=("trigger",), meaning="requests the API refused (4xx)")
API_FAILURES: Final = Metric(name="ApiFailures", by=("trigger",), meaning="requests the API failed (5xx)")

# --- money -----------------------------------------------------------------------------------------------

INPUT_TOKENS: Final = Metric(
    name="InputTokens", by=("chatbot",), also=("model",), meaning="tokens sent to a model"
)
OUTPUT_TOKENS: Final = Metric(
    name="OutputTokens", by=("chatbot",), also=("model",), meaning="tokens a model wrote"
)
ANSWERS_RECALLED: Final = Metric(
    name="AnswersRecalled", by=("chatbot",), meaning="answers that were stored, and not bought again"
)
ANSWER_STORE_FAILURES: Final = Metric(
    name="AnswerStoreFailures", by=("chatbot",), meaning="calls in which the store of answers did not answer"
)
COST: Final = Metric(
    name="CostMicroDollars", unit="None", by=("logger",), meaning="what a run cost, as far as it was metered"
)
WASTE: Final = Metric(
    name="WasteMicroDollars",
    unit="None",
    by=("logger",),
    meaning="the part of it for failed tries and lost deliveries",
)
UNKNOWN_PRICES: Final = Metric(
    name="UnknownPrices", by=("logger",), meaning="runs with a price that is not listed: their cost is more"
)
BUDGET_SPENT: Final = Metric(
    name="BudgetSpentPercent",
    unit="None",
    by=("trigger",),
    meaning="of the day's budget, at each look of its guard: what runs that ended cost",
)
BUDGET_PAUSED: Final = Metric(
    name="BudgetPaused",
    by=("trigger",),
    meaning="1 while the budget, or an operator, keeps the starter from starting, else 0",
)
BUDGET_LOOKS: Final = Metric(
    name="BudgetLooks", by=("trigger",), meaning="looks of the budget's guard that came to their end"
)

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric for metric in list(globals().values()) if isinstance(metric, Metric)
}
"""The table."""

OUTCOMES: Final = (SUCCEEDED, FAILED, PARKED, LATE_CALLBACKS, REDELIVERIES, REJECTIONS_NOT_PUBLISHED)
"""What may become of a message."""

# --- values of dimensions --------------------------------------------------------------------------------

OTHER: Final = "Other"
ERROR_TYPES: Final = (
    *(
        kind.NAME
        for kind in (
            ContractViolation,
            TransientError,
            PermanentError,
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
    """`name` if it is one that is counted apart: anybody who starts executions can make up others."""
    return name if name in ERROR_TYPES else OTHER


def failure(stage: str | None, error: str) -> str:
    """A value of `failure`: `chat: Pipeline.Transient`, and `no stage: …` for a run that reached none."""
    return f"{stage if stage in BY_KEY else 'no stage'}: {error_type(error)}"
