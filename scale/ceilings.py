"""What each quota alone would let through, and what a rate needs. Arithmetic: the simulation has to agree with it."""

import math
from collections.abc import Mapping
from typing import Final

from infra.doctor.quotas import Quotas
from scale.shape import Shape, Span, Station

MODEL: Final = "model tokens"
HEADROOM: Final = 1.3
CAP_HEADROOM: Final = 1.15
"""Less than that of the account: a backlog that takes all functions leaves none for the API."""
P95_SIGMAS: Final = 1.6449
"""The 95th percentile of a normal distribution, in standard deviations from its mean."""


def mean(span: Span) -> float:
    """Of the log-normal."""
    sigma = math.log(span.p95 / span.median) / P95_SIGMAS if span.median else 0.0
    return span.median * math.exp(sigma**2 / 2)


def per_request(shape: Shape) -> Mapping[str, float]:
    """How often a request that goes well takes from each quota."""
    via_bus = sum(step.via == "bus" for step in shape.steps)
    return {
        "API Gateway": 1,
        "PutEvents": 1 + via_bus + 1,
        "StartExecution": 1,
        "state transitions": 1 + len(shape.steps),
        "SendTask*": len(shape.steps),
        MODEL: shape.tokens.input + shape.tokens.output,
    }


def busy(shape: Shape, station: Station) -> float:
    """Seconds of the station's function for each request, its batches as full as they get."""
    return mean(station.span) + shape.times.invocation / station.batch


def ceilings(shape: Shape, quotas: Quotas) -> dict[str, float]:
    """Requests a second that each quota, and each function's cap, allows; the lowest binds first."""
    uses = per_request(shape)
    found = {
        "API throttle": shape.throttle_rate,
        "API Gateway": quotas.api_requests.per_second,
        "PutEvents": quotas.put_events.per_second / uses["PutEvents"],
        "StartExecution": quotas.start_execution.per_second,
        "state transitions": quotas.state_transitions.per_second / uses["state transitions"],
        "SendTask*": quotas.callbacks.per_second / uses["SendTask*"],
        MODEL: quotas.model_tokens.per_second / uses[MODEL],
        "functions": quotas.functions / functions(shape),
    }
    for station in shape.stations:
        found[f"{station.name} cap"] = min(station.concurrency, quotas.poller_most) / busy(shape, station)
    return found


def functions(shape: Shape) -> float:
    """Functions busy at the same time for each request a second (Little's law)."""
    return mean(shape.times.api) + sum(busy(shape, station) for station in shape.stations)


def binding(shape: Shape, quotas: Quotas) -> str:
    found = ceilings(shape, quotas)
    return min(found, key=lambda name: found[name])


def needed(shape: Shape, rate: float) -> dict[str, float]:
    """By quota, what `rate` takes, with headroom. A run that waited for the model makes one more callback."""
    uses = per_request(shape)
    uses = {**uses, "SendTask*": uses["SendTask*"] + sum(step.asks_model for step in shape.steps)}
    wanted = {name: HEADROOM * rate * use for name, use in uses.items()}
    return {**wanted, "functions": HEADROOM * rate * functions(shape)}


def raised(shape: Shape, quotas: Quotas, rate: float) -> tuple[Shape, Quotas]:
    """Quotas and caps that carry `rate`; what is enough stays as it is.

    Beyond 1,000 functions for one queue it takes provisioned pollers: 10 functions each, 200 from the start, 1,000
    more a minute.
    """
    wanted = needed(shape, rate)
    fields = {
        "api_requests": "API Gateway",
        "put_events": "PutEvents",
        "start_execution": "StartExecution",
        "state_transitions": "state transitions",
        "callbacks": "SendTask*",
        "model_tokens": MODEL,
        "functions": "functions",
    }
    to = {}
    for name, quota in fields.items():
        now = getattr(quotas, name)
        current = now if isinstance(now, float | int) else now.per_second
        if wanted[quota] > current:
            to[name] = _round(wanted[quota])
    caps = {
        station.name: max(station.concurrency, _round(CAP_HEADROOM * rate * busy(shape, station)))
        for station in shape.stations
    }
    if max(caps.values()) > 1_000:
        to |= {"poller_start": 2_000.0, "poller_growth": 10_000 / 60, "poller_most": 100_000.0}
    throttle = max(shape.throttle_rate, _round(HEADROOM * rate))
    return shape.resized(throttle=throttle, **caps), quotas.raised(**to)


def _round(value: float) -> float:
    """Up to two digits: nobody asks for 2,437."""
    step = 10.0 ** max(0, math.floor(math.log10(value)) - 1)
    return float(math.ceil(value / step) * step)
