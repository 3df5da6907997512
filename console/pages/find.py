"""The search for a run by any id: a run's, an event's, a message's, an execution's or a trace's."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from starlette.responses import Response

from console.routes import link
from console.views import Ask
from operations.errors import NotFoundError
from operations.runs.advice import state
from operations.runs.explain import explain
from operations.runs.journey import read_journey

SINCE = {"24h": timedelta(hours=24), "7d": timedelta(days=7)}
"""How far back logs are searched."""


def page(ask: Ask) -> Response:
    """Go to the run of an id. What only queues and logs know is searched on request: that takes long."""
    wanted = ask.query.get("q", "").strip()
    if not wanted:
        return ask.redirect(link("runs"))
    try:
        return ask.redirect(link("run", pipeline_id=read_journey(ask.target, wanted).pipeline_id))
    except NotFoundError:
        pass
    since = ask.query.get("since", "24h")
    if since not in SINCE:
        since = "24h"
    if not ask.desk.searching.acquire(blocking=False):
        return ask.problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "Another search runs",
            "Only one search runs at a time. Look again soon.",
            retry=True,
        )
    try:
        found = explain(ask.target, wanted, since=SINCE[since])
    except NotFoundError as error:
        return ask.page(
            "find.html",
            title="Not found",
            command=("explain", "--since", since, wanted),
            status=HTTPStatus.NOT_FOUND,
            json={"error": "not found", "message": str(error)},
            wanted=wanted,
            text=str(error),
            found=None,
            further="" if since == "7d" else link("find", q=wanted, since="7d"),
            runs=(),
        )
    finally:
        ask.desk.searching.release()
    runs = [
        (one.pipeline_id, link("run", pipeline_id=one.pipeline_id), state(one, datetime.now(UTC)))
        for one in found.journeys
    ]
    if len(runs) == 1 and found.message is None:
        return ask.redirect(runs[0][1])
    return ask.page(
        "find.html",
        title="Found",
        command=("explain", "--since", since, wanted),
        json={"kind": found.kind, "found_in": found.where, "runs": [one[0] for one in runs]},
        wanted=wanted,
        text="",
        found=found,
        further="",
        runs=runs,
    )
