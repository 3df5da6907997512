"""`pipeline explain`."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.text import Text

from cli.commands.selection import Age
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.text import ago, counted, printable
from local.exit_codes import INTERRUPTED
from operations.dlq.archive import Handled
from operations.dlq.messages import about
from operations.errors import NotFoundError
from operations.health.rights import EXAMINATION
from operations.runs import advice
from operations.runs.explain import Explanation, UnknownIdError
from operations.runs.explain import explain as find
from operations.runs.journey import Journey

WIDTH = 79
SHOWN_ACTS = 5


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline explain 9f1c2e…                     a run, event, message
  pipeline explain 9f1c2e…-restart-1           or execution, by name or ARN
  pipeline explain 00-4bf92f35…-00f067aa…-01   a traceparent, or its trace id
  pipeline explain --since 7d --json 4bf92f35…
\b
Exit codes: 0 explained, 2 not a possible id, 3 the id is unknown,
130 interrupted.""",
)
@click.argument("any_id", metavar="ANY-ID")
@click.option(
    "--since",
    type=Age(),
    default="24h",
    show_default=True,
    metavar="AGE",
    help="How far back logs are searched.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def explain(session: Session, any_id: str, *, since: timedelta, as_json: bool) -> None:
    """Find the run that an id belongs to, its status, and what to do next.

    ANY-ID is the id of a run, event, message or trace, a traceparent, or the name
    or ARN of an execution. For a message or a recent run, the first six characters
    of the id are enough. Records and executions are searched first, then the
    dead-letter queues, what operators did, and the logs. Read-only: no message is
    consumed.
    """
    with stoppable() as stop, session.err.status("searching", spinner_style="dim") as status:
        try:
            explanation = find(
                session.target,
                any_id,
                since=since,
                stop=stop,
                progress=lambda place: status.update(f"searching {place}"),
            )
        except UnknownIdError as error:
            if stop.requested:
                raise click.exceptions.Exit(INTERRUPTED) from None
            raise NotFoundError(f"{error} {_elsewhere(error)}") from error
    if as_json:
        session.json(_as_json(session, explanation))
        return
    paragraphs = [*sentences(explanation, datetime.now(UTC))]
    if advice.is_denied(explanation):
        paragraphs.append(advice.denial(session.command(*EXAMINATION)))
    for sentence in paragraphs:
        for line in textwrap.wrap(printable(sentence), WIDTH, break_on_hyphens=False, break_long_words=False):
            session.out.print(Text(line))
    session.out.print()
    for purpose, command in next_steps(session, explanation):
        session.out.print(Text.assemble((f"{purpose:<12} ", "dim"), command))


def _elsewhere(error: UnknownIdError) -> str:
    """Return where else the id may be found."""
    if error.is_elsewhere:
        return "Give another --env or --region."
    return "To search older logs, give e.g. --since 7d; to search another environment, give --env."


def sentences(explanation: Explanation, now: datetime) -> Iterator[str]:
    """Yield the explanation, a paragraph at a time."""
    first = f"{explanation.any_id} is {_article(explanation.kind)}, found in {explanation.where}."
    if explanation.kind in ("execution name", "execution ARN") and explanation.where == "the records":
        first = f"{explanation.any_id} is {_article(explanation.kind)}."
        if explanation.execution is None:
            first += " Step Functions does not know this execution (any more), but its run is known."
        elif explanation.journeys[0].execution_arn != explanation.execution.arn:
            first += f" It ended as {explanation.execution.status}; a later execution has replaced it."
    yield first
    if explanation.message is not None:
        message = explanation.message
        subject = "It" if explanation.kind == "message id" else f"Message {message.id}"
        reason = f"{message.error_type}, {message.error.rstrip('.')}"
        sent = (
            f"first sent {ago(message.sent_at)} and is parked"
            if message.moved
            else f"parked {ago(message.sent_at)},"
        )
        yield f"{subject} was {sent} in the {message.kind} of {message.service}: {reason}."
        if not explanation.journeys:
            yield "There is no run: the message has not started one, or the record no longer exists."
    if explanation.handled is not None:
        yield from _acts(explanation.handled)
    if len(explanation.journeys) > 1:
        more = f" ({explanation.others} more are not shown)" if explanation.others else ""
        yield f"{counted(len(explanation.journeys), 'run')} belong to this trace{more}:"
    for journey in explanation.journeys:
        parked = sum(message.pipeline_id == journey.pipeline_id for message in explanation.parked)
        if journey.status == "ACCEPTED":
            yield f"Run {journey.pipeline_id} {advice.unstarted(journey, parked, explanation.waiting or 0, now)}"
        else:
            yield f"Run {journey.pipeline_id} {advice.state(journey, now)}{_parked(journey, parked)}"


def _acts(message: Handled) -> Iterator[str]:
    state = "archived" if message.is_archived else "parked no longer"
    yield f"Message {message.message_id} is {state}. What operators did with it, the latest first:"
    for act in message.acts[:SHOWN_ACTS]:
        yield f"{act.what} at {act.at} by {act.who}: {act.why} ({act.outcome})"


def _article(kind: str) -> str:
    return {
        "event id": "the id of an event",
        "message id": "the id of a message",
        "trace id": "the id of a trace",
        "traceparent": "a traceparent",
        "pipeline id": "the id of a run",
        "execution name": "the name of an execution",
        "execution ARN": "the ARN of an execution",
    }[kind]


def _parked(journey: Journey, count: int) -> str:
    if not advice.can_be_retried(journey):
        return ""
    if not count:
        return " It has no parked message."
    return f" It has {counted(count, 'parked message')}."


def next_steps(session: Session, explanation: Explanation) -> list[tuple[str, str]]:
    """Return the commands to run next, each with its purpose."""
    return [(purpose, session.command(*words)) for purpose, words in advice.next_steps(explanation)]


def _as_json(session: Session, explanation: Explanation) -> dict[str, Any]:
    return {
        "given": explanation.any_id,
        "kind": explanation.kind,
        "found_in": explanation.where,
        "runs": [
            {
                "pipeline_id": journey.pipeline_id,
                "status": journey.status,
                "stage": journey.failed_stage
                or next((s.key for s in journey.stages if s.status == "running"), None),
                "error": journey.error,
                "cause": journey.cause,
                "degraded": journey.degraded,
                "accepted_at": journey.accepted_at,
                "finished_at": journey.finished_at,
                "execution_arn": journey.execution_arn,
                "trace_id": journey.trace_id,
                "parked": [m.id for m in explanation.parked if m.pipeline_id == journey.pipeline_id],
            }
            for journey in explanation.journeys
        ],
        "runs_left_out": explanation.others,
        "waiting_to_start": explanation.waiting,
        "execution": explanation.execution
        and {"name": explanation.execution.name, "status": explanation.execution.status},
        "message": about(explanation.message) if explanation.message else None,
        "handled": explanation.handled,
        "next": [command for _, command in next_steps(session, explanation)],
    }
