"""Arithmetic: the rate that each quota or cap alone would allow, and the quotas and caps that a rate needs.

Tests check that the simulation comes to the same result.
"""

import math
from collections.abc import Mapping
from typing import Final

from infra.doctor.quotas import Quotas
from scale.shape import Shape, Span, Station

MODEL: Final = "model tokens"
HEADROOM: Final = 1.3
CAP_HEADROOM: Final = 1.15
"""Headroom of the functions' caps. It is less than HEADROOM: a backlog must leave some functions for the API."""
P95_SIGMAS: Final = 1.6449
"""The 95th percentile of a normal distribution, in standard deviations from its mean."""


def mean(span: Span) -> float:
    """Return the mean of the span's log-normal distribution."""
    sigma = math.log(span.p95 / span.median) / P95_SIGMAS if span.median else 0.0
    return span.median * math.exp(sigma**2 / 2)


def per_request(shape: Shape) -> Mapping[str, float]:
    """Return how much of each quota a successful request uses."""
    via_bus = sum(step.via == "bus" for step in shape.steps)
    return {
        "API Gateway": 1,
        "PutEvents": 1 + via_bus + 1,
        "StartExecution": 1,
        "state transitions": 1 + len(shape.steps) + sum(step.chooses for step in shape.steps),
        "SendTask*": len(shape.steps),
        MODEL: shape.tokens.input + shape.tokens.output,
    }


def busy(shape: Shape, station: Station) -> float:
    """Return the seconds that the station's function needs for each request, with full batches."""
    return mean(station.span) + shape.times.invocation / station.batch


def ceilings(shape: Shape, quotas: Quotas) -> dict[str, float]:
    """Return the requests a second that each quota and each function's cap allows; the lowest one binds first."""
    uses = per_request(shape)
    limits = {
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
        limits[f"{station.name} cap"] = min(station.concurrency, quotas.poller_most) / busy(shape, station)
    return limits


def functions(shape: Shape) -> float:
    """Return the number of functions busy at the same time, for each request a second (Little's law)."""
    return mean(shape.times.api) + sum(busy(shape, station) for station in shape.stations)


def binding(shape: Shape, quotas: Quotas) -> str:
    """Return the name of the quota or cap that binds first."""
    limits = ceilings(shape, quotas)
    return min(limits, key=lambda name: limits[name])


def needed(shape: Shape, rate: float) -> dict[str, float]:
    """Return by quota what `rate` uses, with headroom.

    It allows for one more SendTask* call per run: a chatbot message that has waited asks whether its task is over.
    """
    uses = per_request(shape)
    uses = {**uses, "SendTask*": uses["SendTask*"] + sum(step.asks_model for step in shape.steps)}
    needs = {name: HEADROOM * rate * use for name, use in uses.items()}
    return {**needs, "functions": HEADROOM * rate * functions(shape)}


def raised(shape: Shape, quotas: Quotas, rate: float) -> tuple[Shape, Quotas]:
    """Return a shape and quotas that allow `rate`. Caps and quotas that are large enough stay as they are.

    More than 1,000 functions for one queue need provisioned pollers, each of which feeds 10 functions: 200 pollers
    from the start, and 1,000 more a minute.
    """
    needs = needed(shape, rate)
    fields = {
        "api_requests": "API Gateway",
        "put_events": "PutEvents",
        "start_execution": "StartExecution",
        "state_transitions": "state transitions",
        "callbacks": "SendTask*",
        "model_tokens": MODEL,
        "functions": "functions",
    }
    larger = {}
    for name, quota in fields.items():
        now = getattr(quotas, name)
        current = now if isinstance(now, float | int) else now.per_second
        if needs[quota] > current:
            larger[name] = _round(needs[quota])
    caps = {
        station.name: max(station.concurrency, _round(CAP_HEADROOM * rate * busy(shape, station)))
        for station in shape.stations
    }
    if max(caps.values()) > 1_000:
        larger |= {"poller_start": 2_000.0, "poller_growth": 10_000 / 60, "poller_most": 100_000.0}
    throttle = max(shape.throttle_rate, _round(HEADROOM * rate))
    return shape.resized(throttle=throttle, **caps), quotas.raised(**larger)


def _round(value: float) -> float:
    """Round up to two significant digits, as one does in a request for a quota."""
    step = 10.0 ** max(0, math.floor(math.log10(value)) - 1)
    return float(math.ceil(value / step) * step)
