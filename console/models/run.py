"""One run as its page shows it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from console.models.plan_lines import short_name
from console.models.tabs import beginning, problem_of
from console.models.waterfall import Waterfall, waterfall
from console.models.words import Status, of_run, of_stage
from console.routes import link
from console.text import line
from operations.money.words import cost_of_run
from operations.runs.advice import PERSONS, can_be_retried, lacks_right, state
from operations.runs.earlier import Named
from operations.runs.journey import Journey, failed_models
from operations.runs.runs import took
from operations.runs.stage_views import StageView
from operations.runs.timeline import START, bars, longest
from operations.runs.trail import Trail
from operations.wording import duration
from shared.contracts.record import iso


class Box(Struct, frozen=True, kw_only=True):
    """One stage in the strip."""

    name: str
    status: Status
    text: str


class ExecutionRow(Struct, frozen=True, kw_only=True):
    """One execution of a restarted run. `status` is None if Step Functions does not tell of it."""

    name: str
    what: str
    address: str
    is_shown: bool
    status: Status | None
    started_at: datetime | None
    took: str


SAID_CHARS = 240
ASKED = ("running", "done")
"""The states of a stage at which a person is asked, or was."""
BRIEF_CHARS = 80


class RunView(Struct, frozen=True, kw_only=True):
    pipeline_id: str
    status: Status
    finished: bool
    sentence: str
    brief: tuple[str, ...]
    """The facts beside the sentence where there is room for one line only."""
    said: tuple[tuple[str, str], ...]
    """The beginnings of the message and of the answer."""
    facts: tuple[tuple[str, str], ...]
    times: tuple[tuple[str, datetime], ...]
    boxes: tuple[Box, ...]
    waterfall: Waterfall
    problems: tuple[tuple[str, str, str], ...]
    """Where, what, and what the caller got instead."""
    lacks_right: bool
    """AWS denied a call, so the doctor may name the role."""
    remarks: tuple[str, ...]
    """What a reader of the answer should know: it was cut or blocked, or another model gave it."""
    decision: tuple[str, str] | None
    """What a person is asked to do with the answer, or has decided, and the address of that; None if nobody is."""
    ticket: str
    is_open: bool
    """Whether the run can be cancelled."""
    can_be_retried: bool
    cut: bool


def run_view(journey: Journey, trail: Trail | None, now: datetime, *, subject: str = "The run") -> RunView:
    fall = waterfall(journey, trail, now)
    return RunView(
        pipeline_id=journey.pipeline_id,
        status=of_run(journey.status, journey.degraded),
        finished=journey.finished,
        sentence=beginning(f"{subject} {state(journey, now)}"),
        brief=tuple(_brief(journey)),
        said=tuple(
            (name, line(text, SAID_CHARS))
            for name, text in (("message", journey.user_message), ("answer", journey.final_response))
            if text
        ),
        facts=tuple(_facts(journey, now)),
        times=tuple(
            (name, moment)
            for name, moment in (
                ("accepted", journey.accepted_at),
                ("started", journey.started_at),
                ("finished", journey.finished_at),
            )
            if moment
        ),
        boxes=tuple(_boxes(journey, fall)),
        waterfall=fall,
        problems=tuple(_problems(journey)),
        lacks_right=lacks_right(journey),
        remarks=tuple(_remarks(journey)),
        decision=_decision(journey),
        ticket=ticket(journey, now),
        is_open=not journey.finished,
        can_be_retried=can_be_retried(journey),
        cut=trail is not None and trail.cut,
    )


def _facts(journey: Journey, now: datetime) -> list[tuple[str, str]]:
    facts = []
    if journey.execution_time_ms is not None:
        facts.append(("took, from its start", duration(journey.execution_time_ms)))
    if most := longest(bars(journey, now), journey.execution_time_ms):
        share = f"{most.ms / most.of_ms:.0%} of {duration(most.of_ms)}"
        facts.append(("longest", f"{most.name}: {most.what} {duration(most.ms)}, {share}"))
    facts += cost_of_run(journey)
    asked = [one for one in journey.stages if one.output_tokens]
    if asked:
        facts.append(("tokens", _tokens(asked)))
    if journey.answered_by:
        facts.append(("model", beginning(journey.answered_by)))
    return facts


def _tokens(asked: Sequence[StageView]) -> str:
    counts = (
        (sum(one.cache_read_tokens or 0 for one in asked), "read from the cache"),
        (sum(one.cache_write_tokens or 0 for one in asked), "written to it"),
    )
    cached = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    into = f"{sum(one.prompt_tokens for one in asked):,} in{f' ({cached})' if cached else ''}"
    return f"{into}, {sum(one.output_tokens or 0 for one in asked):,} out"


def _remarks(journey: Journey) -> list[str]:
    chat = journey.chat
    failed = failed_models(chat)
    remarks = []
    if journey.ended_by:
        reason = (journey.end_reason or "not given").rstrip(". ")
        remarks.append(f"The run {journey.early_end}. The reason: {reason}.")
    remarks += [beginning(f"{one.model_id} did not answer: {one.reason}") for one in failed]
    if failed:
        remarks.append(beginning(f"{chat.get('model_id')} answered in its place."))
    why = chat.get("stop_reason")
    if chat.get("blocked"):
        remarks.append(
            f"The answer was blocked ({why}): the text is what the guardrail, the filter or the model said instead."
        )
    if chat.get("truncated"):
        remarks.append(f"The answer was cut ({why}): the model had more to say.")
    return remarks


def _decision(journey: Journey) -> tuple[str, str] | None:
    asked = next((one for one in journey.stages if one.key in PERSONS and one.status in ASKED), None)
    if asked is None:
        return None
    taken = journey.results.get(asked.key) or {}
    what, who = (
        str(taken.get("decision") or "decided").capitalize(),
        short_name(str(taken.get("decided_by") or "")),
    )
    text = (
        "Read the answer and decide"
        if asked.status == "running"
        else line(f"{what} by {who or 'nobody known'}", SAID_CHARS)
    )
    return text, link("approval", pipeline_id=journey.pipeline_id)


def ticket(journey: Journey, now: datetime) -> str:
    """Return what a ticket needs to find the run and its fault; neither the message nor the answer."""
    rows = [
        ("run", journey.pipeline_id),
        ("state", f"{journey.status}: the run {state(journey, now)}"),
        *(
            (name, iso(moment))
            for name, moment in (
                ("accepted", journey.accepted_at),
                ("started", journey.started_at),
                ("finished", journey.finished_at),
            )
            if moment
        ),
        *((f"failed at {where}", what) for where, what, _ in _problems(journey)),
        *(
            (name, value)
            for name, value in (
                ("model", journey.answered_by),
                ("trace", journey.trace_id),
                ("execution", journey.execution_arn),
            )
            if value
        ),
        ("to see it", f"pipeline show {journey.pipeline_id}"),
    ]
    return "\n".join(f"{name}: {' '.join(beginning(text).split())}" for name, text in rows)


def _brief(journey: Journey) -> list[str]:
    told = [text for _, text in cost_of_run(journey)[:1]]
    return [*told, *([line(journey.answered_by, BRIEF_CHARS)] if journey.answered_by else [])]


def execution_rows(named: Sequence[Named], shown: str, latest: Journey) -> tuple[ExecutionRow, ...]:
    """Return the executions of the run of which `latest` is the present journey."""
    return tuple(
        ExecutionRow(
            name=one.name,
            what=f"restart {one.number}" if one.number else "first execution",
            address=link("run", pipeline_id=latest.pipeline_id, execution="" if one.is_latest else one.name),
            is_shown=one.name == shown,
            status=of_run(one.execution.status) if one.execution else None,
            started_at=one.execution.started_at if one.execution else None,
            took=_took(one, latest),
        )
        for one in named
    )


def _took(one: Named, latest: Journey) -> str:
    if one.execution is None:
        return ""
    recorded = latest.execution_time_ms if one.is_latest else None
    return duration(took(recorded, one.execution.started_at, one.execution.stopped_at))


def _boxes(journey: Journey, fall: Waterfall) -> list[Box]:
    started = "done" if journey.started_at else "running" if journey.status == "ACCEPTED" else "done"
    before = next((row.took for row in fall.rows[:1] if row.name == START), "")
    boxes = [Box(name=START, status=of_stage(started), text=before)]
    for stage in journey.stages:
        took = duration(stage.took_ms) if stage.took_ms is not None else ""
        tries = f"{stage.attempt + 1} tries" if stage.attempt else ""
        boxes.append(
            Box(name=stage.key, status=of_stage(stage.status), text=", ".join(filter(None, (took, tries))))
        )
    return boxes


def _problems(journey: Journey) -> list[tuple[str, str, str]]:
    problems = [
        (stage.key, problem_of(stage.error, stage.cause), beginning(journey.instead.get(stage.key, "")))
        for stage in journey.stages
        if stage.error
    ]
    if journey.error and not problems:
        problems.append(("run", problem_of(journey.error, journey.cause), ""))
    return problems
