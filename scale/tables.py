"""The tables of docs/scale.md, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence

from infra.doctor.quotas import MEDIUM, OTHERS, Quotas, Rate
from scale import ceilings, cost
from scale.quotas import US_EAST_1
from scale.results import Outcome, Result
from scale.scenarios import RATES, Scenario, prepared
from scale.shape import shape


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ceilings_table() -> str:
    """Return every quota and cap: the rate it allows alone, and its use at each rate."""
    plan, uses = shape(), ceilings.per_request(shape())
    limits = ceilings.ceilings(plan, US_EAST_1)
    rows = [
        [name, f"{uses[name]:,}" if name in uses else "", f"{limit:,.0f}/s"]
        + [percent(rate / limit) for rate in RATES]
        for name, limit in sorted(limits.items(), key=lambda item: item[1])
    ]
    return table(["quota or cap", "uses per request", "allows", *(f"at {rate:,}/s" for rate in RATES)], rows)


def percent(share: float) -> str:
    text = f"{100 * share:,.0f}%"
    return f"**{text}**" if share > 1 else text


def results_table(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        scenario = result.scenario
        rows.append(
            [
                scenario.name,
                _binding(scenario),
                _share(result, Outcome.SUCCEEDED, Outcome.DEGRADED),
                _share(result, Outcome.FAILED, Outcome.PARKED),
                _share(result, Outcome.REFUSED),
                _seconds(result.latency(50)),
                _seconds(result.latency(95)),
                f"{result.backlog:,}",
                _seconds(result.drain_seconds),
                f"{result.retries * result.many:,}",
                f"{result.timed_out * result.many:,}",
                f"{result.wasted_calls * result.many:,}",
                f"${cost.hour_usd(result):,.0f}",
            ]
        )
    header = [
        "ten minutes of",
        "binds first",
        "answered",
        "failed",
        "refused",
        "p50",
        "p95",
        "under way at the end",
    ]
    return table(
        [
            *header,
            "until the last ends",
            "states retried",
            "tasks timed out",
            "wasted model calls",
            "cost per hour",
        ],
        rows,
    )


def _binding(scenario: Scenario) -> str:
    first = ceilings.binding(scenario.shape, scenario.quotas)
    used = scenario.rate / ceilings.ceilings(scenario.shape, scenario.quotas)[first]
    return f"{first}, {100 * used:,.0f}%"


def _share(result: Result, *outcomes: Outcome) -> str:
    count = result.count(*outcomes)
    return "–" if not count else f"{100 * count / result.requests:.1f}%"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} s" if value < 60 else f"{value / 60:.0f} min"


def raise_table() -> str:
    """Return the quotas and caps to raise, by rate; empty cells where the present value is enough."""
    plans: Mapping[int, Scenario] = {rate: prepared(rate) for rate in RATES}
    rows = []
    for name, label in LABELS.items():
        now = _value(US_EAST_1, name)
        cells = [_change(now, _value(plans[rate].quotas, name), name) for rate in RATES]
        rows.append([label, _amount(now, name), *cells])
    for station in shape().stations:
        cells = []
        for rate in RATES:
            sized = next(s for s in plans[rate].shape.stations if s.name == station.name)
            cells.append(_change(station.concurrency, sized.concurrency, ""))
        rows.append([f"`max_concurrency` of the {station.name}", f"{station.concurrency:,.0f}", *cells])
    cells = [_change(shape().throttle_rate, plans[rate].shape.throttle_rate, "") for rate in RATES]
    rows.append(["API throttle of `prod`", f"{shape().throttle_rate:,.0f}/s", *cells])
    return table(["", "now", *(f"for {rate:,}/s" for rate in RATES)], rows)


def _rate(rate: Rate) -> str:
    return f"{rate.per_second:,} and {rate.burst:,}"


LABELS = {
    "model_tokens": "model tokens a minute",
    "callbacks": "SendTask* a second",
    "start_execution": "StartExecution a second",
    "functions": "functions at a time",
    "state_transitions": "state transitions a second",
    "put_events": "PutEvents a second",
    "api_requests": "API Gateway, requests a second",
}


NOTES = {
    "model_tokens": (
        "tokens per minute of Nova Lite, input and output together; sources say 2 to 8 million, and a new account "
        "may have none: read yours in Service Quotas"
    ),
    "callbacks": f"SendTaskSuccess, -Failure and -Heartbeat together; {_rate(OTHERS.callbacks)} elsewhere",
    "start_execution": f"{_rate(OTHERS.start_execution)} outside the three largest regions",
    "state_transitions": (
        f"{OTHERS.state_transitions.per_second:,} outside the three largest regions; throttling delays"
    ),
    "put_events": (
        f"{MEDIUM.put_events.per_second:,} in us-east-2 and eu-central-1, "
        f"{OTHERS.put_events.per_second:,} in small regions"
    ),
    "api_requests": "all APIs of the region together",
}
"""Notes on the quotas of us-east-1: how they are counted, and the values in other regions."""


def _value(quotas: Quotas, name: str) -> float:
    value = getattr(quotas, name)
    return value.per_second if isinstance(value, Rate) else float(value)


def _amount(value: float, name: str) -> str:
    if name == "model_tokens":
        return f"{value * 60 / 1e6:,.1f} million"
    return f"{value:,.0f}"


def _change(now: float, then: float, name: str) -> str:
    return "" if then <= now else f"{_amount(then, name)} (x{then / now:,.1f})"


def bursts_table(results: Sequence[Result]) -> str:
    rows = [
        [
            result.scenario.name,
            _share(result, Outcome.SUCCEEDED, Outcome.DEGRADED),
            _share(result, Outcome.FAILED),
            _seconds(result.latency(50)),
            _seconds(result.drain_seconds),
            f"{result.retries * result.many:,}",
            f"{result.refused['model tokens'] * result.many:,}",
        ]
        for result in results
    ]
    header = ["a burst with", "answered", "failed", "p50", "until the last ends", "states retried"]
    return table([*header, "throttled by the model"], rows)


def cost_table() -> str:
    by_service = cost.by_service(shape())
    total = cost.run_usd(shape())
    rows = [
        [name, f"${usd * 1e6:,.2f}", f"{100 * usd / total:.0f}%"]
        for name, usd in sorted(by_service.items(), key=lambda item: -item[1])
    ]
    rows.append(["total", f"${total * 1e6:,.2f}", ""])
    rows += [[f"an hour at {rate:,}/s", f"${total * rate * 3_600:,.0f}", ""] for rate in RATES]
    return table(["", "a million runs", "share"], rows)


def quotas_table() -> str:
    rows = []
    for name, label in LABELS.items():
        value = getattr(US_EAST_1, name)
        burst = _amount(value.burst / 60, name) if name == "model_tokens" else ""
        if isinstance(value, Rate) and name != "model_tokens":
            burst = f"{value.burst:,.0f}"
        rows.append(
            [
                label,
                _amount(_value(US_EAST_1, name), name),
                burst,
                NOTES.get(name, ""),
            ]
        )
    return table(["quota", "default", "burst", "note"], rows)
