"""The first page: the state of the whole system, live."""

from typing import Any

from starlette.responses import Response

from console.live.feed import Feed, Look
from console.live.stream import streamed
from console.models.costs import BudgetView, budget_view
from console.models.now import NOT_KNOWN, now_view
from console.models.parked import ParkedView, parked_view
from console.routes import link
from console.views import Ask, as_json
from operations.errors import OperationError, UnreachableError
from operations.health.watch import Snapshot, look
from operations.money.budget import read_budget


def page(ask: Ask) -> Response:
    feed = _feed(ask)
    latest = feed.latest()
    if latest.value is None:
        raise latest.cause or UnreachableError(latest.error)
    if ask.wants_json:
        return as_json(latest.value)
    return ask.page(
        "now.html", title="Now", command=("watch",), live=link("live-now"), **_values(ask, feed, latest)
    )


def live(ask: Ask) -> Response:
    """Stream the page's state."""
    feed = _feed(ask)
    return streamed(
        ask.desk.feeds, feed, lambda seen: ask.fragment("now_now.html", **_values(ask, feed, seen))
    )


def _feed(ask: Ask) -> Feed[Snapshot]:
    return ask.desk.feeds.feed("now", lambda: look(ask.target))


def _values(ask: Ask, feed: Feed[Snapshot], latest: Look[Snapshot]) -> dict[str, Any]:
    view = now_view(latest.value, list(feed.history)) if latest.value else None
    return {
        "view": view,
        "error": latest.error,
        "unknown": NOT_KNOWN,
        "budget": _budget(ask),
        "parked": _parked(ask),
    }


def _budget(ask: Ask) -> BudgetView | None:
    """Return today's budget; None if there is none, or it can't be read: the rest of the page stays."""
    try:
        seen = ask.desk.feeds.feed("budget", lambda: read_budget(ask.target)).latest().value
    except OperationError:
        return None
    return None if seen is None else budget_view(seen, ask.desk.environment.env)


def _parked(ask: Ask) -> ParkedView | None:
    """Return what the last reading of the queues found, without reading them."""
    try:
        snapshot = ask.desk.shelf.shown(ask.target).snapshot
    except OperationError:
        return None
    return parked_view(snapshot, ()) if snapshot and snapshot.planned else None
