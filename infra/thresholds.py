"""From when on an alarm rings, as data; and the table of alarms."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """An environment's limits. Each is about five minutes unless its name says otherwise."""

    success_percent: float = 95
    """Of the runs that ended; with fewer than `success_of_runs` of them nothing is said."""
    success_of_runs: int = 10
    run_p95_seconds: int = 60
    """From accepted to recorded."""
    run_open_seconds: int = 900
    """Less than a stage's timeout: a run that waits one out is told of."""
    queue_age_seconds: int = 120
    """The oldest message of a queue."""
    parked_days_left: int = 3
    """Before SQS deletes the oldest message of a DLQ."""
    usd_per_hour: float = 5.0
    waiting_days_left: int = 5
    """Before SQS deletes the oldest message that a budget keeps waiting."""
    budget_guard_minutes: int = 15
    """Without one look of the budget's guard."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """`says` is the symptom, `section` the heading of docs/operations.md that says what to do."""

    name: str
    says: str
    section: str

    @property
    def anchor(self) -> str:
        return "".join(c for c in self.section.lower().replace(" ", "-") if c.isalnum() or c == "-")

    @property
    def description(self) -> str:
        return f"{self.says} What to do: docs/operations.md#{self.anchor}"


SUCCESS_RATE: Final = Alarm(
    name="success-rate", says="Too many runs end without an answer.", section="Alarm: success rate"
)
RUN_TIME: Final = Alarm(name="run-time", says="Answers take too long (p95).", section="Alarm: run time")
RUN_OPEN: Final = Alarm(
    name="run-open", says="A run was open longer than its limit.", section="Alarm: a run open too long"
)
QUEUE_AGE: Final = Alarm(
    name="queue-age", says="Messages of this queue wait too long.", section="Alarm: queue age"
)
PARKED: Final = Alarm(
    name="parked", says="Messages are parked in this DLQ.", section="Alarm: parked messages"
)
PARKED_EXPIRES: Final = Alarm(
    name="parked-expires",
    says="SQS will soon delete the oldest parked message of this DLQ.",
    section="Alarm: a parked message expires",
)
RULE_DELIVERY: Final = Alarm(
    name="rule-delivery",
    says="EventBridge could not put events into this service's queue.",
    section="Alarm: rule deliveries",
)
THROTTLES: Final = Alarm(
    name="throttles", says="AWS turns calls away: a quota is reached.", section="Alarm: throttles"
)
COST: Final = Alarm(name="cost", says="The runs of an hour cost too much.", section="Alarm: cost per hour")
BUDGET: Final = Alarm(
    name="budget",
    says="The starter is paused: the day's budget is spent, or an operator said so.",
    section="Alarm: budget",
)
BUDGET_GUARD: Final = Alarm(
    name="budget-guard",
    says="The guard of the day's budget does not do its work: nothing stops the spending.",
    section="Alarm: budget guard",
)
BUDGET_UNKNOWN: Final = Alarm(
    name="budget-unknown",
    says="Runs have a price that is not known: more is spent than the budget counts.",
    section="Alarm: budget with an unknown price",
)
WAITING_EXPIRES: Final = Alarm(
    name="waiting-expires",
    says="SQS will soon delete the oldest message that waits to be started.",
    section="Alarm: a waiting message expires",
)
OF_A_BUDGET: Final = (BUDGET, BUDGET_GUARD, BUDGET_UNKNOWN, WAITING_EXPIRES)
"""They are there where a budget is."""

ALARMS: Final = tuple(alarm for alarm in list(globals().values()) if isinstance(alarm, Alarm))
