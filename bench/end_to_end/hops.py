"""Where the time of a run goes, hop by hop: medians over runs that were alone on their engine."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import median

from bench.end_to_end.burst import Alone
from operations.runs.journey import read_journey
from operations.runs.timeline import Bar, bars
from operations.target import Target

PARTS = ("waited_ms", "worked_ms", "other_ms")
"""Time in a queue; in the service's function; and in the hop to the queue, the callback and retries."""
START, PAUSE = "to the start", "first state"


def hops(target: Target, runs: Sequence[Alone]) -> dict[str, dict[str, float]]:
    """Return milliseconds by hop and part. Hops: to the execution's start, to its first state, then each stage."""
    return medians([list(_hops(target, run)) for run in runs])


def _hops(target: Target, run: Alone) -> Iterator[Bar]:
    """Yield the bars of a run. The time to its start is by the caller's clock: events have only whole seconds."""
    yield Bar(name=START, start_ms=0.0, other_ms=run.until_started * 1_000)
    journey = read_journey(target, run.pipeline_id)
    first = journey.stages[0].started_at
    if journey.started_at and first:
        pause = (first - journey.started_at).total_seconds() * 1_000
        yield Bar(name=PAUSE, start_ms=0.0, other_ms=pause)
    yield from (bar for bar in bars(journey, datetime.now(UTC)) if bar.name != "start")


def medians(journeys: Sequence[Sequence[Bar]]) -> dict[str, dict[str, float]]:
    names = list(dict.fromkeys(bar.name for journey in journeys for bar in journey))
    return {
        name: {
            part: median([getattr(bar, part) for journey in journeys for bar in journey if bar.name == name])
            for part in PARTS
        }
        for name in names
    }
