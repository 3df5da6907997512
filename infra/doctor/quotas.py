"""AWS's default quotas by region, for what the pipeline uses most: one table for the doctor and the simulation.

The numbers are from AWS's documentation of September and October 2026. AWS can raise each of them for an account, and
a new account may have less. A newer list replaces this one, with its date.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A token bucket: `per_second` is its refill, the rate that can be sustained; `burst` is its size."""

    per_second: float
    burst: float

    def times(self, factor: float) -> "Rate":
        return Rate(per_second=self.per_second * factor, burst=self.burst * factor)


def _even(per_second: float) -> Rate:
    """Return a bucket that holds what one second refills."""
    return Rate(per_second=per_second, burst=per_second)


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """The quotas of an account in one region: rates, and limits of what may be open at the same time."""

    since: str = "2026-10-01"
    start_execution: Rate
    callbacks: Rate
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat together."""
    state_transitions: Rate
    """Transitions of Standard workflows. A throttled transition is delayed and does not fail."""
    put_events: Rate
    deliveries: Rate
    """EventBridge's deliveries to targets."""
    api_requests: Rate = Rate(per_second=10_000, burst=5_000)
    """Requests to all APIs of API Gateway in the region together."""
    model_tokens: Rate = Rate(per_second=4_000_000 / 60, burst=4_000_000)
    """Input and output tokens of Nova Lite together, which AWS counts per minute. Sources name 2 to 8 million, and a
    new account may have none. Since May 2026 bedrock-runtime has no quota of requests per minute."""
    functions: float = 1_000
    """Lambda's concurrent executions of the whole account."""
    open_executions: float = 1_000_000
    in_flight: float = 120_000
    """Messages of one standard SQS queue that are received and not deleted yet."""
    poller_start: float = 5
    """Concurrent invocations with which an SQS event source mapping begins."""
    poller_growth: float = 5
    """Concurrent invocations that the mapping may add per second while messages wait."""
    poller_most: float = 1_250
    """Maximum concurrent invocations of one mapping."""

    def raised(self, **to: float) -> "Quotas":
        """Return these quotas with some rates or limits changed. A bucket's size grows with its rate."""
        changed: dict[str, Any] = {}
        for name, value in to.items():
            default = getattr(self, name)
            changed[name] = default.times(value / default.per_second) if isinstance(default, Rate) else value
        return replace(self, **changed)

    def thinned(self, stands_for: int) -> "Quotas":
        """Return the quotas of a system that is `stands_for` times smaller."""
        smaller: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Rate):
                smaller[field.name] = value.times(1 / stands_for)
            elif isinstance(value, float | int):
                smaller[field.name] = value / stands_for
        return replace(self, **smaller)


LARGE: Final = Quotas(
    start_execution=Rate(per_second=300, burst=1_300),
    callbacks=Rate(per_second=500, burst=3_000),
    state_transitions=_even(5_000),
    put_events=_even(10_000),
    deliveries=_even(18_750),
)
"""Quotas of the three largest regions."""
OTHERS: Final = Quotas(
    start_execution=Rate(per_second=150, burst=800),
    callbacks=Rate(per_second=300, burst=1_500),
    state_transitions=_even(800),
    put_events=_even(400),
    deliveries=_even(750),
)
"""The least that any other region has."""
MEDIUM: Final = replace(OTHERS, put_events=_even(2_400), deliveries=_even(4_500))

BY_REGION: Final = {
    "us-east-1": LARGE,
    "us-west-2": LARGE,
    "eu-west-1": LARGE,
    "us-east-2": MEDIUM,
    "eu-central-1": MEDIUM,
}


def quotas(region: str | None) -> Quotas:
    """Return the quotas of `region`; for None, or a region not in the table, the lowest quotas of any region."""
    return BY_REGION.get(region or "", OTHERS)
