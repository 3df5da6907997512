"""`pipeline redrive`."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import click

from cli.commands.selection import Age, carrying_out
from cli.session import Session, TargetCommand
from cli.view.replaying import Choices, Line, announce, carry_out
from operations.dlq import redrive as redriving
from operations.dlq.redrive import FailedRun
from operations.dlq.replay import Result
from operations.money.estimate import work_of_run
from operations.stop import Stop
from shared.contracts.executions import FAILED
from shared.contracts.stages import BY_KEY

FIELDS = ("pipeline_id", "action", "reason", "outcome", "problem", "execution_arn")
"""The fields of a run's result in JSON output; the others are those of a message."""


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline redrive --since 2h --dry-run
  pipeline redrive --since 1d --stage chat --canary 3 --yes
\b
Exit codes: 0 every run was started, 1 a run was not started or failed,
130 interrupted.""",
)
@click.option(
    "--since",
    type=Age(),
    required=True,
    metavar="AGE",
    help="Only runs that ended at most this long ago, e.g. 2h.",
)
@click.option(
    "--stage",
    metavar="STAGE",
    help="Only runs that failed at this stage (see `pipeline stage list`); it may have been removed since.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(FAILED),
    help="Only runs whose execution ended with this status; repeatable.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Maximum number of runs, oldest first.")
@carrying_out("runs", 100, canary="Redrive N runs first; continue only if they succeed.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the results as JSON.")
@click.pass_obj
def redrive(
    session: Session,
    /,
    since: timedelta,
    stage: str | None,
    statuses: tuple[str, ...],
    limit: int | None,
    **options: Any,
) -> None:
    """Continue failed runs that left no parked message.

    A run is redriven: its execution continues at the state that failed. Where
    that is not possible (and always on the local engine), the run is restarted
    under the same pipeline id. Runs that have a parked message are left to
    `pipeline dlq replay`.
    """
    choices = Choices(**options)
    with session.err.status("looking for failed runs", spinner_style="dim"):
        runs = redriving.find(
            session.target, since=since, stage=stage, statuses=statuses or FAILED, limit=limit
        )
    nothing = "No failed run matches."
    if stage and stage not in BY_KEY:
        nothing += f" This checkout has no stage {stage!r}; it has: {', '.join(BY_KEY)}."
    lines = [
        Line(
            run.pipeline_id,
            run.stage or "-",
            run.decision.action,
            run.decision.reason,
            {
                "pipeline_id": run.pipeline_id,
                "execution_arn": run.execution.arn,
                "stage": run.stage,
                "status": run.execution.status,
            },
            work_of_run(run),
        )
        for run in runs
    ]
    if not announce(session, lines, choices, "run", nothing=nothing):
        return
    who = session.target.describe().caller

    def acting(stop: Stop) -> Callable[[Sequence[FailedRun]], Iterator[Result]]:
        return partial(redriving.run_again, session.target, who=who, rate=choices.rate, stop=stop)

    carry_out(session, choices, runs, acting, fields=FIELDS)
