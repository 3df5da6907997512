"""AWS's quotas by region, as far as the pipeline comes near them: one table for the doctor and for the simulation.

From AWS's documentation of September and October 2026. All are soft: an account may have other ones, and a new
account has less. A newer list replaces this one, with its date.
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
    """A bucket of one second's size."""
    return Rate(per_second=per_second, burst=per_second)


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """What an account may do in one region: rates, and numbers of what may be open at a time."""

    since: str = "2026-10-01"
    start_execution: Rate
    callbacks: Rate
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat together."""
    state_transitions: Rate
    """Of Standard workflows. Throttling delays a transition, it does not fail it."""
    put_events: Rate
    deliveries: Rate
    """EventBridge's, to targets."""
    api_requests: Rate = Rate(per_second=10_000, burst=5_000)
    """API Gateway's, of all APIs of the region together."""
    model_tokens: Rate = Rate(per_second=4_000_000 / 60, burst=4_000_000)
    """Nova Lite's, input and output together; AWS counts them by the minute. Sources differ between 2 and 8 million,
    and a new account may have none. Requests per minute are no quota of bedrock-runtime any more (since May 2026)."""
    functions: float = 1_000
    """Lambda's concurrency, of the whole account."""
    open_executions: float = 1_000_000
    in_flight: float = 120_000
    """SQS's, of one standard queue: received, and not deleted yet."""
    poller_start: float = 5
    """Concurrent invocations an SQS event source mapping begins with."""
    poller_growth: float = 5
    """How many more it may start each second while messages wait."""
    poller_most: float = 1_250

    def raised(self, **to: float) -> "Quotas":
        """Some quotas at another rate; a bucket's size grows with it."""
        changed: dict[str, Any] = {}
        for name, value in to.items():
            now = getattr(self, name)
            changed[name] = now.times(value / now.per_second) if isinstance(now, Rate) else value
        return replace(self, **changed)

    def thinned(self, stands_for: int) -> "Quotas":
        """The quotas of a system that is `stands_for` times smaller."""
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
"""Of the three largest regions."""
OTHERS: Final = Quotas(
    start_execution=Rate(per_second=150, burst=800),
    callbacks=Rate(per_second=300, burst=1_500),
    state_transitions=_even(800),
    put_events=_even(400),
    deliveries=_even(750),
)
"""Everywhere else at least that."""
MEDIUM: Final = replace(OTHERS, put_events=_even(2_400), deliveries=_even(4_500))

BY_REGION: Final = {
    "us-east-1": LARGE,
    "us-west-2": LARGE,
    "eu-west-1": LARGE,
    "us-east-2": MEDIUM,
    "eu-central-1": MEDIUM,
}


def quotas(region: str | None) -> Quotas:
    """Of `region`; those of the smallest regions for one that is not listed, or not known."""
    return BY_REGION.get(region or "", OTHERS)
