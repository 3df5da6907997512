"""What a run's state is, in a sentence, and the commands to run next (pure)."""

from datetime import UTC, datetime, timedelta

from operations.dlq.messages import violation
from operations.health.rights import DENIED, ELSE, EXAMINATION, FINDS, is_denial
from operations.runs.explain import Explanation
from operations.runs.journey import Journey
from operations.wording import counted, duration
from shared.contracts.stages import BY_KEY, EVERY
from shared.errors import CANCELLED_ERROR

PERSONS = frozenset(stage.key for stage in EVERY if stage.by_person)
"""The stages whose outcome a person gives."""
EXPLAINED = 3
"""The runs of one trace for which commands are listed."""


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
    """Return the status of a run as a sentence without its subject; `unstarted` knows more of one that waits."""
    if journey.status == "ACCEPTED":
        since = f" {_since(journey.accepted_at, now)} ago" if journey.accepted_at else ""
        return f"was accepted{since} and has not started yet."
    if journey.status == "RUNNING":
        return _running(journey, now)
    took = f" after {duration(journey.execution_time_ms)}" if journey.execution_time_ms is not None else ""
    if journey.status == "SUCCEEDED":
        without = f", without {' and '.join(journey.degraded)}" if journey.degraded else ""
        early = f", {journey.early_end}" if journey.ended_by else ""
        return f"has succeeded{took}{without}{early}."
    if journey.error == CANCELLED_ERROR:
        return f"was cancelled by its caller{took}."
    stage = f" at stage {journey.failed_stage}" if journey.failed_stage else ""
    why = ": ".join(filter(None, (journey.error, journey.cause))) or "no reason given"
    return f"has failed{stage}{took}: {why.rstrip('.')}.{_of_gone(journey)}"


def _of_gone(journey: Journey) -> str:
    """Return what a stage means that the pipeline no longer has for a run that failed there; empty if it has it."""
    if journey.stage_is_gone:
        return (
            " That stage is no longer part of the pipeline, so the run can't continue there: run again, it begins "
            "anew, by the present workflow."
        )
    if journey.failed_stage and journey.failed_stage not in BY_KEY:
        return " That stage was removed. As long as its stack is kept, the run can continue there."
    return ""


def _running(journey: Journey, now: datetime) -> str:
    current = next((stage for stage in journey.stages if stage.status == "running"), None)
    if current is None:
        return "is running, between two stages."
    if current.key in PERSONS and current.started_at:
        return f"waits for {current.key} by a person, for {_since(current.started_at, now)} now."
    retry = f", retry {current.attempt}" if current.attempt else ""
    since = f" for {_since(current.started_at, now)}" if current.started_at else ""
    error = f", after {current.error}" if current.error else ""
    return f"is running: at stage {current.key}{since}{retry}{error}."


def _since(moment: datetime | None, now: datetime) -> str:
    return duration(max(0.0, (now - moment).total_seconds() * 1_000)) if moment else ""


def next_steps(explanation: Explanation) -> list[tuple[str, tuple[str, ...]]]:
    """Return the commands to run next, each with its purpose, as the words after `pipeline`."""
    steps: list[tuple[str, tuple[str, ...]]] = []
    if is_denied(explanation):
        steps.append(("rights", EXAMINATION))
    if explanation.message is not None:
        steps.append(("message", ("dlq", "show", explanation.message.id)))
        edit = ("--edit",) if violation(explanation.message) else ()
        steps.append(
            ("correct" if edit else "replay", ("dlq", "replay", "--id", explanation.message.id, *edit))
        )
    if explanation.handled is not None and explanation.handled.is_archived:
        steps.append(("message", ("dlq", "export", "--archived", "--id", explanation.handled.message_id)))
    for journey in explanation.journeys[:EXPLAINED]:
        follow = ("--follow",) if journey.status == "RUNNING" else ()
        steps.append(("show run", ("show", *follow, journey.pipeline_id)))
        steps.append(("logs", ("logs", journey.pipeline_id)))
        parked = any(message.pipeline_id == journey.pipeline_id for message in explanation.parked)
        waits = parked and journey.status == "ACCEPTED"
        if explanation.message is None and (can_be_retried(journey) or waits):
            steps.append(("retry", retry_command(journey, parked=parked)))
    return steps


def denial(command: str) -> str:
    """Return the advice for a denied call. `command` is the examination's, as it is typed."""
    return f"{DENIED} `{command}` {FINDS} {ELSE}"


def lacks_right(journey: Journey) -> bool:
    """Return whether the run, or one of its stages, failed because AWS denied a call."""
    failures = ((stage.error, stage.cause) for stage in journey.stages)
    return is_denial(journey.error, journey.cause) or any(is_denial(*failure) for failure in failures)


def is_denied(explanation: Explanation) -> bool:
    """Return whether what an id names has failed because AWS denied a call."""
    message = explanation.message
    return any(map(lacks_right, explanation.journeys[:EXPLAINED])) or (
        message is not None and is_denial(message.error_type, message.error)
    )


def can_be_retried(journey: Journey) -> bool:
    """Return whether the run failed by itself: nobody asked for its end."""
    return journey.status == "FAILED" and journey.error != CANCELLED_ERROR


def retry_command(journey: Journey, *, parked: bool) -> tuple[str, ...]:
    """Return the command that runs a failed run again, as the words after `pipeline`."""
    if parked:
        return "dlq", "replay", "--pipeline", journey.pipeline_id
    ended = journey.finished_at or journey.started_at or datetime.now(UTC)
    hours = int((datetime.now(UTC) - ended).total_seconds() // 3_600) + 1
    stage = ("--stage", journey.failed_stage) if journey.failed_stage else ()
    return "redrive", "--since", f"{hours}h", *stage, "--dry-run"
