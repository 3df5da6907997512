"""The list of runs as its page shows it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from console.models.words import Status, of_run
from console.routes import link
from console.text import line
from operations.runs.pages import NEWEST, Begun, Page
from operations.runs.rows import Row
from operations.wording import counted
from shared.contracts.executions import FAILED

MESSAGE_CHARS = 90
SCALE = 100.0
COLUMNS = 50
LEAST_DRAWN = 10
"""Runs on a page without which it has no histogram."""


class RunRow(Struct, frozen=True, kw_only=True):
    """One row. `waited`, `worked` and `other` are shares of the whole bar (`RunsView.full_ms`), in percent."""

    pipeline_id: str
    address: str
    status: Status
    message: str
    started_at: datetime
    took_ms: int | None
    waited: float
    worked: float
    other: float
    is_longer: bool
    """The run took longer than a full bar stands for: the bar has the proportions of its parts, and no end."""
    stage: str
    error: str
    notes: tuple[str, ...]
    nano_usd: int | None


class Column(Struct, frozen=True, kw_only=True):
    """The runs that started in one part of the time: those that failed below the others, in the drawing's units."""

    x: int
    count: int
    failed: int
    y: float
    failed_height: float
    height: float


class Histogram(Struct, frozen=True, kw_only=True):
    """When the runs of a page started."""

    columns: tuple[Column, ...]
    most: int
    failed: int
    first: datetime
    last: datetime


class RunsView(Struct, frozen=True, kw_only=True):
    rows: tuple[RunRow, ...]
    full_ms: int
    """What a full bar stands for."""
    histogram: Histogram | None
    """None if the page has too few runs to tell."""
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
    full = full_bar([row.took_ms for row in page.rows if row.took_ms])
    return RunsView(
        rows=tuple(_row(row, full) for row in page.rows),
        full_ms=full,
        histogram=histogram(page.rows),
        cursor=page.cursor,
        looked_at=page.looked_at,
        back_to=page.back_to,
    )


def histogram(rows: Sequence[Row]) -> Histogram | None:
    """Return when these runs, and no others, started."""
    starts = [row.started_at for row in rows]
    if len(starts) < LEAST_DRAWN or min(starts) == max(starts):
        return None
    first, last = min(starts), max(starts)
    counts, failures = [0] * COLUMNS, [0] * COLUMNS
    for row in rows:
        place = min(COLUMNS - 1, int((row.started_at - first) / (last - first) * COLUMNS))
        counts[place] += 1
        failures[place] += row.status in FAILED
    most = max(counts)
    scale = SCALE / most
    return Histogram(
        columns=tuple(
            Column(
                x=place,
                count=count,
                failed=failed,
                y=round(SCALE - count * scale, 2),
                height=round((count - failed) * scale, 2),
                failed_height=round(failed * scale, 2),
            )
            for place, (count, failed) in enumerate(zip(counts, failures, strict=True))
            if count
        ),
        most=most,
        failed=sum(failures),
        first=first,
        last=last,
    )


def full_bar(times: Sequence[int]) -> int:
    """Return what a full bar stands for: a few slow runs are cut off, so that the bars of the others can be read.

    That is the time that three quarters of the runs stay below, but at least twice and at most four times the median.
    """
    if not times:
        return 0
    ordered = sorted(times)
    median, quarter = ordered[(len(ordered) - 1) // 2], ordered[(len(ordered) - 1) * 3 // 4]
    return min(ordered[-1], max(2 * median, min(quarter, 4 * median)))


def _row(row: Row, full: int) -> RunRow:
    waited, worked, other = _shares(row, full)
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
        is_longer=(row.took_ms or 0) > full,
        stage=row.stage or ", ".join(row.degraded),
        error=row.error or "",
        notes=tuple(_notes(row)),
        nano_usd=row.nano_usd,
    )


def _notes(row: Row) -> list[str]:
    notes = [f"ended by {row.ended_by}"] if row.ended_by else []
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


def _shares(row: Row, full: int) -> tuple[float, float, float]:
    """Return the shares of waiting, work and the rest, in percent of a full bar."""
    took = row.took_ms
    if not took or not full:
        return 0.0, 0.0, 0.0
    waited = min(row.waited_ms or 0, took)
    worked = min(row.worked_ms or 0, took - waited)
    scale = SCALE / max(full, took)
    return round(waited * scale, 2), round(worked * scale, 2), round((took - waited - worked) * scale, 2)
