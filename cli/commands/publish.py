"""`pipeline publish`."""

import click

from cli.bounds import MOST_BYTES
from cli.session import Session, TargetCommand
from operations.asking import publish as publishing


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline publish event.json
  echo '{"data": {"user_message": "Hi"}}' |
    pipeline publish --detail-type pipeline.requested.v1 -
  pipeline publish --detail-type pipeline.requested.v2 conversation.json
\b
event.json:
  {"source": "ai.pipeline", "detail-type": "pipeline.requested.v1",
   "detail": {"data": {"user_message": "What is a monad?"}}}
\b
conversation.json, which holds only the detail:
  {"data": {"messages": [{"role": "user", "text": "What is a monad?"},
                         {"role": "assistant", "text": "A pattern."},
                         {"role": "user", "text": "And in Python?"}]}}""",
)
@click.argument("event", type=click.File("rb"), metavar="EVENT.json")
@click.option(
    "--detail-type", metavar="NAME", help="The event's detail-type, for a file that holds only the detail."
)
@click.option("--check", is_flag=True, help="Check the event against its contract and publish nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def publish(
    session: Session, event: click.utils.LazyFile, detail_type: str | None, *, check: bool, as_json: bool
) -> None:
    """Publish the event in EVENT.json (or `-` for stdin) to the bus.

    The event is checked against its contract first; unknown fields are refused.
    If a request has no pipeline_id, its event id becomes the pipeline id.
    """
    draft = publishing.draft(event.read(MOST_BYTES), detail_type=detail_type)
    if check:
        session.note(f"The event meets the contract of {draft.detail_type}. Nothing was published.")
        return
    published = publishing.publish(session.target, draft)
    if as_json:
        session.json(published)
        return
    session.note(f"Published {published.detail_type} to {published.bus}.")
    if draft.detail_type.startswith("pipeline.requested."):
        session.note(f"Follow the run: {session.command('show', '--follow', published.pipeline_id)}")
    click.echo(published.pipeline_id)
