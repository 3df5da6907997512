"""An event by hand: its type chosen, an example filled in, its contract checked while one types, then published."""

import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from console.routes import link
from console.security.rules import TEXT_BYTES
from console.views import Ask, html
from operations.asking.publish import ContractBrokenError, draft, publish
from operations.errors import InvalidInputError, OperationError
from operations.json_text import written
from operations.violations import Violation
from shared.contracts.envelope import INBOUND_EVENT

DEFAULT = f"{INBOUND_EVENT}.v2"
MOST = 50
"""Violations of one event that are told."""
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def page(ask: Ask) -> Response:
    """Show the form with an example of the event that the query names."""
    return _form(ask, ask.query.get("type", DEFAULT))


def example(ask: Ask) -> Response:
    """Fill in an example of the event that is chosen in the list."""
    return ask.redirect(link("publish", type=ask.form.get("type", "")))


def check(ask: Ask) -> Response:
    """Say, while somebody types, how the event would break its contract."""
    return html(ask.fragment("message_check.html", problems=problems(ask.form), checked=True))


def send(ask: Ask) -> Response:
    """Publish the event that is chosen in the list, if it keeps its contract, and lead to the run that it starts.

    If another one was chosen when the page was drawn, the page is drawn anew first: it says what publishing does.
    """
    detail_type, text = ask.form.get("type", ""), ask.form.get("event", "")
    if (drawn := ask.form.get("drawn", detail_type)) != detail_type:
        error = (
            f"You chose another event than {drawn}, of which this page was, so nothing was published yet. "
        )
        error += f"Look at it again: pressing Publish now sends {detail_type}."
        return _form(ask, detail_type, text, error, HTTPStatus.BAD_REQUEST)
    if problems(ask.form):
        error = "The event breaks its contract, so nothing was published."
        return _form(ask, detail_type, text, error, HTTPStatus.BAD_REQUEST)
    try:
        published = publish(ask.target, draft(text, detail_type=detail_type))
    except OperationError as error:
        return _form(ask, detail_type, text, str(error), HTTPStatus.BAD_GATEWAY)
    if published.detail_type.startswith(f"{INBOUND_EVENT}."):
        ask.desk.questions.add(published.pipeline_id)
        return ask.redirect(link("asked", pipeline_id=published.pipeline_id))
    return ask.redirect(link("publish", type=published.detail_type, published=published.event_id))


def problems(form: Mapping[str, str]) -> list[Violation]:
    """Return how the event in a form breaks its contract."""
    try:
        draft(form.get("event", ""), detail_type=form.get("type", ""))
    except ContractBrokenError as error:
        return list(error.violations[:MOST])
    except InvalidInputError as error:
        return [Violation("$", str(error))]
    return []


def _form(
    ask: Ask, detail_type: str, text: str | None = None, error: str = "", status: int = HTTPStatus.OK
) -> Response:
    from contracts.catalogue import entry, versions  # noqa: PLC0415 -- slow to import, and needed for these pages only

    known = {one.detail_type: one for one in versions()}
    if detail_type not in known:
        raise InvalidInputError("There is no such event. Choose one of the list.")
    if text is None:
        text = _example(detail_type, entry(detail_type).examples[0])
    published = ask.query.get("published", "")
    refusal = ask.desk.lock.refusal()
    version = known[detail_type]
    return ask.page(
        "publish.html",
        title="Publish an event",
        command=("publish", "--detail-type", detail_type, "detail.json"),
        status=status,
        current="ask",
        tab="publish",
        detail_type=detail_type,
        types=list(known),
        address=link("event", name=version.name, version=version.version),
        starts_run=version.name == INBOUND_EVENT,
        text=text,
        most=TEXT_BYTES,
        problems=problems({"type": detail_type, "event": text}) if error else (),
        error=error,
        published=link("find", q=published) if _ID.fullmatch(published) else "",
        event_id=published,
        locked=refusal.text if refusal else "",
    )


def _example(detail_type: str, detail: Mapping[str, Any]) -> str:
    """Return an example to change; one that starts a run names it, so that sending it twice starts one run."""
    if detail_type.startswith(f"{INBOUND_EVENT}."):
        detail = {"metadata": {"pipeline_id": f"console-{secrets.token_hex(12)}"}, **detail}
    return written(detail, indent=2)
