"""How a moment is written in records and answers."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """UTC with milliseconds, e.g. `2026-11-22T10:00:00.000Z`: as text, later is greater."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
