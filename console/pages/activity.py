"""Activity: who replayed, redrove, archived or ordered what.

The audit of one run is read at once, that of all runs on request.
"""

from starlette.responses import Response

from console.live.feed import Look
from console.live.stream import streamed
from console.models.activity import SIZE, Now, activity_view, lines_of, running
from console.models.plan_lines import short_name
from console.pages.reading import live_address, shown, state_of
from console.pages.subjects import PLANS, acts
from console.routes import link
from console.text import whole
from console.views import Ask
from operations.dlq.audit import Audit
from operations.dlq.journal import audit
from operations.errors import NotDeployedError, OperationError
from operations.money.budget import read_budget
from operations.runs.records import is_key
from shared.budget import Orders

SUBJECT = "audit"
LATEST = 20
"""The newest jobs, among which those that go on are."""


def page(ask: Ask) -> Response:
    if run := ask.query.get("run", "").strip():
        return _of_run(ask, run)
    state = state_of(ask, SUBJECT)
    found: Audit | None = state.value
    what, number = ask.query.get("what", ""), whole(ask.query.get("page", "")) or 0
    orders, trouble = _orders(ask)
    values = shown(SUBJECT, state)
    if found is not None:
        values["read"] = activity_view(found, what=what, number=number)
    return ask.page(
        "activity.html",
        title="Activity",
        command=("show", "ID"),
        json={"audit": found, "orders": orders, "read_at": state.read_at, "phase": state.phase},
        live=link("live-activity"),
        read_live=live_address(SUBJECT, state),
        now=_now(ask),
        orders=orders,
        who=short_name(orders.by or "") if orders else "",
        trouble=trouble,
        run="",
        **acts(ask.desk),
        **values,
    )


def live(ask: Ask) -> Response:
    """Stream what runs now: plans, batches, and the reading of the queues."""
    feed = ask.desk.feeds.feed("activity", lambda: _now(ask))

    def draw(seen: Look[Now]) -> str:
        if seen.value is None:
            return ask.fragment("lost.html", error=seen.error)
        return ask.fragment("activity_now.html", now=seen.value)

    return streamed(ask.desk.feeds, feed, draw)


def _now(ask: Ask) -> Now:
    plans = (job for job in ask.desk.jobs.latest(LATEST) if job.kind == PLANS)
    return Now(running=running(plans, ask.desk.batches.latest(LATEST)), reading=_reading(ask))


def _of_run(ask: Ask, run: str) -> Response:
    entries = audit(ask.target, run)[::-1] if is_key(run) else []
    return ask.page(
        "activity.html",
        title="Activity",
        command=("show", run),
        json={"audit": entries},
        lines=lines_of(entries[:SIZE]),
        read=None,
        orders=None,
        who="",
        trouble="",
        run=run,
        **acts(ask.desk),
    )


def _reading(ask: Ask) -> str:
    """Return how far the reading of the dead-letter queues is; nothing if none goes on."""
    try:
        return ask.desk.shelf.shown(ask.target).reading
    except OperationError:
        return ""


def _orders(ask: Ask) -> tuple[Orders | None, str]:
    """Return the latest order to the budget's guard, or why it can't be read; nothing without a budget."""
    try:
        orders = read_budget(ask.target).orders
    except NotDeployedError:
        return None, ""
    except OperationError as error:
        return None, str(error)
    return (orders if orders.by else None), ""
