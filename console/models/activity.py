"""The audit of what operators did, by pages, as its page shows it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from console.models.archived import moment
from console.routes import link
from console.text import line
from operations.dlq.audit import Audit
from operations.dlq.journal import UNKNOWN, Entry
from operations.wording import counted

SIZE = 50
WHY_CHARS = 300


class Line(Struct, frozen=True, kw_only=True):
    """One act. `address` is that of its run; empty if the message named none."""

    at: datetime | None
    """None if the line has no readable time."""
    who: str
    what: str
    why: str
    outcome: str
    service: str
    pipeline_id: str
    address: str


class ActivityView(Struct, frozen=True, kw_only=True):
    """One page of the acts of one kind, or of all; `older` leads to the next page, if there is one."""

    headline: str
    warnings: tuple[str, ...]
    lines: tuple[Line, ...]
    kinds: tuple[str, ...]
    what: str
    number: int
    older: str


def activity_view(audit: Audit, *, what: str = "", number: int = 0) -> ActivityView:
    entries = [one for one in audit.entries if not what or one.what == what]
    here = entries[number * SIZE : (number + 1) * SIZE]
    more = len(entries) > (number + 1) * SIZE
    warnings = []
    if not audit.complete:
        warnings.append(
            f"Only {audit.read:,} items were read, in no particular order: later acts may be missing."
        )
    if audit.damaged:
        warnings.append(f"{counted(audit.damaged, 'line')} could not be read.")
    nothing = "" if audit.entries else ": nobody has replayed, redriven or archived anything yet"
    return ActivityView(
        headline=f"{counted(len(entries), 'act')}{nothing}.",
        warnings=tuple(warnings),
        lines=lines_of(here),
        kinds=tuple(sorted({one.what for one in audit.entries})[:20]),
        what=what,
        number=number,
        older=link("activity", what=what, page=number + 1) if more else "",
    )


def lines_of(entries: Sequence[Entry]) -> tuple[Line, ...]:
    return tuple(map(_line, entries))


def _line(entry: Entry) -> Line:
    known = entry.pipeline_id != UNKNOWN
    return Line(
        at=moment(entry.at),
        who=line(entry.who.rpartition("/")[2], 80),
        what=line(entry.what, 40),
        why=line(entry.why, WHY_CHARS),
        outcome=line(entry.outcome, 40),
        service=line(entry.service or "", 40),
        pipeline_id=entry.pipeline_id if known else "",
        address=link("run", pipeline_id=entry.pipeline_id) if known else "",
    )
