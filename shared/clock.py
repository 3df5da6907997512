"""The text format of times in records and API answers."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """Return `moment` in UTC with milliseconds, e.g. `2026-11-22T10:00:00.000Z`; such texts sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
