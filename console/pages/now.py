"""The first page: the state of the whole system, live."""

from typing import Any

from starlette.responses import Response

from console.live.feed import Feed, Look
from console.live.stream import streamed
from console.models.now import now_view
from console.routes import link
from console.views import Ask, as_json
from operations.errors import UnreachableError
from operations.health.watch import Snapshot, look


def page(ask: Ask) -> Response:
    feed = _feed(ask)
    latest = feed.latest()
    if latest.value is None:
        raise UnreachableError(latest.error)
    if ask.wants_json:
        return as_json(latest.value)
    return ask.page(
        "now.html", title="Now", command=("watch",), live=link("live-now"), **_values(feed, latest)
    )


def live(ask: Ask) -> Response:
    """Stream the page's state."""
    feed = _feed(ask)
    return streamed(ask.desk.feeds, feed, lambda seen: ask.fragment("now_now.html", **_values(feed, seen)))


def _feed(ask: Ask) -> Feed[Snapshot]:
    return ask.desk.feeds.feed("now", lambda: look(ask.target))


def _values(feed: Feed[Snapshot], latest: Look[Snapshot]) -> dict[str, Any]:
    view = now_view(latest.value, list(feed.history)) if latest.value else None
    return {"view": view, "error": latest.error}
