"""The thresholds of alarms, as data, and the table of alarms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from infra.clocks import DLQ_RETENTION_DAYS, PAUSE_DAYS, WAIT_DAYS


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
    beyond_seconds: Mapping[str, int] = field(default_factory=dict)
    """Seconds by which it may be older in a service's queue: the age of a message counts until its work is done."""
    function_errors: int = 5
    """Maximum number of calls of one function that ended with a crash or a timeout. A scheduled function, which has
    few calls, may have none.
    """
    api_failures: int = 5
    """Maximum number of API requests that were answered with a status of 5xx."""
    parked_days_left: int = 3
    """Minimum number of days before SQS deletes the oldest message of a DLQ, if SQS itself moved it there after the
    longest wait in its queue.
    """
    usd_per_hour: float = 5.0
    """Maximum cost of the runs that end within one hour."""
    waiting_days_left: int = 5
    """Minimum number of days before SQS deletes the oldest message that waits for the paused starter."""
    budget_guard_minutes: int = 15
    """Maximum time without a finished check of the daily budget's guard."""

    def age_seconds(self, service: str) -> int:
        """Return the maximum age of the oldest message of a service's queue."""
        return self.queue_age_seconds + self.beyond_seconds.get(service, 0)

    @property
    def waiting_days(self) -> int:
        """Maximum age, in days, of a message that waits for the paused starter."""
        return PAUSE_DAYS - self.waiting_days_left

    def parked_days(self, *, pausable: bool) -> int:
        """Return the maximum age, in days, of a DLQ's oldest message, by the metric, which counts from the move.

        A message may have waited in its queue before it was moved, and SQS deletes it by its whole age. So the
        longest wait is subtracted: `WAIT_DAYS` or, for the queue of the starter, which may be paused, `waiting_days`.
        A message that waits longer is announced by another alarm (`WAITING_EXPIRES`) before it is moved.
        """
        waited = self.waiting_days if pausable else WAIT_DAYS
        return DLQ_RETENTION_DAYS - self.parked_days_left - waited


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
    symptom="SQS may soon delete the oldest message in the DLQ of this service.",
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
FUNCTION_ERRORS: Final = Alarm(
    name="errors",
    symptom="Calls of this function end with a crash or a timeout.",
    section="Alarm: function errors",
)
API_FAILURES: Final = Alarm(
    name="api-failures",
    symptom="The API answers requests with a status of 5xx.",
    section="Alarm: API failures",
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
OF_A_BUDGET: Final = (BUDGET, BUDGET_GUARD, BUDGET_UNKNOWN)
"""The alarms of deployments with a daily budget."""

ALARMS: Final = tuple(alarm for alarm in list(globals().values()) if isinstance(alarm, Alarm))
