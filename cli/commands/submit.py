"""`pipeline submit`: one message, or a file of them (see `many`)."""

from pathlib import Path

import click

from cli.commands.many import submit_many
from cli.commands.submission import Choices
from cli.exit_codes import FAILED, INTERRUPTED
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.journeys import headline, watch
from cli.view.text import printable
from operations.asking.submit import Accepted, Request, Via, check
from operations.asking.submit import submit as send
from operations.errors import InvalidInputError
from operations.runs.journey import Journey, follow
from operations.stop import Stop


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline submit --wait "What is a monad?"
  pipeline submit --file messages.jsonl --wait --out results.jsonl
  pipeline submit --file messages.jsonl --wait --out results.jsonl --resume
  pipeline submit --wait - < question.txt
  jq -c .question faq.json | pipeline submit --via bus --file -
\b
A line of messages.jsonl is a JSON string, or an object:
  {"user_message": "…", "idempotency_key": "…"}    both ways
  {"user_message": "…", "pipeline_id": "…"}        via the bus
A line of results.jsonl has line, status, pipeline_id, final_response, error.
\b
Exit codes: 0 all accepted (with --wait: answered), 1 not all, 2 wrong input,
4 not reachable or not deployed, 130 interrupted.""",
)
@click.argument("message", required=False)
@click.option(
    "--file", type=click.Path(path_type=Path, dir_okay=False), help="JSONL, a message per line; `-`: stdin."
)
@click.option("--wait", is_flag=True, help="Wait for the answer.")
@click.option(
    "--via", type=click.Choice(["api", "bus"]), default="api", show_default=True, help="How to submit."
)
@click.option("--idempotency-key", metavar="KEY", help="The same key never starts a second pipeline.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write results there, as JSONL.")
@click.option("--resume", is_flag=True, help="Go on where the run that wrote --out was stopped.")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Requests at a time."
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=1_200,
    show_default=True,
    metavar="SECONDS",
    help="Stop waiting after so long without news.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (JSONL for many).")
@click.pass_obj
def submit(session: Session, /, message: str | None, file: Path | None, **options: object) -> None:
    """Submit MESSAGE (`-`: the text on stdin), or those in --file.

    Prints the pipeline's id or, with --wait, each stage as it happens and then
    the answer.
    """
    choices = Choices(**options)  # type: ignore[arg-type]  # click has checked each
    if (message is None) == (file is None):
        raise click.UsageError("Give a MESSAGE, `-` for the text on stdin, or --file.")
    if file is not None:
        submit_many(session, file, choices)
    else:
        _submit_one(session, _text_on_stdin() if message == "-" else str(message), choices)


def _text_on_stdin() -> str:
    """All of it, without the line's end that a pipe adds. Raises InvalidInputError."""
    try:
        text = click.get_binary_stream("stdin").read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError("The text on stdin is not UTF-8.") from error
    return text.removesuffix("\n").removesuffix("\r")


def _submit_one(session: Session, message: str, choices: Choices) -> None:
    if choices.out or choices.resume:
        raise click.UsageError("--out and --resume are for many messages (--file).")
    request = Request(user_message=message, idempotency_key=choices.idempotency_key)
    via: Via = choices.via
    check(request, via)
    target = session.target
    with stoppable() as stop:  # Ctrl-C while it is sent: first hear whether it was accepted
        accepted = send(target, request, via=via)
        journey = _wait(session, accepted, choices, stop) if choices.wait else None
    if journey:
        _answer(session, journey, as_json=choices.as_json)
    elif choices.as_json:
        session.json(accepted)
    else:
        click.echo(accepted.pipeline_id)
        session.note(
            f"{accepted.status}. Watch it: {session.command('show', '--follow', accepted.pipeline_id)}"
        )


def _wait(session: Session, accepted: Accepted, choices: Choices, stop: Stop) -> Journey:
    """The journey at its end; exits where that is not waited for."""
    pipeline_id = accepted.pipeline_id
    session.note(f"Pipeline {pipeline_id}")
    journey = watch(
        session,
        follow(
            session.target,
            pipeline_id,
            appears_within=choices.patience,
            patience_seconds=choices.patience,
            stop=stop,
        ),
    )
    if journey is not None and journey.finished:
        return journey
    why = "Stopped waiting" if stop.requested else f"No news for {choices.patience} s"
    session.note(f"{why}; the pipeline goes on. See it: {session.command('show', '--follow', pipeline_id)}")
    raise click.exceptions.Exit(INTERRUPTED if stop.requested else FAILED)


def _answer(session: Session, journey: Journey, *, as_json: bool) -> None:
    session.err.print(headline(journey))
    session.note(
        f"Record: table {session.target.addresses.table_name}; {session.command('show', journey.pipeline_id)}"
    )
    if as_json:
        session.json(journey)
    elif journey.final_response is not None:
        session.note("")
        text = journey.final_response
        click.echo(printable(text) if session.out.is_terminal else text)
    if journey.status != "SUCCEEDED":
        raise click.exceptions.Exit(FAILED)
