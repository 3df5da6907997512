"""The report of costs as its page and its spreadsheet show it."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

from msgspec import Struct, structs

from console.models.words import Status, of_run
from console.routes import link
from operations.money.budget import Budget
from operations.money.costs import Group, Part, Report, Row
from operations.money.words import budget_rows, headline, losses, million, remarks, silence
from operations.wording import usd

MOST_DAYS = 62
"""The latest days that the chart and the table show; the spreadsheet has all."""
MOST_GROUPS = 100
COLOURS = 6
"""The colours of a chart. Further parts share the last one."""
WIDTH, HEIGHT = 20.0, 100.0
"""A day's column in a chart, in the chart's own units."""
SCALE = 100.0
GroupedBy = Literal["day", "model"]
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that a spreadsheet takes for a formula."""


class Bar(Struct, frozen=True, kw_only=True):
    """A rectangle of a chart with what it stands for."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    title: str


class Chart(Struct, frozen=True, kw_only=True):
    """Columns of days, each a stack of parts. The table beside it has the same numbers."""

    bars: tuple[Bar, ...]
    width: float
    most: str
    first: str
    last: str
    legend: tuple[tuple[int, str], ...]


class Line(Struct, frozen=True, kw_only=True):
    """One row of a table. `share` is in percent of the largest row, `waste` that of its waste."""

    name: str
    cells: tuple[str, ...]
    share: float
    waste: float = 0.0


class Table(Struct, frozen=True, kw_only=True):
    title: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    total: tuple[str, ...] = ()
    """The cells of the last row; none if there is one line only."""
    left_out: int = 0
    by: GroupedBy | None = None
    """What its lines are groups of, if the costliest runs of each are known."""


class CostlyRow(Struct, frozen=True, kw_only=True):
    pipeline_id: str
    address: str
    status: Status
    cost: str


class CostsView(Struct, frozen=True, kw_only=True):
    headline: str
    failed: int
    total: str
    per_million: str
    stand_in: str
    """What answered in the place of the models; empty on AWS."""
    losses: tuple[str, ...]
    notes: tuple[str, ...]
    chart: Chart | None
    tables: tuple[Table, ...]
    is_empty: bool
    stopped: str


class BudgetView(Struct, frozen=True, kw_only=True):
    """Today's budget. `share` is in percent, at most 100; `is_spent`: resuming needs more money."""

    rows: tuple[tuple[str, str], ...]
    share: float | None
    tone: str
    is_paused: bool
    is_spent: bool
    warnings: tuple[str, ...]


def costs_view(report: Report) -> CostsView:
    return CostsView(
        headline=headline(report),
        failed=report.all.failed,
        total=usd(report.all.nano_usd) if report.all.priced else "unknown",
        per_million=million(report.all.per_million_usd),
        stand_in=report.stand_in or "",
        losses=tuple(losses(report)),
        notes=tuple(remarks(report)),
        chart=_chart(report),
        tables=tuple(_tables(report)),
        is_empty=not report.all.runs,
        stopped=""
        if report.complete
        else f"Only {report.read:,} records were read, in no particular order: all numbers are of this part.",
    )


def budget_view(budget: Budget, env: str) -> BudgetView:
    spent = budget.share is not None and budget.share >= 1
    paused = budget.standing != "running"
    silent = silence(budget, env)
    warnings = [silent] if silent else []
    if budget.unknown_runs:
        warnings.append(
            f"The price of {budget.unknown_runs:,} of today's runs is unknown, so more is spent than shown."
        )
    return BudgetView(
        rows=tuple(budget_rows(budget)),
        share=None if budget.share is None else round(min(1.0, budget.share) * SCALE, 2),
        tone="f" if spent or paused else "w" if (budget.share or 0) >= 0.8 else "k",
        is_paused=paused,
        is_spent=spent,
        warnings=tuple(warnings),
    )


def costliest(report: Report, by: GroupedBy, name: str) -> tuple[tuple[CostlyRow, ...], int] | None:
    """Return the costliest runs of a day or model, and how many runs there are; None if there is no such group."""
    groups = report.days if by == "day" else report.models
    group = next((one for one in groups if one.name == name), None)
    if group is None:
        return None
    rows = tuple(
        CostlyRow(
            pipeline_id=one.pipeline_id,
            address=link("run", pipeline_id=one.pipeline_id, tab="cost"),
            status=of_run(one.status),
            cost=usd(one.nano_usd),
        )
        for one in group.costliest
    )
    return rows, group.runs


# --- tables ------------------------------------------------------------------------------------------------


def _tables(report: Report) -> list[Table]:
    tables = [
        _groups("day (UTC)", "day", report.days[-MOST_DAYS:], report, len(report.days)),
        _groups("model", "model", report.models[:MOST_GROUPS], report, len(report.models)),
        _parts("stage", report.stages, report.all),
        _parts("service", report.services, report.all),
    ]
    return [table for table in tables if table.lines]


def _groups(title: str, by: GroupedBy, groups: Sequence[Group], report: Report, number: int) -> Table:
    tokens = by == "model"
    most = max((group.nano_usd for group in groups), default=0)
    columns = ("runs", "failed", "cost", "wasted", "per million")
    return Table(
        title=title,
        columns=(*columns, "tokens in", "tokens out") if tokens else columns,
        lines=tuple(_group(group, most, tokens=tokens) for group in groups),
        total=_group(report.all, most, tokens=tokens).cells if number > 1 else (),
        left_out=number - len(groups),
        by=by,
    )


def _group(group: Group, most: int, *, tokens: bool) -> Line:
    prompt = group.input_tokens + group.cache_read_tokens + group.cache_write_tokens
    return Line(
        name=group.name,
        cells=(
            f"{group.runs:,}",
            f"{group.failed:,}" if group.failed else "",
            usd(group.nano_usd) if group.priced else "?",
            usd(group.waste_nano_usd) if group.waste_nano_usd else "",
            million(group.per_million_usd),
            *((f"{prompt:,}", f"{group.output_tokens:,}") if tokens else ()),
        ),
        share=_share(group.nano_usd, most),
        waste=_share(min(group.waste_nano_usd, group.nano_usd), most),
    )


def _parts(title: str, parts: Sequence[Part], runs: Group) -> Table:
    total = runs.nano_usd
    most = max((part.nano_usd for part in parts), default=0)
    return Table(
        title=title,
        columns=("cost", "share", "per million"),
        lines=tuple(
            Line(
                name=part.name,
                cells=(
                    usd(part.nano_usd),
                    f"{part.nano_usd / total:.1%}" if total else "",
                    million(part.per_million_usd),
                ),
                share=_share(part.nano_usd, most),
            )
            for part in parts[:MOST_GROUPS]
        ),
        total=(usd(total), "", million(runs.per_million_usd)) if len(parts) > 1 else (),
        left_out=max(0, len(parts) - MOST_GROUPS),
    )


def _share(amount: int, most: int) -> float:
    return round(max(0, amount) / most * SCALE, 2) if most else 0.0


# --- the chart ---------------------------------------------------------------------------------------------


def _chart(report: Report) -> Chart | None:
    """Draw the days as stacks of stages; None if there are less than two days with a cost."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in report.rows:
        sums[row.day][row.stage] += row.nano_usd
    days = _days(sums)
    most = max((sum(sums[day].values()) for day in days if day in sums), default=0)
    if len(days) < 2 or not most:
        return None
    colours = {part.name: min(number, COLOURS - 1) for number, part in enumerate(report.stages)}
    bars = []
    for number, day in enumerate(days):
        top = HEIGHT
        for stage in (part.name for part in report.stages):
            if amount := sums[day].get(stage, 0) if day in sums else 0:
                height = amount / most * HEIGHT
                top -= height
                title = f"{day} {stage} {usd(amount)}"
                bars.append(
                    Bar(
                        x=number * WIDTH + 2,
                        y=round(top, 2),
                        width=WIDTH - 4,
                        height=round(height, 2),
                        colour=colours[stage],
                        title=title,
                    )
                )
    return Chart(
        bars=tuple(bars),
        width=len(days) * WIDTH,
        most=usd(most),
        first=days[0],
        last=days[-1],
        legend=tuple((colour, name) for name, colour in colours.items()),
    )


def _days(sums: Mapping[str, object]) -> list[str]:
    """Return the latest days from the first to the last one, also those without a run."""
    try:
        known = sorted(map(date.fromisoformat, sums))
    except ValueError:  # a damaged record
        return sorted(sums)[-MOST_DAYS:]
    if not known:
        return []
    number = min((known[-1] - known[0]).days + 1, MOST_DAYS)
    return [(known[-1] - timedelta(days=back)).isoformat() for back in reversed(range(number))]


# --- the spreadsheet ---------------------------------------------------------------------------------------


def spreadsheet(rows: Sequence[Row]) -> str:
    """Return the rows as CSV in which no cell is a formula, whatever a model or a stage is called."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row.__struct_fields__)
    writer.writerows([_cell(value) for value in structs.astuple(row)] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
