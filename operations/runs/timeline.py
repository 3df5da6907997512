"""A journey as bars on one scale of time: where it waited, worked and retried (pure)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from operations.runs.journey import Journey, StageView
from shared.contracts.executions import restart_number


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
    began = max(0.0, _ms(zero, journey.started_at or (journey.finished_at or now)))
    timeline = [Bar(name="start", start_ms=0.0, waited_ms=began, is_open=journey.started_at is None)]
    at = began
    for stage in journey.stages:
        if stage.status in ("waiting", "skipped"):
            continue
        start = _ms(zero, stage.started_at) if stage.started_at else at
        bar = _bar(stage, start, now)
        if bar is not None:
            timeline.append(bar)
            at = bar.start_ms + bar.length_ms
    return timeline


def is_restarted(journey: Journey) -> bool:
    """Return whether the journey is of a restart of its run."""
    return restart_number((journey.execution_arn or "").rpartition(":")[2], journey.pipeline_id) > 0


Activity = Literal["waiting", "working", "retries and hops", "waiting and failed tries"]


class Longest(Struct, frozen=True, kw_only=True):
    """The longest part of a journey: one stage's waiting, work, or other time (all of it for a failed stage)."""

    name: str
    what: Activity
    ms: float
    of_ms: float


def longest(timeline: Sequence[Bar]) -> Longest | None:
    """Return the longest part of a timeline; None if the timeline is empty."""
    parts: list[tuple[float, str, Activity]] = []
    for bar in timeline:
        parts.append((bar.waited_ms, bar.name, "waiting"))
        parts.append((bar.worked_ms, bar.name, "working"))
        rest: Activity = "retries and hops" if bar.is_metered else "waiting and failed tries"
        parts.append((bar.other_ms, bar.name, rest))
    ms, name, what = max(parts, default=(0.0, "", "waiting"))
    whole = max((bar.start_ms + bar.length_ms for bar in timeline), default=0.0)
    whole -= sum(bar.paused_ms or 0.0 for bar in timeline)
    return Longest(name=name, what=what, ms=ms, of_ms=whole) if ms else None


def _bar(stage: StageView, start: float, now: datetime) -> Bar | None:
    is_open = stage.status == "running"
    took = stage.took_ms
    if took is None and stage.started_at is not None and is_open:
        took = max(0, round(_ms(stage.started_at, now)))
    if took is None:
        return None
    paused = min(stage.paused_ms or 0, took)
    active = took - paused
    waited, worked = min(stage.queue_wait_ms or 0, active), stage.work_ms or 0
    worked = min(worked, active - waited)
    rest = active - waited - worked
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


def _ms(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() * 1_000
