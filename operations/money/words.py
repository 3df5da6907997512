"""What a report of costs and a daily budget say, in sentences that every face shows alike."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from operations.money.budget import Budget
from operations.money.costs import Group, Report
from operations.money.run_ledger import lost, spent
from operations.runs.journey import Journey
from operations.wording import ago, cost_line, counted, exact, usd
from shared.costs.ledger import NEVER_METERED
from shared.costs.lines import TOKENS, Line
from shared.costs.prices import GB, MB_MS

UNITS: Mapping[str, str] = {
    "api": "request",
    "event": "event",
    "queue": "request",
    "transition": "transition",
    "invocation": "request",
    "time": "GB-s",
    "write": "write",
    "logs": "GB",
    **dict.fromkeys(TOKENS, "token"),
    "answer": "answer",
}
"""What a line of a ledger counts, by its kind, as the prices name it."""
MEASURES: Mapping[str, int] = {"GB-s": MB_MS, "GB": GB}
"""How many of the ledger's units make one of those that are measured and not counted."""


def headline(report: Report) -> str:
    runs = report.all
    text = counted(runs.runs, "run")
    if runs.failed:
        text += f", {runs.failed:,} failed"
    if report.since:
        text += f", since {report.since:%Y-%m-%d %H:%M} UTC"
    if runs.per_million_usd is None:
        return f"{text}: cost unknown, because no price is known"
    lower_bound = "at least " if report.unknown or report.partly_metered else ""
    would = "on AWS this would cost " if report.stand_in else ""
    return f"{text}: {would}{lower_bound}{usd(runs.nano_usd)}, {million(runs.per_million_usd)} per million"


def losses(report: Report) -> Iterator[str]:
    """Yield what the total contains that nobody wanted to pay for."""
    runs = report.all
    if runs.waste_nano_usd:
        yield from _wasted(runs)
    for model in report.models:
        if model.failed_over:
            yield (
                f"including {usd(model.failed_over_nano_usd)} for {counted(model.failed_over, 'run')} that "
                f"{model.name} answered in the place of an unavailable model"
            )


def _wasted(runs: Group) -> Iterator[str]:
    """Yield what was wasted, and on what."""
    attempts = runs.waste_nano_usd - runs.failed_nano_usd - runs.earlier_nano_usd
    parts = [
        (amount, on)
        for amount, on in (
            (attempts, "on failed attempts and lost deliveries"),
            (runs.failed_nano_usd, "on runs that failed"),
            (runs.earlier_nano_usd, "on earlier executions of restarted runs"),
        )
        if amount
    ]
    share = f" ({runs.waste_nano_usd / runs.nano_usd:.0%})" if runs.nano_usd else ""
    text = f"including {usd(runs.waste_nano_usd)}{share} wasted"
    if len(parts) == 1:
        yield f"{text} {parts[0][1]}"
        return
    yield text
    for amount, on in parts:
        yield f"of that, {usd(amount)} {on}"


def cost_of_run(journey: Journey) -> list[tuple[str, str]]:
    """Return what a run has cost in all its executions as names and texts; none if that is not recorded."""
    cost, earlier = journey.cost, journey.earlier_nano_usd
    if cost is None:
        return []
    total, waste = cost["nano_usd"], cost.get("waste_nano_usd", 0)
    answered = bool(journey.chat) or any(stage.model_id for stage in journey.stages)
    stand_in = journey.stand_in or None
    text = cost_line(
        spent(total, earlier),
        lost(journey.status, total, waste, earlier),
        lacking=bool(cost.get("unknown") or cost.get("unmetered")),
        stand_in=stand_in if answered or stand_in is None else "",
    )
    more = [("earlier", f"including {usd(earlier)} for earlier executions")] if earlier else []
    return [("cost", text), *more]


def quantity(line: Line) -> str:
    """Return a line's quantity with its unit, which is that of its price; of a batch, the share of one message."""
    unit = UNITS[line.kind]
    share = "" if line.shared_by == 1 else f"/{line.shared_by}"
    if base := MEASURES.get(unit):
        return f"{exact(Decimal(line.quantity) / base, 9)}{share} {unit}"
    return f"{line.quantity:,}{share} {unit}{'' if line.quantity == 1 and not share else 's'}"


def remarks(report: Report) -> Iterator[str]:
    """Yield what the report could not count, or counted in another way, and with which prices."""
    if report.stand_in:
        yield f"What answered in the place of the models: {report.stand_in}."
    for missing in report.unknown:
        tokens = f" ({missing.input_tokens:,} in, {missing.output_tokens:,} out)" * missing.price.startswith(
            "tokens"
        )
        yield f"Price unknown: {missing.price}{tokens}, in {counted(missing.runs, 'run')}."
    if report.partly_metered:
        yield f"Only partly metered: {counted(report.partly_metered, 'run')}; see `pipeline show --cost ID`."
    if report.not_recorded:
        yield f"Cost missing in the record, calculated now: {counted(report.not_recorded, 'run')}."
    if report.not_metered:
        yield f"Not included, because recorded before runs were metered: {counted(report.not_metered, 'run')}."
    if report.not_over:
        yield f"Not included, because not finished yet: {counted(report.not_over, 'run')}."
    for text in report.stated:
        yield f"Counted with the prices of {text}."
    yield f"Never metered: {NEVER_METERED}. Logs are estimated."


def silence(budget: Budget, env: str) -> str | None:
    """Return what to say of a guard that has not checked the budget for a while; None if it has."""
    if not budget.silent:
        return None
    since = f"since {budget.looked_at}" if budget.looked_at else "yet"
    return (
        f"The guard has not checked the budget {since}, so these numbers may be out of date. "
        f"See the log of function {env}-guard, and its alarm."
    )


def million(dollars: float | None) -> str:
    """Return the price of a million runs."""
    return "?" if dollars is None else f"${dollars:,.2f}"


def budget_rows(budget: Budget) -> list[tuple[str, str]]:
    """Return the state of the budget as names and texts."""
    lower_bound = "at least " if budget.at_least else ""
    limit = usd(budget.limit_nano_usd) if budget.limit_nano_usd is not None else "no limit today"
    if budget.limit_nano_usd not in (None, budget.per_day_nano_usd):
        limit += f" today, usually {usd(budget.per_day_nano_usd)}"
    share = f", {budget.share:.0%}" if budget.share is not None else ""
    rows = [
        ("day (UTC)", budget.day),
        ("starter", _starter(budget)),
        (
            "spent",
            f"{lower_bound}{usd(budget.spent_nano_usd)}{share}, by {counted(budget.runs, 'finished run')}",
        ),
        ("limit", limit),
    ]
    if budget.projected_nano_usd is not None:
        rows.append(("at this pace", f"{lower_bound}{usd(budget.projected_nano_usd)} by the end of the day"))
    if budget.looked_at:
        rows.append(("last check", ago(datetime.fromisoformat(budget.looked_at))))
    return rows


def _starter(budget: Budget) -> str:
    text: str = budget.standing
    if budget.since:
        text += f" since {datetime.fromisoformat(budget.since):%H:%M} UTC"
    if budget.resumes_at:
        text += ", until 00:00 UTC"
    return text
