"""`pipeline cost`."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from cli.commands.selection import Age
from cli.session import Session, TargetCommand
from cli.view.tables import grid
from cli.view.text import counted, printable
from operations.money.costs import Group, Part, Report, Row
from operations.money.read_costs import OnPage, read_report
from operations.money.words import headline, losses, million, remarks
from operations.wording import usd
from shared.costs.ledger import NEVER_METERED

RECORDS = 100_000


class Moment(click.ParamType):
    """An option value that is an age (`2h`, `7d`) or a day (`2026-11-01`, UTC)."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            day = datetime.fromisoformat(str(value))
        except ValueError:
            try:
                age: timedelta = Age().convert(value, param, ctx)
            except click.BadParameter:
                self.fail(f"{value!r} is neither an age like 2h or 7d nor a day like 2026-11-01.", param, ctx)
            return datetime.now(UTC) - age
        try:
            return day.astimezone(UTC) if day.tzinfo else day.replace(tzinfo=UTC)
        except OverflowError:
            self.fail(f"{value!r} is at an end of the calendar and has no date in UTC.", param, ctx)


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline cost
  pipeline cost --since 7d
  pipeline cost --since 2026-11-01 --csv > november.csv
  pipeline cost --json | jq .all.per_million_usd""",
)
@click.option(
    "--since",
    type=Moment(),
    metavar="AGE|DAY",
    help="Only runs that ended within this age or since this day, e.g. 7d.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=RECORDS,
    show_default=True,
    metavar="N",
    help="Maximum number of records to read.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, in nano-dollars.")
@click.option(
    "--csv", "as_csv", is_flag=True, help="Print CSV: a line for each day, model, outcome and stage."
)
@click.pass_obj
def cost(session: Session, since: datetime | None, limit: int, *, as_json: bool, as_csv: bool) -> None:
    """Report what runs cost: per day, model, stage, service and million runs.

    Costs are calculated from the meters in each run's record, at list prices before
    free tiers; a run on the local engine is priced as on AWS. The whole table is
    read, as it has no index by time: --limit shortens that, --since does not. For
    the ledger of one run, use `pipeline show --cost ID`.
    """
    if as_json and as_csv:
        raise click.UsageError("Give either --json or --csv, not both.")
    with _bar(session) as advance:
        report = read_report(session.target, since=since, limit=limit, on_page=advance)
    if as_json:
        plain = {**msgspec.structs.asdict(report), "never_metered": NEVER_METERED}
        # A report on costs at their own regions' prices looks as it did before prices could be stated.
        session.json(
            {name: value for name, value in plain.items() if value or name not in ("stated", "stand_in")}
        )
    elif as_csv:
        _write_csv(report.rows)
    else:
        _print(session, report)
    if not report.complete:
        session.note(
            f"Stopped after {counted(report.read, 'record')}: the report covers only this part of the table, "
            "in no particular order. A higher --limit reads more."
        )


@contextmanager
def _bar(session: Session) -> Iterator[OnPage]:
    if not session.err.is_terminal:
        yield lambda _read, _about: None
        return
    columns = (TextColumn("reading records"), BarColumn(bar_width=None), MofNCompleteColumn())
    with Progress(*columns, console=session.err, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda read, about: progress.update(task, completed=read, total=about)


def _write_csv(rows: list[Row]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Row.__struct_fields__)
    writer.writerows(msgspec.structs.astuple(row) for row in rows)


def _print(session: Session, report: Report) -> None:
    out, runs = session.out, report.all
    if runs.runs:
        out.print(Text(headline(report), style="bold"))
        for line in losses(report):
            out.print(Text(printable(line)))
        out.print()
        out.print(_days(report.days, runs))
        out.print()
        out.print(_models(report.models))
        for title, parts in (("stage", report.stages), ("service", report.services)):
            out.print()
            out.print(_parts(title, parts, runs))
        out.print()
    else:
        session.note(
            f"There is no finished run with meters. See the runs that were started: {session.command('list')}"
        )
    for line in remarks(report):
        session.note(printable(line))


def _days(days: list[Group], runs: Group) -> Table:
    table = grid("day (UTC)", "runs", "failed", "cost", "wasted", "per million")
    for day in days:
        table.add_row(day.name, *_sums(day))
    if len(days) > 1:
        table.add_row("total", *_sums(runs), style="bold")
    return table


def _sums(runs: Group) -> tuple[str, ...]:
    return (
        f"{runs.runs:,}",
        f"{runs.failed:,}" if runs.failed else "",
        usd(runs.nano_usd) if runs.priced else "?",
        usd(runs.waste_nano_usd) if runs.waste_nano_usd else "",
        million(runs.per_million_usd),
    )


def _models(models: list[Group]) -> Table:
    """Return the table of models; it has the columns of the prompt cache if any model used one."""
    cached = any(model.cache_read_tokens or model.cache_write_tokens for model in models)
    cache_columns = ("from cache", "to cache") if cached else ()
    table = grid("model", "runs", "tokens in", *cache_columns, "out", "cost", "per million")
    for model in models:
        counts = (model.cache_read_tokens, model.cache_write_tokens) if cached else ()
        table.add_row(
            Text(printable(model.name)),
            f"{model.runs:,}",
            f"{model.input_tokens:,}" if model.input_tokens else "",
            *(f"{count:,}" if count else "" for count in counts),
            f"{model.output_tokens:,}" if model.output_tokens else "",
            usd(model.nano_usd) if model.priced else "?",
            million(model.per_million_usd),
        )
    return table


def _parts(title: str, parts: list[Part], runs: Group) -> Table:
    total = runs.nano_usd
    table = grid(title, "cost", "per million", "share")
    for part in parts:
        share = f"{part.nano_usd / total:.1%}" if total else ""
        table.add_row(part.name, usd(part.nano_usd), million(part.per_million_usd), share)
    if len(parts) > 1:
        table.add_row("total", usd(total), million(runs.per_million_usd), "", style="bold")
    return table
