"""The thresholds of alarms, as data, and the table of alarms."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The limits of an environment. Each is compared with five minutes of data, unless its name says otherwise."""

    success_percent: float = 95
    """Minimum share of ended runs that succeeded; not checked for fewer than `success_of_runs` ended runs."""
    success_of_runs: int = 10
    run_p95_seconds: int = 60
    """Maximum duration of a run from accepted to recorded (95th percentile)."""
    run_open_seconds: int = 900
    """Maximum duration of an execution. The default is below a stage's timeout, so a timeout raises the alarm."""
    queue_age_seconds: int = 120
    """Maximum age of the oldest message of a queue."""
    parked_days_left: int = 3
    """Minimum number of days before SQS deletes the oldest message of a DLQ."""
    usd_per_hour: float = 5.0
    """Maximum cost of the runs that end within one hour."""
    waiting_days_left: int = 5
    """Minimum number of days before SQS deletes the oldest message that a daily budget keeps waiting."""
    budget_guard_minutes: int = 15
    """Maximum time without a finished check of the daily budget's guard."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm. `section` is the heading in docs/operations.md that says what to do about `symptom`."""

    name: str
    symptom: str
    section: str

    @property
    def anchor(self) -> str:
        return "".join(c for c in self.section.lower().replace(" ", "-") if c.isalnum() or c == "-")

    @property
    def description(self) -> str:
        return f"{self.symptom} What to do: docs/operations.md#{self.anchor}"


SUCCESS_RATE: Final = Alarm(
    name="success-rate", symptom="Too many runs ended without an answer.", section="Alarm: success rate"
)
RUN_TIME: Final = Alarm(
    name="run-time", symptom="Runs take too long (p95 of their duration).", section="Alarm: run time"
)
RUN_OPEN: Final = Alarm(
    name="run-open", symptom="A run was open for too long.", section="Alarm: a run open too long"
)
QUEUE_AGE: Final = Alarm(
    name="queue-age",
    symptom="Messages wait too long in the queue of this service.",
    section="Alarm: queue age",
)
PARKED: Final = Alarm(
    name="parked", symptom="Messages are parked in the DLQ of this service.", section="Alarm: parked messages"
)
PARKED_EXPIRES: Final = Alarm(
    name="parked-expires",
    symptom="SQS will soon delete the oldest message in the DLQ of this service.",
    section="Alarm: a parked message expires",
)
ENDS_MENDED: Final = Alarm(
    name="ends-mended",
    symptom="The reconciler recorded failed runs whose ends were not announced.",
    section="Alarm: ends that were not announced",
)
RULE_DELIVERY: Final = Alarm(
    name="rule-delivery",
    symptom="EventBridge could not deliver events to the queue of this service.",
    section="Alarm: rule deliveries",
)
THROTTLES: Final = Alarm(
    name="throttles", symptom="AWS throttles calls because a quota is reached.", section="Alarm: throttles"
)
COST: Final = Alarm(
    name="cost", symptom="The runs that ended within one hour cost too much.", section="Alarm: cost per hour"
)
BUDGET: Final = Alarm(
    name="budget",
    symptom="The starter is paused: the daily budget is spent, or an operator paused it.",
    section="Alarm: budget",
)
BUDGET_GUARD: Final = Alarm(
    name="budget-guard",
    symptom="The daily budget's guard is not running; spending is not limited.",
    section="Alarm: budget guard",
)
BUDGET_UNKNOWN: Final = Alarm(
    name="budget-unknown",
    symptom="The price of some runs is unknown; more is spent than the daily budget counts.",
    section="Alarm: budget with an unknown price",
)
WAITING_EXPIRES: Final = Alarm(
    name="waiting-expires",
    symptom="SQS will soon delete the oldest message whose run is not started yet.",
    section="Alarm: a waiting message expires",
)
OF_A_BUDGET: Final = (BUDGET, BUDGET_GUARD, BUDGET_UNKNOWN, WAITING_EXPIRES)
"""The alarms of deployments with a daily budget."""

ALARMS: Final = tuple(alarm for alarm in list(globals().values()) if isinstance(alarm, Alarm))
