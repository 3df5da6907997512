"""`pipeline submit`: one message, or a file of them (see `many`)."""

from pathlib import Path

import click

from cli.bounds import MOST_BYTES
from cli.commands.many import submit_many
from cli.commands.submission import Choices
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.journeys import headline, watch
from cli.view.text import printable
from local.exit_codes import FAILED, INTERRUPTED
from operations.asking.conversation import follow_up, repeated
from operations.asking.submit import Accepted, Via, check, request_of, require_own
from operations.asking.submit import submit as send
from operations.errors import InvalidInputError
from operations.runs.beginnings import known_id
from operations.runs.journey import Journey, follow, told
from operations.stop import Stop
from shared.contracts.v1 import Turn


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline submit --wait "What is a monad?"
  pipeline submit --wait --after 3f2a9c "And in Python?"
  pipeline submit --file messages.jsonl --wait --out results.jsonl
  pipeline submit --file messages.jsonl --wait --out results.jsonl --resume
  pipeline submit --wait - < question.txt
  jq -c .question faq.json | pipeline submit --via bus --file -
\b
A line of messages.jsonl is a JSON string, or an object:
  {"user_message": "…", "idempotency_key": "…"}    via API or bus
  {"user_message": "…", "pipeline_id": "…"}        via bus only
  {"messages": [{"role": "user", "text": "…"}, …]} a conversation
A line of results.jsonl has line, status, pipeline_id, final_response, error.
\b
Exit codes: 0 all accepted (with --wait: answered), 1 not all, 2 wrong input,
4 not reachable or not deployed, 130 interrupted.""",
)
@click.argument("message", required=False)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Submit the messages in this JSONL file, one per line; `-` is stdin.",
)
@click.option(
    "--after",
    metavar="ID",
    help="Continue the conversation of this run: MESSAGE is a follow-up to its answer.",
)
@click.option("--again", metavar="ID", help="Ask the message of this run again, with its conversation.")
@click.option("--wait", is_flag=True, help="Wait for the answer and print it.")
@click.option(
    "--via",
    type=click.Choice(["api", "bus"]),
    default="api",
    show_default=True,
    help="Submit through the HTTP API or the event bus.",
)
@click.option(
    "--idempotency-key", metavar="KEY", help="Send this key; the same key never starts a second run."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the results to this file, as JSONL."
)
@click.option("--resume", is_flag=True, help="Continue an interrupted submission from its --out file.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="N",
    help="Maximum number of simultaneous requests.",
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=1_200,
    show_default=True,
    metavar="SECONDS",
    help="Give up after this many seconds without progress.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; with --file as JSON lines.")
@click.pass_obj
def submit(session: Session, /, message: str | None, file: Path | None, **options: object) -> None:
    """Submit MESSAGE (`-` reads it from stdin), or the messages in --file.

    Prints the run's pipeline id or, with --wait, each stage as it ends and then
    the answer.
    """
    choices = Choices(**options)  # type: ignore[arg-type]  # click has checked the type of each
    if sum(one is not None for one in (message, file, choices.again)) != 1:
        raise click.UsageError("Give one MESSAGE (`-` reads it from stdin), --file or --again.")
    if choices.after and message is None:
        raise click.UsageError("--after needs a MESSAGE, which continues the conversation.")
    if file is not None:
        submit_many(session, file, choices)
    else:
        _submit_one(session, _text_on_stdin() if message == "-" else message, choices)


def _text_on_stdin() -> str:
    """Read stdin, without a final line break. Raises InvalidInputError if it is not UTF-8."""
    try:
        text = click.get_binary_stream("stdin").read(MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError("The text on stdin is not UTF-8. Nothing was sent.") from error
    return text.removesuffix("\n").removesuffix("\r")


def _turns(session: Session, message: str | None, choices: Choices) -> tuple[Turn, ...]:
    """Return the conversation to send; of one message unless an earlier run is named."""
    if choices.again:
        return repeated(session.target, known_id(session.target, choices.again))
    if choices.after:
        return follow_up(session.target, known_id(session.target, choices.after), str(message))
    return (Turn(role="user", text=str(message)),)


def _submit_one(session: Session, message: str | None, choices: Choices) -> None:
    if choices.out or choices.resume:
        raise click.UsageError("--out and --resume need --file.")
    request = request_of(_turns(session, message, choices), key=choices.idempotency_key)
    via: Via = choices.via
    check(request, via)
    target = session.target
    with stoppable() as stop:  # after Ctrl-C during the request, still await its answer
        accepted = send(target, request, via=via)
        journey = _wait(session, accepted, choices, stop) if choices.wait else None
    if journey:
        if via == "bus" and choices.idempotency_key:
            require_own(target, request, accepted.pipeline_id)
        _answer(session, journey, as_json=choices.as_json)
    elif choices.as_json:
        session.json(accepted)
    else:
        session.note(  # first: it names the run even if stdout is full
            f"{accepted.status}. Follow the run: {session.command('show', '--follow', accepted.pipeline_id)}"
        )
        click.echo(accepted.pipeline_id)


def _wait(session: Session, accepted: Accepted, choices: Choices, stop: Stop) -> Journey:
    """Wait for the final journey; exit if the wait is interrupted or there is no progress."""
    pipeline_id = accepted.pipeline_id
    session.note(f"Run {pipeline_id}")
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
    reason = "Stopped waiting" if stop.requested else f"No progress for {choices.patience} s"
    session.note(f"{reason}; the run continues. See it: {session.command('show', '--follow', pipeline_id)}")
    raise click.exceptions.Exit(INTERRUPTED if stop.requested else FAILED)


def _answer(session: Session, journey: Journey, *, as_json: bool) -> None:
    session.err.print(headline(journey))
    session.note(
        f"Record: table {session.target.addresses.table_name}; {session.command('show', journey.pipeline_id)}"
    )
    if as_json:
        session.json(told(journey))
    elif journey.final_response is not None:
        session.note("")
        text = journey.final_response
        click.echo(printable(text) if session.out.is_terminal else text)
    if journey.status != "SUCCEEDED":
        raise click.exceptions.Exit(FAILED)
