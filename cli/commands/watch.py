"""`pipeline watch`."""

from typing import Any

import click
import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.exit_codes import INTERRUPTED
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.text import ago, printable
from operations.errors import OperationError
from operations.health.watch import Failure, Rates, Snapshot, look
from operations.health.watch import watch as looks
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
Exit codes: 0 with --once, 130 after Ctrl-C.""",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3_600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option("--once", is_flag=True, help="Look once.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per look.")
@click.pass_obj
def watch(session: Session, *, interval: float, once: bool, as_json: bool) -> None:
    """The whole system live: in flight, rates, failures, what is parked.

    Waiting and working are messages in a stage's queue and with its workers, as
    SQS estimates them; what is accepted and not started waits in `start`. Rates
    are those of the last minute. Looking takes nothing away.
    """
    if once:
        seen = look(session.target)
        if as_json:
            click.echo(_as_json(seen))
        else:
            session.out.print(screen(session.env, seen))
        return
    with stoppable() as stop:
        if as_json or not session.out.is_terminal:
            _lines(session, interval, stop, as_json=as_json)
        else:
            _live(session, interval, stop)
    raise click.exceptions.Exit(INTERRUPTED)


def _lines(session: Session, interval: float, stop: Stop, *, as_json: bool) -> None:
    for seen in looks(session.target, interval=interval, stop=stop):
        if isinstance(seen, OperationError):
            session.note(str(seen))
        else:
            click.echo(_as_json(seen) if as_json else line(seen))


def _live(session: Session, interval: float, stop: Stop) -> None:
    before: Snapshot | None = None
    every = f"every {interval:g} s, Ctrl-C ends it"
    with Live(console=session.out, auto_refresh=False, vertical_overflow="crop") as display:
        for seen in looks(session.target, interval=interval, stop=stop):
            if isinstance(seen, OperationError):
                trouble = Text(printable(str(seen)), "red")
                shown = [screen(session.env, before, every=every)] if before else []
                display.update(Group(*shown, trouble), refresh=True)
            else:
                display.update(screen(session.env, seen, before, every=every), refresh=True)
                before = seen


def _as_json(seen: Snapshot) -> str:
    values: dict[str, Any] = msgspec.to_builtins(seen)
    return msgspec.json.encode(
        {**values, "waiting": seen.waiting, "working": seen.working, "parked": seen.parked}
    ).decode()


def line(seen: Snapshot) -> str:
    """All in one line, for a log."""
    stages = " ".join(f"{stage.stage}={stage.waiting}+{stage.working}" for stage in seen.stages)
    return (
        f"{seen.at.astimezone():%H:%M:%S} running={_running(seen)} {' '.join(_rates(seen.per_minute, '='))} "
        f"parked={seen.parked} {stages}"
    )


def screen(env: str, seen: Snapshot, before: Snapshot | None = None, *, every: str = "") -> RenderableType:
    """At most 79 columns and 20 lines. `before`: how a stage's queue has grown since is told as well."""
    title = f"{env}  {seen.at.astimezone():%Y-%m-%d %H:%M:%S}"
    parts: list[RenderableType] = [
        Text(f"{title}{every:>{WIDTH - len(title)}}".rstrip(), "dim"),
        Text(),
        _totals(seen),
        *([Text(seen.paused, "yellow")] if seen.paused else []),
        Text("in the last minute: " + "  ".join(_rates(seen.per_minute, " "))),
        Text(),
        _stages(seen, before),
    ]
    if seen.failures:
        parts += [Text(), Text("latest failures", "bold"), *map(_failure, seen.failures)]
    return Group(*parts)


def _totals(seen: Snapshot) -> Text:
    parked = Text(f"parked {seen.parked:,}", "red" if seen.parked else "")
    totals = f"running {_running(seen)}  waiting {seen.waiting:,}  working {seen.working:,}  "
    return Text.assemble((totals, "bold"), parked)


def _running(seen: Snapshot) -> str:
    return f"{seen.running:,}{'+' if seen.more_running else ''}"


def _rates(told: Rates, sign: str) -> list[str]:
    values = (
        ("started", told.started),
        ("finished", told.finished),
        ("failed", told.failed),
        ("stopped", told.stopped),
    )
    return [f"{name}{sign}{value}{'+' if name in told.at_least else ''}" for name, value in values]


def _stages(seen: Snapshot, before: Snapshot | None) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold", pad_edge=False)
    for name in ("stage", "waiting", "change", "working", "parked"):
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
    earlier = {stage.service: stage.waiting for stage in before.stages} if before else {}
    for stage in seen.stages:
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
    text = printable(" ".join(text.split()))
    return Text(text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…")
