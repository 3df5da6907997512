"""`pipeline list`."""

from datetime import datetime

import click
from rich.table import Table
from rich.text import Text

from cli.session import Session, TargetCommand
from cli.view.tables import grid
from cli.view.text import duration, printable
from operations.money.budget import notice
from operations.runs.runs import Run, list_runs, list_still_failed, timed
from shared.contracts.executions import EXECUTION_STATUSES

STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan", "FAILED": "red", "TIMED_OUT": "red", "ABORTED": "yellow"}


@click.command(
    "list",
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline list
  pipeline list --status FAILED --limit 5
  pipeline list --still-failed
  pipeline list --json | jq -r '.[].pipeline_id'""",
)
@click.option(
    "--status",
    type=click.Choice(EXECUTION_STATUSES, case_sensitive=False),
    help="Only runs with this status.",
)
@click.option(
    "--still-failed",
    is_flag=True,
    help="Only runs that failed or timed out, and that no redrive or restart has mended.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Maximum number of runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
@click.pass_obj
def list_(session: Session, status: str | None, limit: int, *, still_failed: bool, as_json: bool) -> None:
    """List the runs that were started, newest first.

    A run that is accepted but not started yet is not listed; `pipeline show ID`
    shows it.
    """
    chosen = next((name for name in EXECUTION_STATUSES if name == status), None)
    listed = list_still_failed if still_failed else list_runs
    runs = timed(session.target, listed(session.target, status=chosen, limit=limit))
    if as_json:
        session.json(runs)
        return
    if paused := notice(session.target):
        session.note(paused)
    if not runs:
        with_status = f" with status {status}" if status else ""
        session.note(
            f"No run{with_status} has failed and stayed so."
            if still_failed
            else f"There are no runs{with_status} yet."
        )
        return
    session.out.print(_table(runs))
    if len(runs) == limit:
        session.note(f"These are the newest {limit}; --limit shows more.")


def _table(runs: list[Run]) -> Table:
    restarted, early = any(run.restart for run in runs), any(run.ended_by for run in runs)
    columns = ("run", "status", "started", *(("ended early",) if early else ()), "took")
    table = grid(*columns, *(("restart",) if restarted else ()), texts=4 if early else 3)
    for run in runs:
        table.add_row(
            Text(printable(run.pipeline_id)),
            Text(run.status, STYLES.get(run.status, "")),
            moment(run.started_at),
            *([Text(printable(run.ended_by or ""))] if early else []),
            duration(run.took_ms),
            *([str(run.restart or "")] if restarted else []),
        )
    return table


def moment(time: datetime) -> str:
    """Return a moment in local time, to the second."""
    return f"{time.astimezone():%m-%d %H:%M:%S}"
