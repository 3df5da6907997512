"""The runs of an environment by pages, newest first, with what their records say.

Step Functions lists the executions and keeps the position; the records of one page are read together. For a filter
that only the records can answer, more executions are looked at until the page is full, and it says how far back that
was. A run that is accepted but not started yet has no execution and is on no page.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from operations.aws_errors import translated
from operations.errors import DeniedError, InvalidInputError
from operations.runs.failed import LARGEST, Place, broken, place
from operations.runs.records import BATCH_KEYS
from operations.runs.rows import Row, rows_of, unread_row, with_errors
from operations.target import Target
from shared.contracts.executions import ExecutionStatus

SIZE = 50
MOST_LOOKED_AT = 2_000
"""Executions that one page looks at, at most, to find those that a filter wants."""
NEWEST = 100
"""Executions in a look at those that were started last."""
_SEPARATOR = "~"
CURSOR_CHARS = 3_096
"""The longest position that Step Functions takes."""


class Filter(Struct, frozen=True, kw_only=True):
    """Which runs are wanted. `stage` is where a run failed or is degraded; `error` is a part of the error's name.

    `still_failed`: runs that failed or timed out, and that no later execution has mended.
    """

    status: ExecutionStatus | None = None
    stage: str = ""
    error: str = ""
    degraded: bool = False
    still_failed: bool = False
    since: datetime | None = None

    @property
    def needs_records(self) -> bool:
        return bool(self.stage or self.error or self.degraded or self.still_failed)


class Begun(Struct, frozen=True, kw_only=True):
    """What one list says of an execution, without its record."""

    status: ExecutionStatus
    started_at: datetime
    finished_at: datetime | None = None


class Page(Struct, frozen=True, kw_only=True):
    """One page. `cursor` leads to older runs, if there are any; `back_to` is when the oldest one looked at began."""

    rows: tuple[Row, ...]
    cursor: str | None = None
    looked_at: int = 0
    back_to: datetime | None = None
    unread: str = ""
    """Why the records could not be read: the rows then have only what the list of executions says."""


def runs_page(
    target: Target, wanted: Filter | None = None, *, cursor: str | None = None, size: int = SIZE
) -> Page:
    """Return one page of at most `size` runs. Raises InvalidInputError for a cursor that is not known any more."""
    wanted = wanted or Filter()
    if cursor is not None and not 0 < len(cursor) <= CURSOR_CHARS:
        raise _unknown_cursor()
    if wanted.still_failed:
        return _still_failed(target, wanted, cursor, size)
    step = max(1, size // 2) if wanted.needs_records else size
    rows: list[Row] = []
    looked_at, back_to, unread = 0, None, ""
    while True:
        listed, cursor = _listed(target, wanted.status, cursor, step)
        fresh = [one for one in listed if wanted.since is None or one["startDate"] >= wanted.since]
        looked_at += len(fresh)
        back_to = fresh[-1]["startDate"] if fresh else back_to
        try:
            found = rows_of(target, fresh)
        except DeniedError as error:
            if wanted.needs_records:
                raise
            found, unread = [unread_row(target, one) for one in fresh], str(error)
        rows += [row for row in found if _fits(row, wanted)]
        if cursor is None or len(fresh) < len(listed):
            cursor = None
            break
        if len(rows) + step > size or looked_at >= MOST_LOOKED_AT:
            break
    if not wanted.needs_records:
        rows = with_errors(target, rows)
    return Page(rows=tuple(rows), cursor=cursor, looked_at=looked_at, back_to=back_to, unread=unread)


def _still_failed(target: Target, wanted: Filter, cursor: str | None, size: int) -> Page:
    """Return a page of failed runs only: of 100,000 runs few have failed, and the others are not looked at.

    The cursor is the place of the last execution that was looked at, since two lists are merged.
    """
    listed: Iterable[Mapping[str, Any]] = broken(target, wanted.status)
    if cursor is not None:
        before = _place(cursor)
        listed = (execution for execution in listed if place(execution) < before)
    rows: list[Row] = []
    last: Mapping[str, Any] | None = None
    looked_at, older = 0, None
    for execution, row in _with_rows(target, listed):
        if wanted.since is not None and execution["startDate"] < wanted.since:
            break
        fits = _fits(row, wanted)
        if last is not None and (looked_at == MOST_LOOKED_AT or (fits and len(rows) == size)):
            older = _SEPARATOR.join((last["startDate"].isoformat(), last["name"]))
            break
        last, looked_at = execution, looked_at + 1
        rows += [row] if fits else []
    back_to = last["startDate"] if last is not None else None
    return Page(rows=tuple(rows), cursor=older, looked_at=looked_at, back_to=back_to)


def _with_rows(
    target: Target, listed: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], Row]]:
    """Yield executions with their rows. The records are read together, as many as one call returns."""
    rest = iter(listed)
    while chunk := list(islice(rest, BATCH_KEYS)):
        yield from zip(chunk, rows_of(target, chunk), strict=True)


def _place(cursor: str) -> Place:
    began, separator, name = cursor.partition(_SEPARATOR)
    try:
        moment = datetime.fromisoformat(began)
    except ValueError:
        raise _unknown_cursor() from None
    if not separator or moment.tzinfo is None:
        raise _unknown_cursor()
    return moment, name


def newest(target: Target) -> tuple[Begun, ...]:
    """Return the executions that were started last, in one call."""
    listed, _ = _listed(target, None, None, NEWEST)
    return tuple(
        Begun(status=one["status"], started_at=one["startDate"], finished_at=one.get("stopDate"))
        for one in listed
    )


def listed_names(target: Target, most: int) -> list[str]:
    """Return the names of the executions that were started last, at most so many."""
    names: list[str] = []
    cursor: str | None = None
    while len(names) < most:
        listed, cursor = _listed(target, None, cursor, min(LARGEST, most - len(names)))
        names += [one["name"] for one in listed]
        if cursor is None:
            break
    return names


def _listed(
    target: Target, status: ExecutionStatus | None, cursor: str | None, size: int
) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    options: dict[str, Any] = {"stateMachineArn": target.addresses.state_machine_arn, "maxResults": size}
    if status:
        options["statusFilter"] = status
    if cursor:
        options["nextToken"] = cursor
    with translated("list the runs"):
        try:
            answer = target.client("stepfunctions").list_executions(**options)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("InvalidToken", "ValidationException") and cursor:
                raise _unknown_cursor() from error
            raise
    return answer["executions"], answer.get("nextToken")


def _unknown_cursor() -> InvalidInputError:
    return InvalidInputError(
        "This position in the list of runs is not known any more; AWS keeps it for a day. Begin with the newest runs."
    )


def _fits(row: Row, wanted: Filter) -> bool:
    if (wanted.degraded and not row.degraded) or (wanted.still_failed and not row.still_failed):
        return False
    if wanted.stage and wanted.stage != row.stage and wanted.stage not in row.degraded:
        return False
    return wanted.error.lower() in (row.error or "").lower()
