"""A run as a waterfall: each try of each stage a row, waiting apart from work, on one scale of time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from console.models.words import Status, of_stage
from operations.runs.journey import Journey
from operations.runs.stage_views import StageView
from operations.runs.timeline import START, bars, elapsed_ms, is_restarted
from operations.runs.trail import Trail, Try, Visit
from operations.wording import duration

MOST_ROWS = 60
SCALE = 1_000.0
NARROWEST = 3.0
"""The least width of a part in the drawing's units, so that a millisecond of an hour is still seen."""
TICKS = 4
PAUSE_SHARE = 0.08
"""The largest width of a pause, in parts of the time without pauses: a longer one is drawn shorter than it was."""

Part = Literal["w", "k", "h", "f", "o", "b"]
"""Waiting, working, retries and hops, a failed try, still open, between two executions or redrives: the names of
colours in the style sheet."""
_BAND: Part = "b"
WORDS: dict[Part, str] = {
    "w": "waiting",
    "k": "working",
    "h": "retries and hops",
    "f": "failed",
    "o": "still open",
    "b": "until it went on",
}


class Piece(Struct, frozen=True, kw_only=True):
    """A part of a row, in the drawing's units."""

    part: Part
    x: float
    width: float


class WaterfallRow(Struct, frozen=True, kw_only=True):
    """One row. `anchor` is the id of the section that tells more about it; empty if there is none."""

    name: str
    note: str
    anchor: str
    pieces: tuple[Piece, ...]
    text: str
    status: Status
    took: str


class Waterfall(Struct, frozen=True, kw_only=True):
    rows: tuple[WaterfallRow, ...]
    ticks: tuple[str, ...]
    left_out: int
    scale: str
    """What the scale of time begins with, and how it goes with the time that the run took."""


class _Span(Struct, frozen=True, kw_only=True):
    """A row before it is drawn, in milliseconds from the run's beginning."""

    name: str
    note: str = ""
    anchor: str = ""
    status: str
    start: float
    parts: tuple[tuple[Part, float], ...]

    @property
    def length(self) -> float:
        return sum(ms for _, ms in self.parts)


def waterfall(journey: Journey, trail: Trail | None, now: datetime) -> Waterfall:
    """Return the waterfall of a run; from its record alone if its history has expired."""
    spans = list(_tried(journey, trail, now)) if trail and trail.visits else list(_recorded(journey, now))
    axis = _axis(spans)
    kept = spans if len(spans) <= MOST_ROWS else [*spans[:10], *spans[10 - MOST_ROWS :]]
    return Waterfall(
        rows=tuple(_row(span, axis) for span in kept),
        ticks=tuple(duration(axis.moment(SCALE * step / TICKS)) for step in range(TICKS + 1))
        if axis.whole
        else (),
        left_out=len(spans) - len(kept),
        scale=_scale(journey, axis) if spans else "",
    )


class _Axis(Struct, frozen=True, kw_only=True):
    """A scale of time on which long pauses are drawn shorter. `pauses` are beginnings and lengths in milliseconds."""

    whole: float
    pauses: tuple[tuple[float, float], ...]
    longest_pause: float

    @property
    def is_cut(self) -> bool:
        return any(length > self.longest_pause for _, length in self.pauses)

    def place(self, ms: float) -> float:
        """Return where a moment is drawn."""
        drawn = self._shortened(self.whole)
        return self._shortened(ms) / drawn * SCALE if drawn else 0.0

    def moment(self, x: float) -> float:
        """Return the moment that is drawn at a place."""
        low, high = 0.0, self.whole
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.place(middle) < x else (low, middle)
        return high

    def _shortened(self, ms: float) -> float:
        left_out = 0.0
        for start, length in self.pauses:
            passed = min(max(0.0, ms - start), length)
            left_out += passed * max(0.0, 1 - self.longest_pause / length)
        return ms - left_out


def _axis(spans: Sequence[_Span]) -> _Axis:
    whole = max((span.start + span.length for span in spans), default=0.0)
    pauses = tuple(
        (span.start, span.length)
        for span in spans
        if span.length > 0 and all(part == _BAND for part, _ in span.parts)
    )
    active = whole - sum(length for _, length in pauses)
    return _Axis(whole=whole, pauses=pauses, longest_pause=max(active, 1.0) * PAUSE_SHARE)


def anchor_of(visit: int) -> str:
    return f"visit-{visit}"


def _tried(journey: Journey, trail: Trail, now: datetime) -> Iterator[_Span]:
    entered = trail.visits[0].entered_at
    zero = (None if is_restarted(journey) else journey.accepted_at) or journey.started_at or entered
    if (began := elapsed_ms(zero, entered)) > 0:
        waited = min(began, max(0.0, elapsed_ms(zero, journey.started_at or entered)))
        yield _Span(name=START, status="done", start=0.0, parts=(("w", waited), ("h", began - waited)))
    redrives, failed_at = 0, entered
    meters = {stage.key: stage for stage in journey.stages}
    for number, visit in enumerate(trail.visits):
        if visit.is_choice:
            continue
        name = visit.key or visit.state
        stage = meters.get(visit.key or "")
        if not visit.tries:
            end = visit.left_at or now
            status = "done" if visit.left_at else "running"
            parts: tuple[tuple[Part, float], ...] = (("h", elapsed_ms(visit.entered_at, end)),)
            yield _Span(
                name=name,
                status=status,
                start=elapsed_ms(zero, visit.entered_at),
                parts=parts,
                anchor=anchor_of(number),
            )
        for tried in visit.tries:
            if tried.redrive > redrives:
                gap: tuple[tuple[Part, float], ...] = (
                    (_BAND, max(0.0, elapsed_ms(failed_at, tried.started_at))),
                )
                yield _Span(
                    name=f"redrive {tried.redrive}",
                    status="redriven",
                    start=max(0.0, elapsed_ms(zero, failed_at)),
                    parts=gap,
                )
            redrives, failed_at = tried.redrive, tried.ended_at or now
            yield _Span(
                name=name,
                note=_note(visit, tried),
                anchor=anchor_of(number),
                status=_status(tried, stage),
                start=max(0.0, elapsed_ms(zero, tried.started_at)),
                parts=_parts(tried, stage if tried is visit.tries[-1] else None, now),
            )


def _scale(journey: Journey, axis: _Axis) -> str:
    """Return in words how the scale goes with the time that the run took: its parts, and what they add up to."""
    cut = " Long pauses are drawn shorter than they were." if axis.is_cut else ""
    took = "" if journey.execution_time_ms is None else f"took {duration(journey.execution_time_ms)}"
    if is_restarted(journey) or not (journey.accepted_at and journey.started_at):
        recorded = float(journey.execution_time_ms or 0)
        began = "0 is the start of this execution" if is_restarted(journey) else "0 is the start of the run"
        told = f"; it {took} until its end was recorded" if took else ""
    else:
        waited = max(0.0, elapsed_ms(journey.accepted_at, journey.started_at))
        recorded = waited + (journey.execution_time_ms or 0)
        began = f"0 is when the run was accepted; it waited {duration(waited)} until it started"
        told = f", and {took} from there until its end was recorded" if took else ""
    rest = axis.whole - recorded
    after = f"; the last hop ended {duration(rest)} later" if took and rest >= 1 else ""
    return f"{began}{told}{after}.{cut}"


def _note(visit: Visit, tried: Try) -> str:
    notes = [f"try {tried.number}"] if len(visit.tries) > 1 else []
    earlier = dict(pairwise(visit.tries[::-1])).get(tried)
    if tried.redrive and (earlier is None or earlier.redrive != tried.redrive):
        notes.append("after a redrive")
    return ", ".join(notes)


def _status(tried: Try, stage: StageView | None) -> str:
    if tried.outcome == "open":
        return "running"
    if tried.outcome == "succeeded":
        return "done"
    is_degraded = stage is not None and stage.status == "degraded"
    return "degraded" if is_degraded else "failed"


def _parts(tried: Try, stage: StageView | None, now: datetime) -> tuple[tuple[Part, float], ...]:
    """Divide a try's time as its worker's meter says: it waits first, works last, and the rest are hops."""
    took = max(0.0, elapsed_ms(tried.started_at, tried.ended_at or now))
    if tried.outcome == "open":
        return (("o", took),)
    if tried.outcome != "succeeded":
        return (("f", took),)
    if stage is None or stage.queue_wait_ms is None or stage.work_ms is None:
        return (("h", took),)
    waited = min(float(stage.queue_wait_ms), took)
    worked = min(float(stage.work_ms), took - waited)
    return (("w", waited), ("h", took - waited - worked), ("k", worked))


def _recorded(journey: Journey, now: datetime) -> Iterator[_Span]:
    statuses = {stage.key: stage.status for stage in journey.stages}
    for bar in bars(journey, now):
        failed = statuses.get(bar.name) in ("failed", "degraded")
        rest: Part = "f" if failed and not bar.is_metered else "h"
        waited: Part = "o" if bar.is_open else "w"
        parts: tuple[tuple[Part, float], ...] = (
            (waited, bar.waited_ms),
            (rest, bar.other_ms),
            ("k", bar.worked_ms),
        )
        yield _Span(name=bar.name, status=statuses.get(bar.name, "done"), start=bar.start_ms, parts=parts)


def _row(span: _Span, axis: _Axis) -> WaterfallRow:
    pieces, at, moment = [], min(axis.place(span.start), SCALE - NARROWEST), span.start
    shown = [(part, ms) for part, ms in span.parts if ms > 0] or [("h", 0.0)]
    for part, ms in shown:
        width = max(NARROWEST, axis.place(moment + ms) - axis.place(moment))
        pieces.append(Piece(part=part, x=round(at, 2), width=round(width, 2)))
        at, moment = at + width, moment + ms
    words = ", ".join(f"{WORDS[part]} {duration(ms)}" for part, ms in span.parts if ms > 0)
    return WaterfallRow(
        name=span.name,
        note=span.note,
        anchor=span.anchor,
        pieces=tuple(pieces),
        text=words or "no time",
        status=of_stage(span.status),
        took=duration(span.length),
    )
