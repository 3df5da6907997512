"""`pipeline watch`."""

from typing import Any

import click
import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.bounds import Number
from cli.output import escaped
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.tables import grid
from cli.view.text import ago, in_a_line, printable
from local.exit_codes import INTERRUPTED
from operations.errors import OperationError
from operations.health.failures import Failure
from operations.health.watch import Rates, Snapshot, look
from operations.health.watch import watch as snapshots
from operations.stop import Stop

WIDTH = 79


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline watch
  pipeline watch --once
  pipeline watch --interval 10 --json | jq .per_minute.failed
\b
Exit codes: 0 with --once, 130 after Ctrl-C; 1 or 4 if the first reading, or
five in a row, failed.""",
)
@click.option(
    "--interval",
    type=Number(0.5, 3_600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between refreshes.",
)
@click.option("--once", is_flag=True, help="Print one snapshot and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print each snapshot as a JSON object.")
@click.pass_obj
def watch(session: Session, *, interval: float, once: bool, as_json: bool) -> None:
    """Show a live view: runs, rates, failures and parked messages.

    `waiting` counts the messages in a stage's queue, `working` those with its
    workers; both are SQS's estimates. Accepted runs that have not started wait in
    `start`; those that wait for a person's approval are counted apart. Rates cover
    the last minute. Read-only: no message is consumed.
    """
    if once:
        snapshot = look(session.target)
        if as_json:
            click.echo(_as_json(snapshot))
        else:
            session.out.print(screen(session.env, snapshot))
        return
    with stoppable() as stop:
        if as_json or session.is_narrow or not session.out.is_terminal:
            _lines(session, interval, stop, as_json=as_json)
        else:
            _live(session, interval, stop)
    raise click.exceptions.Exit(INTERRUPTED)


def _lines(session: Session, interval: float, stop: Stop, *, as_json: bool) -> None:
    for snapshot in snapshots(session.target, interval=interval, stop=stop):
        if isinstance(snapshot, OperationError):
            session.note(str(snapshot))
        else:
            click.echo(_as_json(snapshot) if as_json else line(snapshot))


def _live(session: Session, interval: float, stop: Stop) -> None:
    before: Snapshot | None = None
    every = f"every {interval:g} s, Ctrl-C to exit"
    with Live(console=session.out, auto_refresh=False, vertical_overflow="crop") as display:
        for snapshot in snapshots(session.target, interval=interval, stop=stop):
            if isinstance(snapshot, OperationError):
                problem = Text(printable(str(snapshot)), "red")
                shown = [screen(session.env, before, every=every)] if before else []
                display.update(Group(*shown, problem), refresh=True)
            else:
                display.update(screen(session.env, snapshot, before, every=every), refresh=True)
                before = snapshot


def _as_json(snapshot: Snapshot) -> str:
    values: dict[str, Any] = msgspec.to_builtins(snapshot)
    totals = {"waiting": snapshot.waiting, "working": snapshot.working, "parked": snapshot.parked}
    return escaped(msgspec.json.encode({**values, **totals}).decode())


def line(snapshot: Snapshot) -> str:
    """Return a snapshot in one line, for a log."""
    stages = " ".join(f"{stage.stage}={stage.waiting}+{stage.working}" for stage in snapshot.stages)
    rates = " ".join(_rates(snapshot.per_minute, "="))
    waits = f" approval={snapshot.inbox.waiting}" if snapshot.inbox else ""
    return (
        f"{snapshot.at.astimezone():%H:%M:%S} running={_running(snapshot)}{waits} {rates} "
        f"parked={snapshot.parked} {stages}"
    )


def screen(
    env: str, snapshot: Snapshot, before: Snapshot | None = None, *, every: str = ""
) -> RenderableType:
    """Return a snapshot as a screen of at most 79 columns and 20 lines.

    With the snapshot `before`, the change of each stage's queue is shown as well.
    """
    title = f"{env}  {snapshot.at.astimezone():%Y-%m-%d %H:%M:%S}"
    parts: list[RenderableType] = [
        Text(f"{title}{every:>{WIDTH - len(title)}}".rstrip(), "dim"),
        Text(),
        _totals(snapshot),
        *([Text(snapshot.paused, "yellow")] if snapshot.paused else []),
        *([Text(snapshot.waits_for_person)] if snapshot.waits_for_person else []),
        Text("in the last minute: " + "  ".join(_rates(snapshot.per_minute, " "))),
        Text(),
        _stages(snapshot, before),
    ]
    if snapshot.failures:
        parts += [Text(), Text("latest failures", "bold"), *map(_failure, snapshot.failures)]
    return Group(*parts)


def _totals(snapshot: Snapshot) -> Text:
    parked = Text(f"parked {snapshot.parked:,}", "red" if snapshot.parked else "")
    totals = f"running {_running(snapshot)}  waiting {snapshot.waiting:,}  working {snapshot.working:,}  "
    return Text.assemble((totals, "bold"), parked)


def _running(snapshot: Snapshot) -> str:
    return f"{snapshot.running:,}{'+' if snapshot.more_running else ''}"


def _rates(rates: Rates, sign: str) -> list[str]:
    values = (
        ("started", rates.started),
        ("finished", rates.finished),
        ("failed", rates.failed),
        ("stopped", rates.stopped),
    )
    return [f"{name}{sign}{value}{'+' if name in rates.at_least else ''}" for name, value in values]


def _stages(snapshot: Snapshot, before: Snapshot | None) -> Table:
    table = grid("stage", "waiting", "change", "working", "parked", space=3)
    earlier = {stage.service: stage.waiting for stage in before.stages} if before else {}
    for stage in snapshot.stages:
        change = stage.waiting - earlier.get(stage.service, stage.waiting)
        table.add_row(
            stage.stage,
            f"{stage.waiting:,}",
            f"{change:+,}" if change else "",
            f"{stage.working:,}",
            Text(f"{stage.parked:,}", "red" if stage.parked else ""),
        )
    return table


def _failure(failure: Failure) -> Text:
    why = ": ".join(filter(None, (failure.error, failure.cause))) or failure.status
    text = f"{failure.pipeline_id}  {ago(failure.ended_at)}  {failure.stage or ''}  {why}"
    text = in_a_line(text)
    return Text(text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…")
