"""The clock of one reader: UTC, or the time zone of the browser. Every time on every page obeys it."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

ZONE_CHARS = 64


class Clock(Struct, frozen=True, kw_only=True):
    """A time zone; None is that of this machine."""

    zone: tzinfo | None = None
    is_utc: bool = False

    @property
    def name(self) -> str:
        return "UTC" if self.is_utc else "local"

    def at(self, moment: datetime) -> datetime:
        """Return a moment in this zone, or as it is at an end of the calendar, where that has no date."""
        try:
            return moment.astimezone(UTC if self.is_utc else self.zone)
        except OverflowError:
            return moment

    def second(self, moment: datetime) -> str:
        return f"{self.at(moment):%m-%d %H:%M:%S}"

    def exact(self, moment: datetime) -> tuple[str, str]:
        """Return the day of a moment, and its time to the millisecond."""
        there = self.at(moment)
        return f"{there:%m-%d}", f"{there:%H:%M:%S}.{there.microsecond // 1_000:03}"

    def full(self, moment: datetime) -> str:
        """Return a moment to the millisecond, with its zone."""
        there = self.at(moment)
        return f"{there:%Y-%m-%d %H:%M:%S}.{there.microsecond // 1000:03} {there.tzname() or ''}".rstrip()


def clock(choice: str, zone: str) -> Clock:
    """Return the clock of a reader's choice and the browser's zone, both of which may be any text."""
    if choice == "utc":
        return Clock(is_utc=True)
    try:
        known = ZoneInfo(zone) if 0 < len(zone) <= ZONE_CHARS else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = None
    return Clock(zone=known)
