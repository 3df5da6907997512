"""The run that another one is compared with: the last one before it that succeeded in every stage."""

from collections.abc import Callable

from msgspec import Struct

from operations.errors import NotFoundError
from operations.runs.journey import Journey
from operations.runs.pages import Filter, runs_page
from operations.runs.records import read_records
from operations.runs.rows import EXCERPT_CHARS, Row
from operations.target import Target
from shared.contracts.record import Record

MOST_PAGES = 10
"""Pages of successful runs that are looked at, at most."""
PAGES_FOR_MESSAGE = 4
"""Pages among which a good run of the same message is looked for, if there is a good one of another message."""


class Good(Struct, frozen=True, kw_only=True):
    """A good run. `looked_at` counts the successful runs that were looked at."""

    pipeline_id: str
    same_message: bool
    looked_at: int


def last_good(target: Target, journey: Journey) -> Good:
    """Return the last good run of the same message that began before this one, or else the first one after it.

    If there is none, it is one of any message, chosen in the same way.
    Raises NotFoundError if none of the latest successful runs is good.
    """
    began = journey.started_at or journey.accepted_at
    asks_same = _asks_same(target, journey)
    found: dict[tuple[bool, bool], str] = {}
    """By whether it has the same message, and whether it began before this one."""
    looked_at, cursor = 0, None
    for number in range(MOST_PAGES):
        page = runs_page(target, Filter(status="SUCCEEDED"), cursor=cursor)
        looked_at, cursor = looked_at + page.looked_at, page.cursor
        for row in page.rows:
            if row.pipeline_id == journey.pipeline_id or not is_good(row):
                continue
            before = began is None or row.started_at < began
            kind = (asks_same(row), before)
            if not before or kind not in found:  # the nearest one: the last before it, the first after it
                found[kind] = row.pipeline_id
        enough = number + 1 >= PAGES_FOR_MESSAGE and (False, True) in found
        if cursor is None or (True, True) in found or enough:
            break
    for kind in ((True, True), (True, False), (False, True), (False, False)):
        if kind in found:
            return Good(pipeline_id=found[kind], same_message=kind[0], looked_at=looked_at)
    raise NotFoundError(
        f"None of the latest {looked_at:,} successful runs can be compared with {journey.pipeline_id}: there is "
        "no other, or each lacks a stage. Name the run to compare with."
    )


def is_good(row: Row) -> bool:
    """Return whether a run succeeded with all stages, and is the execution that its record tells of."""
    return row.status == "SUCCEEDED" and not row.degraded and not row.replaced


def _asks_same(target: Target, journey: Journey) -> Callable[[Row], bool]:
    """Return a function that tells whether a run has the message, and the conversation, of this one.

    Where a record lacks the hash of both, the beginnings of the messages decide.
    """
    fields = ("request_hash", "excerpt")
    record = read_records(target, [journey.pipeline_id], fields=fields).get(journey.pipeline_id, Record())
    own, excerpt = record.get("request_hash"), record.get("excerpt")
    beginning = str(excerpt or journey.user_message or "")[:EXCERPT_CHARS]

    def same(row: Row) -> bool:
        if own and row.request_hash:
            return own == row.request_hash
        return bool(beginning) and row.excerpt == beginning

    return same
