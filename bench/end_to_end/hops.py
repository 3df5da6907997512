"""Where the time of one run went, hop by hop: medians over runs that had the pipeline to themselves."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import median

from bench.end_to_end.burst import Alone
from cli.view.timeline import Bar, bars
from operations.runs.journey import read_journey
from operations.target import Target

PARTS = ("waited_ms", "worked_ms", "other_ms")
"""In a queue; in the service's function; the hop to the queue, the callback, and retries."""
START, PAUSE = "to the start", "first state"


def hops(target: Target, runs: Sequence[Alone]) -> dict[str, dict[str, float]]:
    """Milliseconds by hop and part: until the execution's start, until its first state, then the stages' keys."""
    return medians([list(_hops(target, run)) for run in runs])


def _hops(target: Target, run: Alone) -> Iterator[Bar]:
    """An event's own time is in whole seconds, so what is before the start is taken by the caller's clock."""
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
