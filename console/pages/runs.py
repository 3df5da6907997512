"""The list of runs, by pages, with its filters in the address. New rows wait until they are asked for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from console.live.feed import Feed, Look
from console.live.stream import streamed
from console.models.runs import RunsView, Since, news, runs_view
from console.routes import link
from console.views import RESTARTED, Ask
from operations.errors import InvalidInputError
from operations.money.budget import notice
from operations.runs.pages import Begun, Filter, newest, runs_page
from shared.contracts.executions import EXECUTION_STATUSES
from shared.contracts.stages import EVERY

AGES = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
TEXT_CHARS = 200
NAMES = ("status", "stage", "error", "degraded", "still_failed", "since")
FLAGS = ("degraded", "still_failed")
"""The filters that are set or not."""


def page(ask: Ask) -> Response:
    wanted = filter_of(ask)
    cursor = ask.query.get("cursor") or None
    found = runs_page(ask.target, wanted, cursor=cursor)
    chosen = {name: ask.query.get(name, "") for name in NAMES}
    older = link("runs", **chosen, cursor=found.cursor) if found.cursor else ""
    view = runs_view(found)
    status = ("--status", wanted.status) if wanted.status else ()
    still_failed = ("--still-failed",) if wanted.still_failed else ()
    return ask.page(
        "runs.html",
        title="Runs",
        command=("list", *status, *still_failed),
        json=found,
        live="" if cursor else _stream(ask, view, chosen, wanted),
        view=view,
        chosen=chosen,
        chips=_chips(chosen),
        news="",
        unread=found.unread,
        restarted=RESTARTED if ask.desk.environment.restarts else "",
        error="",
        address=link("runs", **chosen),
        is_filtered=any(chosen.values()),
        needs_records=wanted.needs_records,
        statuses=EXECUTION_STATUSES,
        stages=[stage.key for stage in EVERY],
        ages=tuple(AGES),
        older=older,
        is_first=cursor is None,
        paused="" if cursor else notice(ask.target) or "",
    )


def live(ask: Ask) -> Response:
    """Stream how many runs wait to be shown. All tabs share one look, whatever their filters."""
    chosen = {name: ask.query.get(name, "") for name in NAMES}
    shown = Since(
        at=_moment(ask, "at") or datetime.now(UTC),
        newest=_moment(ask, "newest"),
        oldest=_moment(ask, "oldest"),
        status=chosen["status"],
        is_searched=filter_of(ask).needs_records,
    )

    def draw(seen: Look[tuple[Begun, ...]]) -> str:
        is_new = str(ask.desk.environment.restarts or "") != ask.query.get("restarts", "")
        told = RESTARTED if is_new else news(seen.value or (), shown)
        return ask.fragment("runs_now.html", news=told, error=seen.error, address=link("runs", **chosen))

    feed: Feed[tuple[Begun, ...]] = ask.desk.feeds.feed("runs", lambda: newest(ask.target))
    return streamed(ask.desk.feeds, feed, draw)


def _stream(ask: Ask, view: RunsView, chosen: Mapping[str, str], wanted: Filter) -> str:
    """Return the address of the page's stream, which names what the page shows."""
    rows = view.rows
    return link(
        "live-runs",
        **chosen,
        restarts=ask.desk.environment.restarts or "",
        at=datetime.now(UTC).isoformat(),
        newest=rows[0].started_at.isoformat() if rows and not wanted.needs_records else "",
        oldest=rows[-1].started_at.isoformat() if rows else "",
    )


def _moment(ask: Ask, name: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(ask.query.get(name, "")[:TEXT_CHARS])
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _chips(chosen: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each filter that is set, in words, with the address of the list without it."""
    return [
        (name.replace("_", " ") if name in FLAGS else f"{name} {value}", link("runs", **{**chosen, name: ""}))
        for name, value in chosen.items()
        if value
    ]


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
        still_failed=bool(ask.query.get("still_failed")),
        since=datetime.now(UTC) - AGES[since] if since else None,
    )
