"""Parked messages by cause, from one reading of the queues that everybody shares; live while it goes on."""

from datetime import datetime
from http import HTTPStatus
from shlex import quote
from typing import Any

from starlette.responses import Response

from console.live.feed import Feed, Look
from console.live.stream import streamed
from console.models.parked import cause_view, parked_view
from console.routes import link
from console.security.gate import local_path
from console.text import whole
from console.views import Ask, plain
from operations.dlq.causes import of_cause
from operations.dlq.journal import as_json_lines
from operations.dlq.snapshot import Count, counts
from operations.errors import NotFoundError, UnreachableError

DRY_RUN = ("dlq", "replay", "--dry-run")
UNREAD = "The queues were not read since this console was started. Read them first, then try again."


def page(ask: Ask) -> Response:
    """Show the causes, or the messages of one. The queues are read when the button is pressed, not by looking."""
    if key := ask.query.get("cause", ""):
        return _cause(ask, key)
    seen = _feed(ask).latest()
    if seen.value is None:
        raise seen.cause or UnreachableError(seen.error)
    values = _values(ask, seen)
    return ask.page(
        "parked.html",
        title="Parked messages",
        command=("dlq", "list"),
        json={"counts": seen.value, "reading": values["reading"], "parked": values["view"]},
        live=link("live-parked"),
        **values,
    )


def live(ask: Ask) -> Response:
    """Stream the page's state: SQS's counts, the progress of a reading, the causes."""
    return streamed(
        ask.desk.feeds, _feed(ask), lambda seen: ask.fragment("parked_now.html", **_values(ask, seen))
    )


def read(ask: Ask) -> Response:
    """Begin a reading of the queues, or join the one that goes on."""
    if not ask.desk.shelf.read(ask.target):
        number = ask.desk.jobs.running("replay")
        name = f"Plan {number}" if number else "A plan"
        return ask.problem(
            HTTPStatus.CONFLICT, "Not now", f"{name} is being carried out. Read the queues when it has acted."
        )
    return ask.redirect(local_path(ask.form.get("to", link("parked"))))


def export(ask: Ask) -> Response:
    """Return the messages of the last reading, or of one cause, as JSON lines to save."""
    snapshot = ask.desk.shelf.shown(ask.target).snapshot
    if snapshot is None:
        raise NotFoundError(UNREAD)
    key = ask.query.get("cause", "")
    items = of_cause(snapshot.planned, key) if key else list(snapshot.planned)
    text = "".join(f"{as_json_lines(item.message)}\n" for item in items)
    return plain(text, "parked.jsonl")


def messages_of(ask: Ask, pipeline_id: str) -> list[tuple[str, str]]:
    """Return the parked messages of a run, as far as somebody has read them: looking reads no queue."""
    snapshot = ask.desk.shelf.shown(ask.target).snapshot
    return [
        (link("message", message_id=item.message.id), item.message.error_type)
        for item in (snapshot.planned if snapshot else ())
        if item.message.pipeline_id == pipeline_id
    ][:5]


def read_since(ask: Ask, moment: datetime | None) -> datetime | None:
    """Return when the queues were read; None if that was not after this moment, or did not find all."""
    snapshot = ask.desk.shelf.shown(ask.target).snapshot
    if snapshot is None or snapshot.left_out or moment is None or snapshot.at <= moment:
        return None
    return snapshot.at


def unread(ask: Ask, title: str, text: str) -> Response:
    """Return a page that says what a reading of the queues is needed for, with the button that begins one."""
    return ask.page(
        "unread.html",
        title=title,
        status=HTTPStatus.NOT_FOUND,
        json={"error": "not found", "message": text},
        current="parked",
        text=text,
    )


def _cause(ask: Ask, key: str) -> Response:
    snapshot = ask.desk.shelf.shown(ask.target).snapshot
    view = cause_view(snapshot, key, whole(ask.query.get("start", "")) or 0) if snapshot else None
    if view is None:
        text = "No message of this cause was parked when the queues were read." if snapshot else UNREAD
        return unread(ask, "Nothing of this cause", text)
    refusal = ask.desk.lock.refusal()
    return ask.page(
        "cause.html",
        title="Parked messages of one cause",
        command=(*DRY_RUN, "--service", view.cause.service, "--error", quote(view.cause.error_type)),
        json=view,
        current="parked",
        view=view,
        locked=refusal.text if refusal else "",
    )


def _feed(ask: Ask) -> Feed[tuple[Count, ...]]:
    return ask.desk.feeds.feed("parked", lambda: tuple(counts(ask.target)))


def _values(ask: Ask, seen: Look[tuple[Count, ...]]) -> dict[str, Any]:
    """Return what the page shows. The shelf is looked at anew: it costs nothing, and may have changed just now."""
    known = seen.value or ()
    shown = ask.desk.shelf.shown(ask.target)
    return {
        "view": parked_view(shown.snapshot, known) if shown.snapshot else None,
        "parked": sum(one.visible + one.held for one in known),
        "held": sum(one.held for one in known),
        "queues": [one for one in known if one.visible or one.held],
        "reading": shown.reading,
        "error": seen.error or shown.error,
        "counts_error": seen.error,
        "running": ask.desk.jobs.running("replay"),
    }
