"""A journey as bars on one scale of time: where it waited, worked and retried (pure)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from operations.runs.journey import Journey
from operations.runs.stage_views import StageView
from shared.contracts.executions import restart_number
from shared.contracts.stages import BY_KEY

START = "start"
"""The bar of the time before the first stage: waiting until the run started, and the hop to that stage."""


class Bar(Struct, frozen=True, kw_only=True):
    """One stage's share of a timeline, in milliseconds from the journey's beginning.

    Time that is neither waiting nor work is `other`: failed attempts and the pauses between them, hops, the callback.
    """

    name: str
    start_ms: float
    waited_ms: float = 0.0
    other_ms: float = 0.0
    worked_ms: float = 0.0
    is_open: bool = False
    paused_ms: float | UnsetType = UNSET
    """Until redrives at this stage; absent if there were none. It is no part of the other times."""
    is_metered: bool = True
    """False for a failed stage: its worker sends no meter, so all its time is `other`."""

    @property
    def length_ms(self) -> float:
        return self.waited_ms + self.other_ms + self.worked_ms + (self.paused_ms or 0.0)


def bars(journey: Journey, now: datetime) -> list[Bar]:
    """Return the bars of a journey; none if no times are known.

    If the execution history has expired, the stages are put one after another with the durations in the record.
    The bars of a restarted run begin with its latest execution: what was before it is no waiting of that one.
    """
    zero = (journey.started_at if is_restarted(journey) else journey.accepted_at) or journey.started_at
    if zero is None:
        return []
    began = max(0.0, elapsed_ms(zero, journey.started_at or (journey.finished_at or now)))
    passed = [stage for stage in journey.stages if stage.status not in ("waiting", "skipped")]
    entered = elapsed_ms(zero, passed[0].started_at) if passed and passed[0].started_at else began
    at = max(began, entered)
    timeline = [
        Bar(
            name=START,
            start_ms=0.0,
            waited_ms=began,
            other_ms=at - began,
            is_open=journey.started_at is None,
        )
    ]
    for stage in passed:
        start = elapsed_ms(zero, stage.started_at) if stage.started_at else at
        bar = _bar(stage, start, now)
        if bar is not None:
            timeline.append(bar)
            at = bar.start_ms + bar.length_ms
    return timeline


def is_restarted(journey: Journey) -> bool:
    """Return whether the journey is of a restart of its run."""
    return restart_number((journey.execution_arn or "").rpartition(":")[2], journey.pipeline_id) > 0


def hops(timeline: Sequence[Bar]) -> Iterator[tuple[str, float]]:
    """Yield the time between each bar and the one before it, by the later one's name."""
    at = 0.0
    for bar in timeline:
        if bar.start_ms > at:
            yield bar.name, bar.start_ms - at
        at = max(at, bar.start_ms + bar.length_ms)


Activity = Literal[
    "waiting", "working", "hops", "hops before it", "retries and hops", "waiting and failed tries"
]


class Longest(Struct, frozen=True, kw_only=True):
    """The longest part of a journey: hops, or one stage's waiting, work or other time (of a failed one all).

    `of_ms` is the time that the run took without the pauses until redrives; with the waiting before its start if that
    is the longest part.
    """

    name: str
    what: Activity
    ms: float
    of_ms: float


def longest(timeline: Sequence[Bar], took_ms: int | None = None) -> Longest | None:
    """Return the longest part of the timeline of a run that took `took_ms`; None if the timeline is empty.

    Without `took_ms`, the part is one of the whole timeline.
    """
    parts: list[tuple[float, str, Activity]] = [(ms, name, "hops before it") for name, ms in hops(timeline)]
    for bar in timeline:
        parts.append((bar.waited_ms, bar.name, "waiting"))
        parts.append((bar.worked_ms, bar.name, "working"))
        rest: Activity = "retries and hops" if bar.is_metered else "waiting and failed tries"
        parts.append((bar.other_ms, bar.name, "hops" if bar.name == START else rest))
    ms, name, what = max(parts, default=(0.0, "", "waiting"))
    if not ms:
        return None
    whole = max(bar.start_ms + bar.length_ms for bar in timeline)
    if took_ms is not None:
        whole = took_ms + (ms if (name, what) == (START, "waiting") else 0.0)
    whole -= sum(bar.paused_ms or 0.0 for bar in timeline)
    return Longest(name=name, what=what, ms=ms, of_ms=max(whole, ms))


def _bar(stage: StageView, start: float, now: datetime) -> Bar | None:
    is_open = stage.status == "running"
    took = stage.took_ms
    if took is None and stage.started_at is not None and is_open:
        took = max(0, round(elapsed_ms(stage.started_at, now)))
    if took is None:
        return None
    paused = min(stage.paused_ms or 0, took)
    active = took - paused
    waited, worked = min(stage.queue_wait_ms or 0, active), stage.work_ms or 0
    worked = min(worked, active - waited)
    rest = active - waited - worked
    if stage.key in BY_KEY and BY_KEY[stage.key].by_person:
        waited, rest = waited + rest, 0  # a person was asked
    if is_open and not waited and not worked:
        waited, rest = active, 0  # a running stage has sent no meter yet: most of its time is waiting
    return Bar(
        name=stage.key,
        start_ms=start,
        waited_ms=waited,
        other_ms=rest,
        worked_ms=worked,
        paused_ms=paused or UNSET,
        is_open=is_open,
        is_metered=is_open or stage.queue_wait_ms is not None,
    )


def elapsed_ms(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1_000
