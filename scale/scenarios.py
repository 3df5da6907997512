"""Scenarios as data: load, duration, quotas and sizes."""

from dataclasses import dataclass, field
from typing import Final, Literal

from infra.doctor.quotas import Quotas
from scale.ceilings import raised
from scale.quotas import US_EAST_1
from scale.shape import Shape, shape

RATES: Final = (100, 1_000, 10_000)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A load of `rate` requests a second for `load_seconds`, or a `burst` of that many events at that rate."""

    name: str
    rate: float
    load_seconds: float = 600.0
    burst: int | None = None
    via: Literal["api", "bus"] = "api"
    stands_for: int = 1
    seed: int = 1
    quotas: Quotas = US_EAST_1
    shape: Shape = field(default_factory=shape)


def today(rate: int, seed: int = 1) -> Scenario:
    """Return the scenario of `rate` requests per second on today's prod environment with AWS's default quotas."""
    return Scenario(
        name=f"{rate:,}/s today", rate=rate, stands_for={100: 5, 1_000: 20}.get(rate, 25), seed=seed
    )


def prepared(rate: int, seed: int = 1) -> Scenario:
    """Return a load with quotas and caps raised for its rate."""
    larger, quotas = raised(shape(), US_EAST_1, rate)
    many = {100: 5, 1_000: 20}.get(rate, 200)
    return Scenario(
        name=f"{rate:,}/s raised", rate=rate, stands_for=many, seed=seed, quotas=quotas, shape=larger
    )


BURST: Final = 50_000
CAPPED: Final = 150
"""Concurrent chatbots that stay within the model's quota: 150 chatbots / 2.3 s an answer x 800 tokens x 60 s = 3.1
million tokens a minute."""


def bursts(seed: int = 1) -> tuple[Scenario, Scenario]:
    """Return a burst of 50 seconds on the bus twice: as deployed, and with fewer chatbots at a time."""

    def burst(name: str, plan: Shape) -> Scenario:
        return Scenario(name=name, rate=1_000, burst=BURST, via="bus", stands_for=10, seed=seed, shape=plan)

    as_deployed = shape()
    return (
        burst("250 chatbots at a time", as_deployed),
        burst(f"{CAPPED} chatbots at a time", as_deployed.resized(chatbot=CAPPED)),
    )
