"""The inbox of answers that wait for a person's approval, and the form of a decision."""

from datetime import UTC, datetime

from starlette.responses import Response

from console.models.approvals import inbox_view, item_view
from console.routes import link
from console.views import Ask
from operations.approvals import TABLE, Approvals
from operations.errors import InvalidInputError


def page(ask: Ask) -> Response:
    """List what waits, the oldest first."""
    is_on = ask.has(TABLE)
    items = Approvals(ask.target).listed() if is_on else []
    return ask.page(
        "approvals.html",
        title="Approvals",
        command=("approvals", "list"),
        json=items,
        rows=inbox_view(items, datetime.now(UTC)),
        is_on=is_on,
    )


def item(ask: Ask) -> Response:
    """Show a message with its answer, and the forms; after a decision, who decided and how."""
    pipeline_id = ask.params["pipeline_id"]
    waiting = Approvals(ask.target).read(pipeline_id)
    refusal = ask.desk.lock.refusal()
    return ask.page(
        "approval.html",
        title="An answer that waits for approval",
        current="approvals",
        command=("approvals", "show", pipeline_id),
        json=waiting,
        view=item_view(waiting, datetime.now(UTC)),
        locked=refusal.text if refusal else "",
    )


def decide(ask: Ask) -> Response:
    """Take a decision in the name of whose credentials the console has."""
    pipeline_id, reason = ask.params["pipeline_id"], ask.form.get("reason", "").strip()
    text = ask.form.get("text", "").replace("\r\n", "\n").strip()
    inbox = Approvals(ask.target)
    match ask.form.get("decision"):
        case "approve":
            inbox.approve(pipeline_id, reason=reason)
        case "reject":
            inbox.reject(pipeline_id, reason=reason, text=text or None)
        case "edit":
            inbox.edit(pipeline_id, text=text, reason=reason)
        case _:
            raise InvalidInputError("There is no such decision. Use the buttons of the answer's page.")
    return ask.redirect(link("approval", pipeline_id=pipeline_id))
