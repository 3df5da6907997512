"""Decides which failed executions the records do not show, and where to continue. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from shared.contracts.executions import FAILED, ids_in
from shared.contracts.record import Record, iso

SETTLED_AFTER: Final = timedelta(minutes=5)
"""The age at which an end counts as not announced: its event is usually handled within seconds."""
FIRST_LOOK: Final = timedelta(days=14)
"""How far back the first scan looks, and for how long an end is tried again: as long as a run can be redriven."""
OVERLAP: Final = timedelta(hours=1)
"""How much of what the last scan covered the next one compares again, as lists lag behind."""
LONGEST_RUN: Final = timedelta(days=1)
"""More than any run takes. Executions that started so much earlier than a scan begins cannot have ended within it."""
MOST_OWED: Final = 500
"""The number of ends that could not be recorded from which no more are looked for."""


class Owed(Struct, frozen=True):
    """An execution whose end is to be recorded: its name, and when it ended."""

    name: str
    ended: str


class Progress(Struct, frozen=True, kw_only=True):
    """What has been compared, kept between two invocations.

    All ends before `upto` are compared. While a scan is under way, it covers the ends from `upto` to `until`, and
    continues with `status` at `token`. `owed` is stored before these ends are recorded, so that one whose recording
    was interrupted is announced for certain.
    """

    upto: str
    until: str | None = None
    status: str = FAILED[0]
    token: str | None = None
    owed: tuple[Owed, ...] = ()


def begin(now: datetime) -> Progress:
    return Progress(upto=iso(now - FIRST_LOOK))


def scanning(progress: Progress, until: datetime) -> Progress:
    """Return the scan to continue, or a new one up to `until`. Ends of long ago are owed no more."""
    floor = iso(until - FIRST_LOOK)
    owed = tuple(end for end in progress.owed if end.ended >= floor)
    progress = replace(progress, owed=owed, upto=max(progress.upto, floor))
    return progress if progress.until else replace(progress, until=iso(until), status=FAILED[0], token=None)


def after_page(progress: Progress, page: Sequence[Mapping[str, Any]], token: str | None) -> Progress:
    """Return where to continue after a page of executions, the newest first: in its list, in the next, or nowhere."""
    oldest = iso(_floor(progress) - LONGEST_RUN)
    if token and any(_ended(execution) >= oldest for execution in page):
        return replace(progress, token=token)
    later = FAILED[FAILED.index(progress.status) + 1 :] if progress.status in FAILED else ()
    if later:
        return replace(progress, status=later[0], token=None)
    return Progress(upto=progress.until or progress.upto, owed=progress.owed)


def within(progress: Progress, page: Iterable[Mapping[str, Any]]) -> list[Owed]:
    """Return the executions of a page that ended within the scan."""
    least, most = iso(_floor(progress)), progress.until or progress.upto
    ends = (Owed(str(execution["name"]), _ended(execution)) for execution in page)
    return [end for end in ends if least <= end.ended <= most]


def missing(ends: Iterable[Owed], records: Mapping[str, Record]) -> tuple[Owed, ...]:
    """Return the ends that a record does not show; of a name that may be of two runs, each record counts."""
    return tuple(
        end
        for end in ends
        if not (known := [records[one] for one in ids_in(end.name) if one in records])
        or not all(_shows(record, end.ended) for record in known)
    )


def _shows(record: Record, ended: str) -> bool:
    """Return whether the record knows of this end or of anything later."""
    last = max(record.get("finished_at") or "", record.get("reopened_after") or "")
    return record.get("status") == "SUCCEEDED" or last >= ended


def _ended(execution: Mapping[str, Any]) -> str:
    return iso(execution.get("stopDate") or execution["startDate"])


def _floor(progress: Progress) -> datetime:
    return datetime.fromisoformat(progress.upto).astimezone(UTC) - OVERLAP
