"""One run as its page shows it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from console.models.waterfall import Waterfall, anchor_of, waterfall
from console.models.words import Status, of_run, of_stage
from console.routes import link
from console.text import line
from operations.json_text import loosely, written
from operations.money.words import cost_of_run
from operations.runs.advice import can_be_retried, state
from operations.runs.journey import Journey, StageView, failed_models
from operations.runs.timeline import bars, longest
from operations.runs.trail import Trail, Visit
from operations.wording import duration
from shared.contracts.record import iso

PAYLOAD_CHARS = 16_000
"""The largest part of a payload that a page shows; the raw text has all of it."""
TEXT_CHARS = 4_000
"""The same of what says why something failed."""
MOST_EVENTS = 200
DETAILS_CHARS = 1_000
"""The same of one event, of which a page shows many."""


class Payload(Struct, frozen=True, kw_only=True):
    """A text of a stranger, cut. `left_out` counts the characters that only the raw text has."""

    text: str
    left_out: int
    raw: str


class TryView(Struct, frozen=True, kw_only=True):
    number: int
    redrive: int
    started_at: datetime
    took: str
    outcome: Status
    problem: str


class VisitView(Struct, frozen=True, kw_only=True):
    """A stay in a state, with what went in and came out. It is open at once if something failed in it."""

    anchor: str
    name: str
    state: str
    tries: tuple[TryView, ...]
    entry: Payload | None
    output: Payload | None
    is_open: bool


class Box(Struct, frozen=True, kw_only=True):
    """One stage in the strip."""

    name: str
    status: Status
    text: str


SAID_CHARS = 240


class RunView(Struct, frozen=True, kw_only=True):
    pipeline_id: str
    status: Status
    finished: bool
    sentence: str
    said: tuple[tuple[str, str], ...]
    """The beginnings of the message and of the answer."""
    facts: tuple[tuple[str, str], ...]
    times: tuple[tuple[str, datetime], ...]
    boxes: tuple[Box, ...]
    waterfall: Waterfall
    problems: tuple[tuple[str, str, str], ...]
    """Where, what, and what the caller got instead."""
    remarks: tuple[str, ...]
    """What a reader of the answer should know: it was cut or blocked, or another model gave it."""
    ticket: str
    is_open: bool
    """Whether the run can be cancelled."""
    can_be_retried: bool
    cut: bool


def run_view(journey: Journey, trail: Trail | None, now: datetime) -> RunView:
    return RunView(
        pipeline_id=journey.pipeline_id,
        status=of_run(journey.status, journey.degraded),
        finished=journey.finished,
        sentence=beginning(f"The run {state(journey, now)}"),
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
        boxes=tuple(_boxes(journey)),
        waterfall=waterfall(journey, trail, now),
        problems=tuple(_problems(journey)),
        remarks=tuple(_remarks(journey)),
        ticket=ticket(journey, now),
        is_open=not journey.finished,
        can_be_retried=can_be_retried(journey),
        cut=trail is not None and trail.cut,
    )


def _facts(journey: Journey, now: datetime) -> list[tuple[str, str]]:
    facts = []
    if journey.execution_time_ms is not None:
        facts.append(("took, from its start", duration(journey.execution_time_ms)))
    if most := longest(bars(journey, now)):
        share = f", {most.ms / most.of_ms:.0%} of all" if most.of_ms else ""
        facts.append(("longest", f"{most.name}: {most.what} {duration(most.ms)}{share}"))
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
        remarks.append(f"The run {journey.early_end}. The reason: {journey.end_reason or 'not given'}.")
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


def _boxes(journey: Journey) -> list[Box]:
    started = "done" if journey.started_at else "running" if journey.status == "ACCEPTED" else "done"
    boxes = [Box(name="start", status=of_stage(started), text="")]
    for stage in journey.stages:
        took = duration(stage.took_ms) if stage.took_ms is not None else ""
        tries = f"{stage.attempt + 1} tries" if stage.attempt else ""
        boxes.append(
            Box(name=stage.key, status=of_stage(stage.status), text=", ".join(filter(None, (took, tries))))
        )
    return boxes


def _problems(journey: Journey) -> list[tuple[str, str, str]]:
    problems = [
        (stage.key, _problem(stage.error, stage.cause), beginning(journey.instead.get(stage.key, "")))
        for stage in journey.stages
        if stage.error
    ]
    if journey.error and not problems:
        problems.append(("run", _problem(journey.error, journey.cause), ""))
    return problems


def _problem(error: str | None, cause: str | None) -> str:
    return beginning(": ".join(filter(None, (error, cause)))) or "no reason given"


def beginning(text: str) -> str:
    """Return a text of a stranger as long as one that says what is wrong; the raw texts have all of it."""
    return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]} …"


# --- what went in and came out -----------------------------------------------------------------------------


def visits(trail: Trail, pipeline_id: str) -> tuple[VisitView, ...]:
    return tuple(_visit(visit, number, pipeline_id) for number, visit in enumerate(trail.visits))


def _visit(visit: Visit, number: int, pipeline_id: str) -> VisitView:
    def payload(part: str, text: str | None) -> Payload | None:
        raw = link("raw", pipeline_id=pipeline_id, part=part, visit=number)
        return cut(text, raw) if text else None

    tries = tuple(
        TryView(
            number=tried.number,
            redrive=tried.redrive,
            started_at=tried.started_at,
            took=duration((tried.ended_at - tried.started_at).total_seconds() * 1_000)
            if tried.ended_at
            else "",
            outcome=of_stage({"open": "running", "succeeded": "done"}.get(tried.outcome, "failed")),
            problem=_problem(tried.error, tried.cause) if tried.error or tried.cause else "",
        )
        for tried in visit.tries
    )
    return VisitView(
        anchor=anchor_of(number),
        name=visit.key or visit.state,
        state=visit.state,
        tries=tries,
        entry=payload("input", visit.input),
        output=payload("output", visit.output),
        is_open=any(tried.problem for tried in tries),
    )


def cut(text: str, raw: str, most: int = PAYLOAD_CHARS) -> Payload:
    """Return the beginning of a payload, indented if it is JSON that is not too long for that."""
    whole = text
    if len(text) <= PAYLOAD_CHARS:
        value = loosely(text)
        whole = written(value, indent=2) if isinstance(value, (dict, list)) else text
    return Payload(text=whole[:most], left_out=max(0, len(whole) - most), raw=raw)


def as_text(value: Mapping[str, Any] | None) -> str:
    """Return a part of a record as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) if value else ""
