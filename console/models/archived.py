"""Archived messages as their pages show them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from console.routes import link
from console.text import line
from operations.dlq.archive import Archive
from operations.dlq.journal import UNKNOWN, Archived
from operations.wording import counted

SIZE = 50
TEXT_CHARS = 300


class ArchivedRow(Struct, frozen=True, kw_only=True):
    """One archived message. `run` is the address of its run; empty if it named none."""

    message_id: str
    address: str
    error_type: str
    error: str
    service: str
    at: datetime | None
    pipeline_id: str
    run: str
    who: str
    reason: str


class ArchivedView(Struct, frozen=True, kw_only=True):
    """One page of the archived messages, the latest first; `older` leads to the next page, if there is one."""

    headline: str
    warnings: tuple[str, ...]
    rows: tuple[ArchivedRow, ...]
    number: int
    older: str


def archived_view(archive: Archive, *, number: int = 0) -> ArchivedView:
    warnings = []
    if not archive.complete:
        warnings.append(
            f"Only {archive.read:,} items were read, in no particular order: archived messages may be missing."
        )
    if archive.damaged:
        warnings.append(f"{counted(archive.damaged, 'message')} could not be read.")
    here = archive.messages[number * SIZE : (number + 1) * SIZE]
    more = len(archive.messages) > (number + 1) * SIZE
    return ArchivedView(
        headline=f"{counted(len(archive.messages), 'archived message')}.",
        warnings=tuple(warnings),
        rows=rows_of(here),
        number=number,
        older=link("archived", page=number + 1) if more else "",
    )


def rows_of(messages: Sequence[Archived]) -> tuple[ArchivedRow, ...]:
    return tuple(map(archived_row, messages))


def archived_row(message: Archived) -> ArchivedRow:
    known = message.pipeline_id != UNKNOWN
    return ArchivedRow(
        message_id=message.message_id,
        address=address_of(message.message_id, message.pipeline_id if known else None),
        error_type=line(message.error_type, 80),
        error=line(message.error, TEXT_CHARS),
        service=line(message.service, 40),
        at=moment(message.archived_at),
        pipeline_id=message.pipeline_id if known else "",
        run=link("run", pipeline_id=message.pipeline_id) if known else "",
        who=line(message.who.rpartition("/")[2], 80),
        reason=line(message.reason, TEXT_CHARS),
    )


def address_of(message_id: str, pipeline_id: str | None) -> str:
    """Return the address of an archived message's page, which names the run that it is stored by."""
    return link("archived-message", message_id=message_id, run=pipeline_id or "")


def moment(text: str) -> datetime | None:
    """Return the time in a text; None if it has none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
