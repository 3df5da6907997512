"""The state of the whole system as the first page shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from console.models.words import Status
from console.routes import link
from operations.health.failures import FailureGroup
from operations.health.watch import MINUTES, Rates, Snapshot
from operations.wording import counted

WIDTH, HEIGHT = 300.0, 40.0
SPAN = timedelta(minutes=MINUTES)
GAP = timedelta(seconds=30)
"""After so long without a look, a line of what was looked at is interrupted."""

NOT_KNOWN = Status(mark="?", word="not known", tone="warn")
"""The state of a system that does not answer, whatever it was when it did."""


class StageBox(Struct, frozen=True, kw_only=True):
    name: str
    waiting: int
    working: int
    parked: int
    runs: str
    """The address of the runs that failed here; empty for the start, which has none."""


class FailureRow(Struct, frozen=True, kw_only=True):
    """Failed runs of one cause."""

    address: str
    """The address of the run that failed last."""
    alike: str
    """The address of the runs with the same stage and error that are still failed."""
    pipeline_id: str
    ended_at: datetime
    stage: str
    error: str
    cause: str
    recent: int
    """Those that ended in the last ten minutes."""


class Spark(Struct, frozen=True, kw_only=True):
    """Lines over the last half hour, as points of an SVG. Where nobody looked, there is a gap."""

    name: str
    lines: tuple[str, ...]
    most: int
    last: int
    source: str
    """Where the numbers are from, in words."""


class NowView(Struct, frozen=True, kw_only=True):
    at: datetime
    status: Status
    sentence: str
    boxes: tuple[StageBox, ...]
    rates: tuple[tuple[str, str], ...]
    failures: tuple[FailureRow, ...]
    mended: str
    """A sentence about failed executions that were mended; empty if there are none."""
    sparks: tuple[Spark, ...]
    paused: str
    parked: int
    waits_for_person: str
    """A sentence without its full stop about the runs that wait for approval; empty if none does."""


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
        failures=tuple(map(_failure, snapshot.failing)),
        mended=_mended(snapshot),
        sparks=tuple(_sparks(snapshot, history)),
        paused=snapshot.paused or "",
        parked=snapshot.parked,
        waits_for_person=snapshot.waits_for_person,
    )


def _headline(snapshot: Snapshot) -> tuple[Status, str]:
    """Return the one sentence that matters: what fails now, what is parked, or that all is well."""
    recent = [group for group in snapshot.failing if group.recent]
    parked = f"{counted(snapshot.parked, 'message')} parked" if snapshot.parked else "nothing parked"
    are = "are" if snapshot.parked > 1 else "is"
    more = "at least " if snapshot.more_running else ""
    if recent:
        first, others = recent[0], sum(group.recent for group in recent[1:])
        least = "at least " if snapshot.at_least else ""
        where = f" at {first.stage}" if first.stage else ""
        beside = f", and {counted(others, 'run')} otherwise" if others else ""
        text = f"{least}{counted(first.recent, 'run')} failed{where} in 10 minutes: {first.error}{beside}; {parked}."
        return Status(mark="✗", word="failing", tone="bad"), text[0].upper() + text[1:]
    if snapshot.parked:
        return Status(
            mark="!", word="parked", tone="warn"
        ), f"Nothing is failing, but {parked.replace(' parked', f' {are} parked')}."
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


def _mended(snapshot: Snapshot) -> str:
    if not snapshot.mended:
        return ""
    one = snapshot.mended == 1
    return (
        f"{counted(snapshot.mended, 'run')} that failed {'was' if one else 'were'} redriven or restarted since, "
        f"and {'has' if one else 'have'} not failed again."
    )


def _failure(group: FailureGroup) -> FailureRow:
    latest = group.latest
    return FailureRow(
        address=link("run", pipeline_id=latest.pipeline_id),
        alike=link("runs", stage=latest.stage or "", error=latest.error or "", still_failed=1)
        if latest.stage or latest.error
        else link("runs", status=latest.status, still_failed=1),
        pipeline_id=latest.pipeline_id,
        ended_at=latest.ended_at,
        stage=latest.stage or "",
        error=group.error,
        cause=latest.cause or "",
        recent=group.recent,
    )


def _sparks(snapshot: Snapshot, history: Sequence[Snapshot]) -> list[Spark]:
    minutes = snapshot.last_minutes
    source = "from the list of runs" + (", at least" if minutes.at_least else "")
    sparks = [
        _by_minute(name, values, source)
        for name, values in (
            ("finished in a minute", minutes.finished),
            ("failed in a minute", minutes.failed),
        )
        if any(minutes.finished)
    ]
    kept = [one for one in history if snapshot.at - one.at <= SPAN]
    return sparks if len(kept) < 2 else [_looked_at(kept, snapshot.at), *sparks]


def _looked_at(kept: Sequence[Snapshot], end: datetime) -> Spark:
    """Return what waited and was worked on at each look. Between looks of different visits there is a gap."""
    values = [one.waiting + one.working for one in kept]
    most = max(values)
    lines: list[list[str]] = []
    before: datetime | None = None
    for one, value in zip(kept, values, strict=True):
        if before is None or one.at - before > GAP:
            lines.append([])
        x = WIDTH - (end - one.at) / SPAN * WIDTH
        lines[-1].append(_point(x, value, most))
        before = one.at
    return Spark(
        name="waiting and working",
        lines=tuple(" ".join(points) for points in lines if len(points) > 1),
        most=most,
        last=values[-1],
        source="only while a console looks",
    )


def _by_minute(name: str, values: Sequence[int], source: str) -> Spark:
    most, wide = max(values), WIDTH / len(values)
    steps = (
        _point(x, value, most)
        for number, value in enumerate(values)
        for x in (number * wide, (number + 1) * wide)
    )
    return Spark(name=name, lines=(" ".join(steps),), most=most, last=values[-1], source=source)


def _point(x: float, value: int, most: int) -> str:
    return f"{x:.1f},{HEIGHT - 1 - value * (HEIGHT - 2) / (most or 1):.1f}"
