"""`pipeline show`."""

from datetime import UTC, datetime

import click
from rich.text import Text

from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.journeys import print_journey, watch
from cli.view.ledgers import show_ledger
from cli.view.text import in_a_line
from local.exit_codes import FAILED, INTERRUPTED
from operations.dlq.journal import Entry, audit
from operations.errors import DeniedError, NotDeployedError
from operations.health.rights import EXAMINATION
from operations.money.budget import notice
from operations.money.run_ledger import read_ledger
from operations.runs.advice import denial, lacks_right
from operations.runs.beginnings import known_id
from operations.runs.journey import Journey, follow, read_journey, told
from operations.runs.timeline import bars, longest

APPEARS_SECONDS = 5.0
"""How long a published event may take to become a run before its id counts as unknown."""


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline show 9f1c2e…
  pipeline show --follow 9f1c2e…
  pipeline show --cost 9f1c2e…
  pipeline show --json 9f1c2e… | jq -r .final_response
\b
Exit codes: 0 shown, 1 the run failed (with --follow) or its cost is not known
(with --cost), 3 not found, 130 interrupted.""",
)
@click.argument("pipeline_id", metavar="ID")
@click.option(
    "--follow", "following", is_flag=True, help="Wait until the run ends, printing each finished stage."
)
@click.option("--cost", "costs", is_flag=True, help="Show what the run cost, line by line, with each price.")
@click.option("--json", "as_json", is_flag=True, help="Print the run as JSON.")
@click.pass_obj
def show(session: Session, pipeline_id: str, *, following: bool, costs: bool, as_json: bool) -> None:
    """Show one run: its stages, their times, its cost and the answer.

    ID is the run's id; for a recent run, its first six characters are enough.
    """
    pipeline_id = known_id(session.target, pipeline_id)
    if costs:
        if following:
            raise click.UsageError("--cost shows a finished run; remove --follow.")
        show_ledger(session, read_ledger(session.target, pipeline_id), as_json=as_json)
        return
    if not following:
        _print(session, read_journey(session.target, pipeline_id), as_json=as_json)
        return
    with stoppable() as stop:
        journeys = follow(session.target, pipeline_id, appears_within=APPEARS_SECONDS, stop=stop)
        journey = watch(session, journeys)
    if journey is None or not journey.finished:
        session.note(f"Stopped watching; the run continues. See it: {session.command('show', pipeline_id)}")
        raise click.exceptions.Exit(INTERRUPTED if stop.requested else FAILED)
    _print(session, journey, as_json=as_json)
    if journey.status != "SUCCEEDED":
        raise click.exceptions.Exit(FAILED)


def _print(session: Session, journey: Journey, *, as_json: bool) -> None:
    entries = _operations(session, journey.pipeline_id)
    if as_json:
        timeline = bars(journey, datetime.now(UTC))
        session.json(
            {
                **told(journey),
                "timeline": timeline,
                "longest": longest(timeline, journey.execution_time_ms),
                "operations": entries,
            }
        )
        return
    print_journey(session, journey)
    if entries:
        session.out.print()
    for entry in entries:
        at = datetime.fromisoformat(entry.at).astimezone()
        operator = entry.who.rpartition("/")[2]
        session.out.print(
            Text(f"{at:%m-%d %H:%M:%S}  {entry.what} by {operator}. {in_a_line(entry.why)}", "dim")
        )
    if journey.status == "ACCEPTED":
        where = f"To find out where its event is: {session.command('explain', journey.pipeline_id)}"
        session.note(notice(session.target) or where)
    if lacks_right(journey):
        session.note(denial(session.command(*EXAMINATION)))
    if journey.status == "FAILED":
        session.note(
            "Fix the cause, then retry: "
            + session.command("dlq", "replay", "--pipeline", journey.pipeline_id)
        )


def _operations(session: Session, pipeline_id: str) -> list[Entry]:
    """Return the audit lines of a run; none if the table is not deployed or the caller may not read it."""
    try:
        return audit(session.target, pipeline_id)
    except (DeniedError, NotDeployedError):
        return []
