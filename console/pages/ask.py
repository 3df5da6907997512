"""Asking: a message, then each stage as it happens, then the answer."""

import secrets
from datetime import UTC, datetime
from http import HTTPStatus

from markupsafe import Markup
from msgspec import Struct
from starlette.responses import Response

from console.live.feed import Look
from console.live.stream import streamed
from console.markdown import markdown
from console.models.run import PAYLOAD_CHARS, RunView, run_view
from console.pages.run import is_settled
from console.routes import link
from console.views import Ask
from operations.asking.submit import Request, submit
from operations.errors import InvalidInputError, OperationError
from operations.runs.journey import Journey, read_journey
from shared.contracts import limits

EXAMPLES = (
    "What is an event-driven architecture, and when should I use one?",
    "Compare TCP and UDP in a table.",
    "Why does this loop forever? `while x > 0: y -= 1`",
)


class Asked(Struct, frozen=True, kw_only=True):
    """A question and how far its answer is."""

    run: RunView
    message: str
    answer: Markup | None
    left_out: int


def page(ask: Ask) -> Response:
    """Show the form; with the message of an earlier run, if one is named."""
    message = ""
    if earlier := ask.query.get("again"):
        message = read_journey(ask.target, earlier).user_message or ""
    return _form(ask, message, _new_key())


def send(ask: Ask) -> Response:
    """Submit the message. The form's key makes a repetition, e.g. of an impatient reader, the same run."""
    message, key = ask.form.get("message", "").replace("\r\n", "\n"), ask.form.get("key", "")
    try:
        accepted = submit(ask.target, Request(user_message=message, idempotency_key=key))
    except InvalidInputError as error:
        return _form(ask, message, _new_key(), str(error), HTTPStatus.BAD_REQUEST)
    except OperationError as error:  # it may have been accepted: the same key again finds it
        return _form(ask, message, key, str(error), HTTPStatus.BAD_GATEWAY)
    return ask.redirect(link("asked", pipeline_id=accepted.pipeline_id))


def asked(ask: Ask) -> Response:
    """Show a question, its progress and its answer."""
    pipeline_id = ask.params["pipeline_id"]
    journey = read_journey(ask.target, pipeline_id)
    return ask.page(
        "asked.html",
        title="Asked",
        command=("show", "--follow", pipeline_id),
        json=journey,
        current="ask",
        live="" if is_settled(journey) else link("live-asked", pipeline_id=pipeline_id),
        view=_view(journey),
        error="",
        again=link("ask", again=pipeline_id),
    )


def live(ask: Ask) -> Response:
    """Stream the progress of a question until it is answered or has failed."""
    pipeline_id = ask.params["pipeline_id"]
    read_journey(ask.target, pipeline_id)
    feed = ask.desk.feeds.feed(f"journey {pipeline_id}", lambda: read_journey(ask.target, pipeline_id))

    def draw(seen: Look[Journey]) -> str:
        if seen.value is None:
            return ask.fragment("lost.html", error=seen.error)
        return ask.fragment("asked_now.html", view=_view(seen.value), error=seen.error)

    return streamed(
        ask.desk.feeds, feed, draw, ended=lambda seen: seen.value is not None and is_settled(seen.value)
    )


def _view(journey: Journey) -> Asked:
    answer = journey.final_response
    return Asked(
        run=run_view(journey, None, datetime.now(UTC)),
        message=journey.user_message or "",
        answer=markdown(answer[:PAYLOAD_CHARS]) if answer else None,
        left_out=max(0, len(answer or "") - PAYLOAD_CHARS),
    )


def _form(ask: Ask, message: str, key: str, error: str = "", status: int = HTTPStatus.OK) -> Response:
    refusal = ask.desk.lock.refusal()
    return ask.page(
        "ask.html",
        title="Ask",
        command=("submit", "--wait", '"…"'),
        status=status,
        current="ask",
        message=message,
        key=key,
        error=error,
        most=limits.MESSAGE_CHARS,
        locked=refusal.text if refusal else "",
        examples=EXAMPLES,
    )


def _new_key() -> str:
    return f"console-{secrets.token_hex(16)}"
