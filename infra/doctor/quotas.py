"""AWS's quotas by region, in requests per second, as far as the pipeline comes near them.

From AWS's documentation of September and October 2026. All are soft: an account may have other ones, and a new
account has less.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """Sustained rates (the refill of a throttle's bucket), and what may be open at a time."""

    start_execution: int
    send_task: int
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat together."""
    transitions: int
    put_events: int
    invocations: int
    """EventBridge's deliveries to targets."""
    concurrency: int = 1_000
    """Lambda's, of the whole account."""
    open_executions: int = 1_000_000
    in_flight: int = 120_000
    """SQS's, of one standard queue: received, and not deleted yet."""


_LARGE: Final = Quotas(
    start_execution=300, send_task=500, transitions=5_000, put_events=10_000, invocations=18_750
)
_OTHERS: Final = Quotas(start_execution=150, send_task=300, transitions=800, put_events=400, invocations=750)
"""Everywhere else at least that."""
_MEDIUM: Final = Quotas(
    start_execution=150, send_task=300, transitions=800, put_events=2_400, invocations=4_500
)

BY_REGION: Final = {
    "us-east-1": _LARGE,
    "us-west-2": _LARGE,
    "eu-west-1": _LARGE,
    "us-east-2": _MEDIUM,
    "eu-central-1": _MEDIUM,
}


def quotas(region: str | None) -> Quotas:
    """Of `region`; those of the smallest regions for one that is not listed, or not known."""
    return BY_REGION.get(region or "", _OTHERS)
