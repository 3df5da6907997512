"""The run that another one is compared with: the last one before it that succeeded in every stage."""

from operations.errors import NotFoundError
from operations.runs.journey import Journey
from operations.runs.pages import Filter, Row, runs_page
from operations.target import Target

MOST_PAGES = 10
"""Pages of successful runs that are looked at, at most."""


def last_good(target: Target, journey: Journey) -> str:
    """Return the id of the last good run that began before this one; if there is none, of the first one after it.

    Raises NotFoundError if none of the latest successful runs is good.
    """
    began = journey.started_at or journey.accepted_at
    after, looked_at, cursor = "", 0, None
    for _ in range(MOST_PAGES):
        page = runs_page(target, Filter(status="SUCCEEDED"), cursor=cursor)
        looked_at, cursor = looked_at + page.looked_at, page.cursor
        for row in page.rows:
            if row.pipeline_id == journey.pipeline_id or not is_good(row):
                continue
            if began is None or row.started_at < began:
                return row.pipeline_id
            after = row.pipeline_id
        if cursor is None:
            break
    if not after:
        raise NotFoundError(
            f"None of the latest {looked_at:,} successful runs can be compared with {journey.pipeline_id}: there is "
            "no other, or each lacks a stage. Name the run to compare with."
        )
    return after


def is_good(row: Row) -> bool:
    """Return whether a run succeeded with all stages, and is the execution that its record tells of."""
    return row.status == "SUCCEEDED" and not row.degraded and not row.replaced
