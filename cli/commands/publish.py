"""`pipeline publish`."""

import click

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
conversation.json, the detail alone:
  {"data": {"messages": [{"role": "user", "text": "What is a monad?"},
                         {"role": "assistant", "text": "A pattern."},
                         {"role": "user", "text": "And in Python?"}]}}""",
)
@click.argument("event", type=click.File("rb"), metavar="EVENT.json")
@click.option("--detail-type", help="Which event it is, for a file that holds the detail alone.")
@click.option("--check", is_flag=True, help="Check only; publish nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def publish(
    session: Session, event: click.utils.LazyFile, detail_type: str | None, *, check: bool, as_json: bool
) -> None:
    """Publish the event in EVENT.json (or `-` for stdin) to the bus.

    It is checked against its contract first; unknown fields are refused. An
    event without a pipeline_id gives the pipeline the event's own id.
    """
    draft = publishing.draft(event.read(), detail_type=detail_type)
    if check:
        session.note(f"{draft.detail_type}: keeps its contract. Nothing was published.")
        return
    published = publishing.publish(session.target, draft)
    if as_json:
        session.json(published)
        return
    session.note(f"Published {published.detail_type} to {published.bus}.")
    click.echo(published.pipeline_id)
    if draft.detail_type.startswith("pipeline.requested."):
        session.note(f"Watch it: {session.command('show', '--follow', published.pipeline_id)}")
