"""The list of runs as its page shows it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from console.models.words import Status, of_run
from console.routes import link
from console.text import line
from operations.runs.pages import NEWEST, Begun, Page, Row
from operations.wording import counted

MESSAGE_CHARS = 90
SCALE = 100.0


class RunRow(Struct, frozen=True, kw_only=True):
    """One row. `waited` and `worked` are shares of the longest run on the page, in percent."""

    pipeline_id: str
    address: str
    status: Status
    message: str
    started_at: datetime
    took_ms: int | None
    waited: float
    worked: float
    other: float
    stage: str
    error: str
    notes: tuple[str, ...]
    nano_usd: int | None


class RunsView(Struct, frozen=True, kw_only=True):
    rows: tuple[RunRow, ...]
    cursor: str | None
    looked_at: int
    back_to: datetime | None


class Since(Struct, frozen=True, kw_only=True):
    """What a page showed: runs that began from `oldest` to `newest`, at the time `at`. `status` is its filter's."""

    at: datetime
    newest: datetime | None = None
    oldest: datetime | None = None
    status: str = ""
    is_searched: bool = False
    """The page has a filter that only the records answer."""


def news(seen: Sequence[Begun], shown: Since) -> str:
    """Return what has changed since a page was loaded, in words; nothing if it has not."""
    after = shown.newest or shown.at
    new = [one for one in seen if one.started_at > after and shown.status in ("", one.status)]
    ended = [
        one
        for one in seen
        if one.finished_at
        and one.finished_at > shown.at
        and shown.oldest
        and shown.oldest <= one.started_at <= after
    ]
    least = "at least " if len(new) == NEWEST else ""
    have = "have" if len(new) > 1 else "has"
    begun = (
        f"{least}{counted(len(new), 'run')} {have} started since"
        if shown.is_searched
        else f"{least}{len(new)} new"
    )
    texts = [begun] if new else []
    if ended:
        texts.append(f"{len(ended)} {'of these has' if len(ended) == 1 else 'of these have'} ended")
    return ", ".join(texts)


def runs_view(page: Page) -> RunsView:
    longest = max((row.took_ms or 0 for row in page.rows), default=0)
    return RunsView(
        rows=tuple(_row(row, longest) for row in page.rows),
        cursor=page.cursor,
        looked_at=page.looked_at,
        back_to=page.back_to,
    )


def _row(row: Row, longest: int) -> RunRow:
    waited, worked, other = _shares(row, longest)
    return RunRow(
        pipeline_id=row.pipeline_id,
        address=link("run", pipeline_id=row.pipeline_id),
        status=of_run(row.status, row.degraded),
        message=line(row.excerpt, MESSAGE_CHARS),
        started_at=row.started_at,
        took_ms=row.took_ms,
        waited=waited,
        worked=worked,
        other=other,
        stage=row.stage or ", ".join(row.degraded),
        error=row.error or "",
        notes=tuple(_notes(row)),
        nano_usd=row.nano_usd,
    )


def _notes(row: Row) -> list[str]:
    notes = []
    if row.tries and row.tries > 1:
        notes.append(f"{row.tries} tries")
    if row.restart:
        notes.append(f"restart {row.restart}")
    if row.redrives:
        notes.append(f"redriven {row.redrives}×")
    if row.replaced:
        ended = f", {of_run(row.later).word}" if row.later else ""
        notes.append(f"replaced by a later execution{ended}")
    return notes


def _shares(row: Row, longest: int) -> tuple[float, float, float]:
    """Return the shares of waiting, work and the rest, in percent of the longest run."""
    took = row.took_ms
    if not took or not longest:
        return 0.0, 0.0, 0.0
    waited = min(row.waited_ms or 0, took)
    worked = min(row.worked_ms or 0, took - waited)
    scale = SCALE / longest
    return round(waited * scale, 2), round(worked * scale, 2), round((took - waited - worked) * scale, 2)
