"""`pipeline show`."""

import click

from cli.interrupt import stoppable
from cli.journeys import print_journey, watch
from cli.main import FAILED, INTERRUPTED
from cli.operations.journey import Journey, follow, read_journey
from cli.session import Session, TargetCommand

APPEARS_SECONDS = 5.0
"""How long a published event may take to become a pipeline before its id counts as wrong."""


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline show 9f1c2e…
  pipeline show --follow 9f1c2e…
  pipeline show --json 9f1c2e… | jq -r .final_response
\b
Exit codes: 0 shown; with --follow 1 if the pipeline failed. 3 not found.""",
)
@click.argument("pipeline_id", metavar="ID")
@click.option("--follow", "following", is_flag=True, help="Wait for its end, showing each stage.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def show(session: Session, pipeline_id: str, *, following: bool, as_json: bool) -> None:
    """The journey of one pipeline: its stages, what they took, the answer."""
    if not following:
        _print(session, read_journey(session.target, pipeline_id), as_json=as_json)
        return
    with stoppable() as stop:
        journeys = follow(session.target, pipeline_id, appears_within=APPEARS_SECONDS, stop=stop)
        journey = watch(session, journeys)
    if journey is None or not journey.finished:
        session.note(
            f"Stopped watching; the pipeline goes on. See it: {session.command('show', pipeline_id)}"
        )
        raise click.exceptions.Exit(INTERRUPTED if stop.requested else FAILED)
    _print(session, journey, as_json=as_json)
    if journey.status != "SUCCEEDED":
        raise click.exceptions.Exit(FAILED)


def _print(session: Session, journey: Journey, *, as_json: bool) -> None:
    if as_json:
        session.json(journey)
    else:
        print_journey(session, journey)
        if journey.status == "FAILED":
            session.note(
                "Mend the cause, then run it again: "
                + session.command("dlq", "replay", "--pipeline", journey.pipeline_id)
            )
