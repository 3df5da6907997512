"""Where the time of one run went, hop by hop: medians over runs that had the pipeline to themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from cli.operations.journey import read_journey
from cli.operations.target import Target
from cli.timeline import Bar, bars

PARTS = ("waited_ms", "worked_ms", "other_ms")
"""In a queue; in the service's function; the hop to the queue, the callback, and retries."""


def hops(target: Target, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Milliseconds by hop (`start`, then the stages' keys) and part."""
    return medians([bars(read_journey(target, name), datetime.now(UTC)) for name in ids])


def medians(journeys: Sequence[Sequence[Bar]]) -> dict[str, dict[str, float]]:
    names = list(dict.fromkeys(bar.name for journey in journeys for bar in journey))
    return {
        name: {
            part: median([getattr(bar, part) for journey in journeys for bar in journey if bar.name == name])
            for part in PARTS
        }
        for name in names
    }
