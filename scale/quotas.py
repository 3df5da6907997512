"""AWS's quotas as dated data: one account in us-east-1, defaults. A newer list is a new value beside this one."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Final


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A token bucket: `per_second` is its refill, `burst` its size."""

    per_second: float
    burst: float
    note: str = ""

    def times(self, factor: float) -> "Rate":
        return replace(self, per_second=self.per_second * factor, burst=self.burst * factor)


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """What an account may do. `functions` is a number at the same time, all else are rates."""

    since: str
    api_requests: Rate
    put_events: Rate
    start_execution: Rate
    state_transitions: Rate
    callbacks: Rate
    model_tokens: Rate
    functions: float
    poller_start: float
    """Concurrent invocations an SQS event source mapping begins with."""
    poller_growth: float
    """How many more it may start each second while messages wait."""
    poller_most: float

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


US_EAST_1: Final = Quotas(
    since="2026-10-01",
    api_requests=Rate(per_second=10_000, burst=5_000, note="all APIs of the region together"),
    put_events=Rate(
        per_second=10_000, burst=10_000, note="2,400 in us-east-2 and eu-central-1, 400 in small regions"
    ),
    start_execution=Rate(per_second=300, burst=1_300, note="150 and 800 outside the three largest regions"),
    state_transitions=Rate(
        per_second=5_000, burst=5_000, note="800 outside the three largest regions; throttling delays"
    ),
    callbacks=Rate(
        per_second=500,
        burst=3_000,
        note="SendTaskSuccess, -Failure and -Heartbeat together; 300 and 1,500 elsewhere",
    ),
    model_tokens=Rate(
        per_second=4_000_000 / 60,
        burst=4_000_000,
        note="tokens per minute of Nova Lite, input and output together; sources differ between 2 and 8 million, and "
        "a new account may have none: read yours in Service Quotas",
    ),
    functions=1_000,
    poller_start=5,
    poller_growth=5,
    poller_most=1_250,
)
"""Requests per minute are no quota of bedrock-runtime any more (since May 2026)."""

_NONE: Final = Rate(per_second=math.inf, burst=math.inf)
UNLIMITED: Final = Quotas(
    since="2026-11-23",
    api_requests=_NONE,
    put_events=_NONE,
    start_execution=_NONE,
    state_transitions=_NONE,
    callbacks=_NONE,
    model_tokens=_NONE,
    functions=math.inf,
    poller_start=math.inf,
    poller_growth=math.inf,
    poller_most=math.inf,
)
"""The local engine has no quotas."""
