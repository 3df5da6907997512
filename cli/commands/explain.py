"""`pipeline explain`."""

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.text import Text

from cli.commands.selection import Age
from cli.exit_codes import INTERRUPTED
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.replaying import about_message
from cli.view.text import ago, counted, duration, printable
from operations.errors import NotFoundError
from operations.runs.explain import Explanation
from operations.runs.explain import explain as find
from operations.runs.journey import Journey
from shared.errors import CANCELLED_ERROR

WIDTH = 79


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
    or ARN of an execution. Records and executions are searched first, then the
    dead-letter queues and the logs. Read-only: no message is consumed.
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
        except NotFoundError:
            if stop.requested:
                raise click.exceptions.Exit(INTERRUPTED) from None
            raise
    if as_json:
        session.json(_as_json(session, explanation))
        return
    for sentence in sentences(explanation, datetime.now(UTC)):
        for line in textwrap.wrap(printable(sentence), WIDTH, break_on_hyphens=False):
            session.out.print(Text(line))
    session.out.print()
    for purpose, command in next_steps(session, explanation):
        session.out.print(Text.assemble((f"{purpose:<12} ", "dim"), command))


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
    if len(explanation.journeys) > 1:
        more = f" ({explanation.others} more are not shown)" if explanation.others else ""
        yield f"{counted(len(explanation.journeys), 'run')} belong to this trace{more}:"
    for journey in explanation.journeys:
        parked = sum(message.pipeline_id == journey.pipeline_id for message in explanation.parked)
        if journey.status == "ACCEPTED":
            yield f"Run {journey.pipeline_id} {unstarted(journey, parked, explanation.waiting or 0, now)}"
        else:
            yield f"Run {journey.pipeline_id} {state(journey, now)}{_parked(journey, parked)}"


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


def unstarted(journey: Journey, parked: int, waiting: int, now: datetime) -> str:
    """Return what is known about an accepted run that has not started, without the subject.

    `waiting` messages of any runs are in the starter's queue. EventBridge goes on delivering an event for a day.
    """
    since = f", {_since(journey.accepted_at, now)} ago," if journey.accepted_at else ""
    accepted = f"was accepted{since} and has not started"
    if parked:
        return f"{accepted}: its event is parked."
    if waiting:
        return (
            f"{accepted}: {counted(waiting, 'message')} in the trigger's queue, its own probably among them."
        )
    if journey.accepted_at and now - journey.accepted_at < timedelta(days=1):
        return f"{accepted}: its event is on its way to the trigger's queue, or was never published."
    return (
        f"{accepted}. No event of it waits or is parked: it was never published, or was deleted. Send the request "
        "again, with the same Idempotency-Key if it had one."
    )


def state(journey: Journey, now: datetime) -> str:
    """Return the status of a run that has started as a sentence without its subject."""
    if journey.status == "RUNNING":
        current = next((stage for stage in journey.stages if stage.status == "running"), None)
        if current is None:
            return "is running, between two stages."
        retry = f", retry {current.attempt}" if current.attempt else ""
        since = f" for {_since(current.started_at, now)}" if current.started_at else ""
        error = f", after {current.error}" if current.error else ""
        return f"is running: at stage {current.key}{since}{retry}{error}."
    took = f" after {duration(journey.execution_time_ms)}" if journey.execution_time_ms is not None else ""
    if journey.status == "SUCCEEDED":
        without = f", without {' and '.join(journey.degraded)}" if journey.degraded else ""
        return f"has succeeded{took}{without}."
    if journey.error == CANCELLED_ERROR:
        return f"was cancelled by its caller{took}."
    stage = f" at stage {journey.failed_stage}" if journey.failed_stage else ""
    why = ": ".join(filter(None, (journey.error, journey.cause))) or "no reason given"
    return f"has failed{stage}{took}: {why.rstrip('.')}."


def _since(moment: datetime | None, now: datetime) -> str:
    return duration(max(0.0, (now - moment).total_seconds() * 1_000)) if moment else ""


def _parked(journey: Journey, count: int) -> str:
    if journey.status != "FAILED" or journey.error == CANCELLED_ERROR:
        return ""
    if not count:
        return " It has no parked message."
    return f" It has {counted(count, 'parked message')}."


def next_steps(session: Session, explanation: Explanation) -> list[tuple[str, str]]:
    """Return the commands to run next, each with its purpose."""
    steps: list[tuple[str, str]] = []
    if explanation.message is not None:
        steps.append(("message", session.command("dlq", "show", explanation.message.id)))
        steps.append(("replay", session.command("dlq", "replay", "--id", explanation.message.id)))
    for journey in explanation.journeys[:3]:
        follow = ("--follow",) if journey.status == "RUNNING" else ()
        steps.append(("show run", session.command("show", *follow, journey.pipeline_id)))
        steps.append(("logs", session.command("logs", journey.pipeline_id)))
        parked = any(message.pipeline_id == journey.pipeline_id for message in explanation.parked)
        failed = journey.status == "FAILED" and journey.error != CANCELLED_ERROR
        if explanation.message is None and (failed or (parked and journey.status == "ACCEPTED")):
            steps.append(("retry", session.command(*_retry_command(journey, parked=parked))))
    return steps


def _retry_command(journey: Journey, *, parked: bool) -> tuple[str, ...]:
    if parked:
        return "dlq", "replay", "--pipeline", journey.pipeline_id
    ended = journey.finished_at or journey.started_at or datetime.now(UTC)
    hours = int((datetime.now(UTC) - ended).total_seconds() // 3_600) + 1
    stage = ("--stage", journey.failed_stage) if journey.failed_stage else ()
    return "redrive", "--since", f"{hours}h", *stage, "--dry-run"


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
        "message": about_message(explanation.message) if explanation.message else None,
        "next": [command for _, command in next_steps(session, explanation)],
    }
