"""Archived messages: the list, which is read on request, and one message."""

from http import HTTPStatus

from starlette.responses import Response

from console.models.archived import archived_row, archived_view
from console.models.event import event_text
from console.pages.reading import live_address, shown, state_of
from console.routes import link
from console.text import whole
from console.views import Ask, plain
from operations.dlq.archive import Archive, read_archived
from operations.dlq.journal import UNKNOWN, Archived
from operations.errors import NotFoundError
from operations.json_text import loosely
from operations.runs.records import is_key

SUBJECT = "archived"


def page(ask: Ask) -> Response:
    state = state_of(ask, SUBJECT)
    found: Archive | None = state.value
    values = shown(SUBJECT, state)
    if found is not None:
        values["read"] = archived_view(found, number=whole(ask.query.get("page", "")) or 0)
    return ask.page(
        "archived.html",
        title="Archived messages",
        command=("dlq", "export", "--archived"),
        json={"archived": found, "read_at": state.read_at, "phase": state.phase},
        current="parked",
        live=live_address(SUBJECT, state),
        **values,
    )


def message(ask: Ask) -> Response:
    one = _read(ask)
    row = archived_row(one)
    return ask.page(
        "archived_message.html",
        title="Archived message",
        command=("dlq", "export", "--archived", "--id", one.message_id),
        status=HTTPStatus.OK,
        json={"message": row, "event": loosely(one.body)},
        current="parked",
        message=one,
        row=row,
        event=event_text(one.body, ()),
        raw=link("archived-raw", message_id=one.message_id, run=ask.query.get("run", "")),
    )


def raw(ask: Ask) -> Response:
    """Return an archived message's body, which has no task token, as a text to save."""
    one = _read(ask)
    return plain(one.body, f"{one.message_id[:64]}.txt".replace('"', ""))


def _read(ask: Ask) -> Archived:
    run, message_id = ask.query.get("run", "") or UNKNOWN, ask.params["message_id"]
    found = read_archived(ask.target, run, message_id) if is_key(run) and is_key(message_id) else None
    if found is None:
        raise NotFoundError(
            f"There is no archived message {message_id} of run {run}. Archived messages are kept for 400 days; "
            "the search above finds one by its id alone."
        )
    return found
