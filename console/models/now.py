"""The state of the whole system as the first page shows it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from console.models.words import Status
from console.routes import link
from operations.health.watch import Failure, Rates, Snapshot
from operations.wording import counted

RECENT = timedelta(minutes=10)
WIDTH, HEIGHT = 300.0, 40.0
SPAN = timedelta(minutes=30)


class StageBox(Struct, frozen=True, kw_only=True):
    name: str
    waiting: int
    working: int
    parked: int
    runs: str
    """The address of the runs that failed here; empty for the start, which has none."""


class FailureRow(Struct, frozen=True, kw_only=True):
    address: str
    alike: str
    """The address of the runs with the same stage and error."""
    pipeline_id: str
    ended_at: datetime
    stage: str
    error: str
    cause: str


class Spark(Struct, frozen=True, kw_only=True):
    """A line over the last half hour, as points of an SVG."""

    name: str
    points: str
    most: int
    last: int


class NowView(Struct, frozen=True, kw_only=True):
    at: datetime
    status: Status
    sentence: str
    boxes: tuple[StageBox, ...]
    rates: tuple[tuple[str, str], ...]
    failures: tuple[FailureRow, ...]
    sparks: tuple[Spark, ...]
    paused: str
    parked: int


def now_view(snapshot: Snapshot, history: Sequence[Snapshot]) -> NowView:
    status, sentence = _headline(snapshot)
    return NowView(
        at=snapshot.at,
        status=status,
        sentence=sentence,
        boxes=tuple(
            StageBox(
                name=one.stage,
                waiting=one.waiting,
                working=one.working,
                parked=one.parked,
                runs="" if one.stage == "start" else link("runs", stage=one.stage),
            )
            for one in snapshot.stages
        ),
        rates=tuple(_rates(snapshot)),
        failures=tuple(map(_failure, snapshot.failures)),
        sparks=tuple(_sparks(snapshot, history)),
        paused=snapshot.paused or "",
        parked=snapshot.parked,
    )


def _headline(snapshot: Snapshot) -> tuple[Status, str]:
    """Return the one sentence that matters: what fails now, what is parked, or that all is well."""
    recent = [one for one in snapshot.failures if snapshot.at - one.ended_at <= RECENT]
    parked = f"{counted(snapshot.parked, 'message')} parked" if snapshot.parked else "nothing parked"
    are = "are" if snapshot.parked > 1 else "is"
    more = "at least " if snapshot.more_running else ""
    if recent:
        where, count = Counter(
            (one.stage or "an unknown stage", one.error or one.status) for one in recent
        ).most_common(1)[0]
        least = "at least " if count >= len(snapshot.failures) else ""
        text = f"{least}{counted(count, 'run')} failed at {where[0]} in 10 minutes: {where[1]}; {parked}."
        return Status(mark="✗", word="failing", tone="bad"), text[0].upper() + text[1:]
    if snapshot.parked:
        return Status(
            mark="!", word="parked", tone="warn"
        ), f"Nothing failed in 10 minutes, but {parked.replace(' parked', f' {are} parked')}."
    running = f"{more}{snapshot.running:,} running"
    return Status(mark="✓", word="healthy", tone="good"), f"{running[0].upper()}{running[1:]}, {parked}."


def _rates(snapshot: Snapshot) -> list[tuple[str, str]]:
    rates: Rates = snapshot.per_minute
    names = ("started", "finished", "failed", "stopped")
    rows = [
        (f"{name} in a minute", f"{'at least ' if name in rates.at_least else ''}{getattr(rates, name):,}")
        for name in names
    ]
    return [("running", f"{'at least ' if snapshot.more_running else ''}{snapshot.running:,}"), *rows]


def _failure(failure: Failure) -> FailureRow:
    return FailureRow(
        address=link("run", pipeline_id=failure.pipeline_id),
        alike=link("runs", stage=failure.stage or "", error=failure.error or "")
        if failure.stage or failure.error
        else link("runs", status=failure.status),
        pipeline_id=failure.pipeline_id,
        ended_at=failure.ended_at,
        stage=failure.stage or "",
        error=failure.error or failure.status,
        cause=failure.cause or "",
    )


SPARKS: Final[tuple[tuple[str, Callable[[Snapshot], int]], ...]] = (
    ("waiting and working", lambda one: one.waiting + one.working),
    ("finished in a minute", lambda one: one.per_minute.finished),
    ("failed in a minute", lambda one: one.per_minute.failed),
)


def _sparks(snapshot: Snapshot, history: Sequence[Snapshot]) -> list[Spark]:
    kept = [one for one in history if snapshot.at - one.at <= SPAN]
    if len(kept) < 2:
        return []
    return [_spark(name, [(one.at, value(one)) for one in kept], snapshot.at) for name, value in SPARKS]


def _spark(name: str, points: Sequence[tuple[datetime, int]], end: datetime) -> Spark:
    most = max(value for _, value in points)
    scale = (HEIGHT - 2) / (most or 1)
    drawn = " ".join(
        f"{WIDTH - (end - at).total_seconds() / SPAN.total_seconds() * WIDTH:.1f},{HEIGHT - 1 - value * scale:.1f}"
        for at, value in points
    )
    return Spark(name=name, points=drawn, most=most, last=points[-1][1])
