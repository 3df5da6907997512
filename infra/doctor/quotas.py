"""AWS's default quotas by region, in requests per second, for what the pipeline uses most.

The numbers are from AWS's documentation of September and October 2026. AWS can raise each of them for an account, and
a new account may have less.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """Sustained rates (the refill rate of a throttle's bucket), and limits of what may be open at the same time."""

    start_execution: int
    send_task: int
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat together."""
    transitions: int
    put_events: int
    invocations: int
    """EventBridge's deliveries to targets."""
    concurrency: int = 1_000
    """Lambda's concurrent executions of the whole account."""
    open_executions: int = 1_000_000
    in_flight: int = 120_000
    """Messages of one standard SQS queue that are received and not deleted yet."""


_LARGE: Final = Quotas(
    start_execution=300, send_task=500, transitions=5_000, put_events=10_000, invocations=18_750
)
_OTHERS: Final = Quotas(start_execution=150, send_task=300, transitions=800, put_events=400, invocations=750)
"""The least that any other region has."""
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
    """Return the quotas of `region`, or those of the smallest regions if it is not listed or None."""
    return BY_REGION.get(region or "", _OTHERS)
