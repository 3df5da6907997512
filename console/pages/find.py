"""The search for a run by any id: a run's, an event's, a message's, an execution's or a trace's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from console.models.activity import lines_of
from console.models.archived import address_of
from console.models.tabs import beginning
from console.pages.subjects import acts
from console.routes import link
from console.views import Ask
from operations.errors import NotFoundError
from operations.runs.advice import state
from operations.runs.beginnings import AmbiguousIdError, run_that_begins, uncut
from operations.runs.explain import Explanation, UnknownIdError, explain
from operations.runs.journey import read_journey

SINCE = {"24h": timedelta(hours=24), "7d": timedelta(days=7)}
"""How far back logs are searched."""
LISTED = 50


def page(ask: Ask) -> Response:
    """Go to the run of an id. What only queues, acts and logs know is searched on request: that takes long."""
    wanted = uncut(ask.query.get("q", ""))
    if not wanted:
        return ask.redirect(link("runs"))
    since = ask.query.get("since", "24h")
    if since not in SINCE:
        since = "24h"
    try:
        if run := _run(ask, wanted):
            return ask.redirect(link("run", pipeline_id=run))
        if not ask.desk.searching.acquire(blocking=False):
            text = "Only one search runs at a time. Look again soon."
            return ask.problem(HTTPStatus.TOO_MANY_REQUESTS, "Another search runs", text, retry=True)
        try:
            found = explain(ask.target, wanted, since=SINCE[since])
        finally:
            ask.desk.searching.release()
    except AmbiguousIdError as error:
        return _several(ask, wanted, since, error)
    except UnknownIdError as error:
        return _nothing(ask, wanted, since, error)
    return _found(ask, wanted, since, found)


def _run(ask: Ask, wanted: str) -> str | None:
    """Return the run with this id, or with an id that begins so; None if it has to be searched for."""
    try:
        return read_journey(ask.target, wanted).pipeline_id
    except NotFoundError:
        return run_that_begins(ask.target, wanted)


def _found(ask: Ask, wanted: str, since: str, found: Explanation) -> Response:
    now = datetime.now(UTC)
    runs = [
        (one.pipeline_id, link("run", pipeline_id=one.pipeline_id), beginning(state(one, now)))
        for one in found.journeys
    ]
    if len(runs) == 1 and found.message is None and found.handled is None:
        return ask.redirect(runs[0][1])
    handled = found.handled
    return _page(
        ask,
        wanted,
        since,
        title="Found",
        json={
            "kind": found.kind,
            "found_in": found.where,
            "runs": [one[0] for one in runs],
            "handled": handled,
        },
        found=found,
        runs=runs,
        archived=address_of(handled.message_id, handled.pipeline_id)
        if handled and handled.is_archived
        else "",
        lines=lines_of(handled.acts) if handled else (),
    )


def _several(ask: Ask, wanted: str, since: str, error: AmbiguousIdError) -> Response:
    """List the ids that begin as the one that was given."""
    shown = error.ids[:LISTED]
    addresses: Sequence[str] = [link("find", q=one) for one in shown]
    if error.things == "runs":
        addresses = [link("run", pipeline_id=one) for one in shown]
    left_out = len(error.ids) - len(shown)
    more = f" The first {LISTED}:" if left_out else ""
    return _page(
        ask,
        wanted,
        since,
        title="Several ids",
        json={"error": "ambiguous", "message": str(error), "ids": error.ids},
        text=f"The ids of {len(error.ids):,} {error.things} begin so.{more}",
        runs=[(one, address, "") for one, address in zip(shown, addresses, strict=True)],
    )


def _nothing(ask: Ask, wanted: str, since: str, error: UnknownIdError) -> Response:
    hint = " Another environment is another console." if error.is_elsewhere else ""
    return _page(
        ask,
        wanted,
        since,
        title="Not found",
        status=HTTPStatus.NOT_FOUND,
        json={"error": "not found", "message": str(error)},
        text=f"{error}{hint}",
        further="" if since == "7d" or error.is_elsewhere else link("find", q=wanted, since="7d"),
    )


def _page(
    ask: Ask, wanted: str, since: str, *, title: str, status: int = HTTPStatus.OK, **values: Any
) -> Response:
    whole = {"text": "", "found": None, "further": "", "runs": (), "archived": "", "lines": (), **values}
    return ask.page(
        "find.html",
        title=title,
        command=("explain", "--since", since, wanted),
        status=status,
        json=whole.pop("json"),
        wanted=wanted,
        **acts(ask.desk),
        **whole,
    )
