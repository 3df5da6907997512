"""One parked message: its event, what is wrong with it, what a replay would do, and its correction."""

from http import HTTPStatus

from starlette.responses import Response

from console.models.event import event_text
from console.models.parked import TONES, cost, idle, left, run_address, where
from console.pages.parked import unread
from console.routes import link
from console.security.rules import TEXT_BYTES
from console.text import editable
from console.views import Ask, html, plain
from operations.dlq.causes import has_alike, key_of
from operations.dlq.contract import correctable, problems, problems_of_correction
from operations.dlq.messages import Parked, about
from operations.dlq.plan import Planned
from operations.dlq.snapshot import Snapshot
from operations.errors import NotFoundError
from operations.health.rights import is_denial
from operations.json_text import loosely, written
from operations.money.estimate import estimate, work_of_message
from operations.runs.records import read_record

SHOWN = ("status", "stage", "error", "cause")


def page(ask: Ask) -> Response:
    message_id = ask.params["message_id"]
    snapshot, item = found(ask, message_id)
    if snapshot is None or item is None:
        text = (
            "It was not parked when the queues were read: it was replayed or archived, or SQS has deleted it."
            if snapshot
            else "The queues were not read since this console was started."
        )
        return unread(ask, "No such parked message", text)
    return shown(ask, snapshot, item)


def shown(  # noqa: PLR0913 -- a page, or one with a refused correction
    ask: Ask,
    snapshot: Snapshot,
    item: Planned,
    *,
    text: str | None = None,
    error: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    """Return the page of a message; with a correction that was refused, and why, if there is one."""
    message = item.message
    wrong = problems(message)
    run = _run(ask, message)
    data = editable_data(message)
    refusal = ask.desk.lock.refusal()
    decision = {"action": item.decision.action, "reason": item.decision.reason}
    return ask.page(
        "message.html",
        title="Parked message",
        command=("dlq", "show", message.id),
        json={
            **about(message),
            **decision,
            "run": run or None,
            "violations": wrong,
            "event": loosely(message.public_body),
        },
        status=status,
        current="parked",
        message=message,
        error_text=message.error,
        is_denial=is_denial(message.error_type, message.error),
        where=where(message),
        left=left(message.deleted_at),
        cause=link("parked", cause=key_of(item)),
        run=run,
        run_address=run_address(message.pipeline_id, has_run=item.has_run or bool(run)),
        idle=idle([item]) and "A replay would leave it parked.",
        decision=item.decision,
        tone=TONES[item.decision.action],
        cost=cost(estimate([work_of_message(item)], snapshot.rates)),
        event=event_text(message.public_body, wrong),
        wrong=wrong,
        raw=link("message-raw", message_id=message.id),
        seen_at=snapshot.at,
        data=data if text is None else text,
        can_edit=data is not None,
        has_alike=has_alike(snapshot.planned, item),
        most=TEXT_BYTES,
        problems=problems_of_correction(message, text) if text is not None else (),
        error=error,
        locked=refusal.text if refusal else "",
    )


def raw(ask: Ask) -> Response:
    """Return the message's body, without its task token, as a text to save."""
    _, item = found(ask, ask.params["message_id"])
    if item is None:
        raise NotFoundError("This message was not parked when the queues were read.")
    return plain(item.message.public_body, f"{item.message.id[:64]}.txt".replace('"', ""))


def check(ask: Ask) -> Response:
    """Say, while somebody types, how the corrected message would break its contract."""
    _, item = found(ask, ask.params["message_id"])
    if item is None:
        return html(
            ask.fragment("lost.html", error="This message is no longer on the last reading of the queues.")
        )
    text = ask.form.get("data", "")
    return html(
        ask.fragment("message_check.html", problems=problems_of_correction(item.message, text), checked=True)
    )


def found(ask: Ask, message_id: str) -> tuple[Snapshot | None, Planned | None]:
    snapshot = ask.desk.shelf.shown(ask.target).snapshot
    return snapshot, snapshot.find(message_id) if snapshot else None


def editable_data(message: Parked) -> str | None:
    """Return the data of a message as a text to correct; None if it has none, or none that can be shown whole."""
    data = correctable(message)
    return None if data is None else editable(written(data, indent=2))


def _run(ask: Ask, message: Parked) -> dict[str, str]:
    record = read_record(ask.target, message.pipeline_id) if message.pipeline_id else None
    return {name: str(record[name]) for name in SHOWN if record and record.get(name)}  # type: ignore[literal-required]
