"""`pipeline list`."""

from datetime import datetime

import click
from rich.table import Table
from rich.text import Text

from cli.session import Session, TargetCommand
from cli.view.text import duration
from operations.money.budget import notice
from operations.runs.runs import Run, list_runs
from shared.contracts.executions import EXECUTION_STATUSES

STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan", "FAILED": "red", "TIMED_OUT": "red", "ABORTED": "yellow"}


@click.command(
    "list",
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline list
  pipeline list --status FAILED --limit 5
  pipeline list --json | jq -r '.[].pipeline_id'""",
)
@click.option("--status", type=click.Choice(EXECUTION_STATUSES, case_sensitive=False), help="Only these.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_obj
def list_(session: Session, status: str | None, limit: int, *, as_json: bool) -> None:
    """Pipelines that were started, newest first.

    One that is accepted but not started yet is not among them; `pipeline show`
    finds it by its id.
    """
    wanted = next((known for known in EXECUTION_STATUSES if known == status), None)
    runs = list_runs(session.target, status=wanted, limit=limit)
    if as_json:
        session.json(runs)
        return
    if paused := notice(session.target):
        session.note(paused)
    if not runs:
        session.note(f"No pipelines{f' with status {status}' if status else ''} yet.")
        return
    session.out.print(_table(runs))
    if len(runs) == limit:
        session.note(f"The newest {limit}; --limit shows more.")


def _table(runs: list[Run]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for name in ("pipeline", "status", "started", "took"):
        table.add_column(name, justify="right" if name == "took" else "left", no_wrap=True)
    restarted = any(run.restart for run in runs)
    if restarted:
        table.add_column("restart", justify="right", no_wrap=True)
    for run in runs:
        table.add_row(
            run.pipeline_id,
            Text(run.status, STYLES.get(run.status, "")),
            moment(run.started_at),
            duration(run.took_ms),
            *([str(run.restart or "")] if restarted else []),
        )
    return table


def moment(time: datetime) -> str:
    """Local time, to the second."""
    return f"{time.astimezone():%m-%d %H:%M:%S}"
