"""The list of runs, by pages, with its filters in the address."""

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from console.models.runs import runs_view
from console.routes import link
from console.views import Ask
from operations.errors import InvalidInputError
from operations.money.budget import notice
from operations.runs.pages import Filter, runs_page
from shared.contracts.executions import EXECUTION_STATUSES
from shared.contracts.stages import STAGES

AGES = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
TEXT_CHARS = 200
NAMES = ("status", "stage", "error", "degraded", "since")


def page(ask: Ask) -> Response:
    wanted = filter_of(ask)
    cursor = ask.query.get("cursor") or None
    found = runs_page(ask.target, wanted, cursor=cursor)
    chosen = {name: ask.query.get(name, "") for name in NAMES}
    older = link("runs", **chosen, cursor=found.cursor) if found.cursor else ""
    status = ("--status", wanted.status) if wanted.status else ()
    return ask.page(
        "runs.html",
        title="Runs",
        command=("list", *status),
        json=found,
        view=runs_view(found),
        chosen=chosen,
        is_filtered=any(chosen.values()),
        needs_records=wanted.needs_records,
        statuses=EXECUTION_STATUSES,
        stages=[stage.key for stage in STAGES],
        ages=tuple(AGES),
        older=older,
        is_first=cursor is None,
        paused="" if cursor else notice(ask.target) or "",
    )


def filter_of(ask: Ask) -> Filter:
    """Return the filter in a request's query. Raises InvalidInputError for a value that is none of the choices."""
    status, since = ask.query.get("status", ""), ask.query.get("since", "")
    known = next((name for name in EXECUTION_STATUSES if name == status), None)
    if (status and known is None) or (since and since not in AGES):
        raise InvalidInputError("This list has no such filter. Choose one of those above the list.")
    return Filter(
        status=known,
        stage=ask.query.get("stage", "")[:TEXT_CHARS],
        error=ask.query.get("error", "")[:TEXT_CHARS],
        degraded=bool(ask.query.get("degraded")),
        since=datetime.now(UTC) - AGES[since] if since else None,
    )
