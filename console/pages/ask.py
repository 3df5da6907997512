"""Asking: a message or a follow-up, then each stage as it happens, then the answer."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from msgspec import Struct, structs
from starlette.responses import Response

from console.live.feed import Look
from console.live.stream import streamed
from console.models.asked import QuestionRow, asked_view, question_rows, thread
from console.pages.run import is_settled
from console.routes import link
from console.views import Ask
from operations.asking.conversation import UNKNOWN, continued, follow_up, read_history, repeated
from operations.asking.submit import Request, Via, request_of, submit
from operations.errors import InvalidInputError, NotFoundError, OperationError
from operations.runs.journey import Journey, assemble, read_journey
from operations.runs.records import read_records
from shared.contracts import limits
from shared.contracts.message import VISIBLE
from shared.contracts.record import iso
from shared.contracts.v1 import Turn

EXAMPLES = (
    "What is an event-driven architecture, and when should I use one?",
    "Compare TCP and UDP in a table.",
    "Why does this loop forever? `while x > 0: y -= 1`",
)
_FIELDS = (
    (re.compile(r"^`(?:user_message|messages\[\d+\]\.text)`"), "The message"),
    (re.compile(r"^`messages`(?: together)?"), "The conversation"),
    (re.compile(r"^`idempotency_key`"), "The idempotency key"),
)
"""Names that a refusal begins with, and what the form calls these fields."""
OWN_KEY = "console-"
LISTED = 10
APPEARS_WITHIN = timedelta(minutes=15)
"""How long a question that was sent over the bus is said to be on its way, with nothing to be seen of it."""


class Seen(Struct, frozen=True, kw_only=True):
    """A question as it was looked at. `history` is None while its execution, which holds it, is not known."""

    journey: Journey
    history: tuple[Turn, ...] | None
    waits: bool = False


class Form(Struct, frozen=True, kw_only=True):
    """What was typed. `after` is the run whose conversation is continued, `again` one whose own is sent again."""

    message: str
    key: str
    via: Via = "api"
    after: str = ""
    again: str = ""


def page(ask: Ask) -> Response:
    """Show the form; with an example, or to ask an earlier run's message again or continue it, if one is named."""
    message, again = "", ask.query.get("again", "")
    after = "" if again else ask.query.get("after", "")
    if again:
        message = read_journey(ask.target, again).user_message or ""
    elif (number := ask.query.get("example", "")) in map(str, range(1, len(EXAMPLES) + 1)):
        message = EXAMPLES[int(number) - 1]
    return _form(ask, Form(message=message, key=_new_key(), after=after, again=again))


def send(ask: Ask) -> Response:
    """Submit the message. The form's key makes a repetition, e.g. of an impatient reader, the same run."""
    form = Form(
        message=ask.form.get("message", "").replace("\r\n", "\n"),
        key=ask.form.get("key", "").strip() or _new_key(),
        via=via_of(ask),
        after=ask.form.get("after", ""),
        again=ask.form.get("again", ""),
    )
    try:
        accepted = submit(ask.target, _request(ask, form), via=form.via)
    except InvalidInputError as error:  # it was never sent
        key = _new_key() if form.key.startswith(OWN_KEY) else form.key
        return _form(ask, structs.replace(form, key=key), _of_form(str(error)))
    except NotFoundError:
        raise
    except OperationError as error:  # it may have been accepted: the same key again finds it
        return _form(ask, form, str(error), HTTPStatus.BAD_GATEWAY)
    ask.desk.questions.add(accepted.pipeline_id, form.after, form.again)
    return ask.redirect(link("asked", pipeline_id=accepted.pipeline_id))


def asked(ask: Ask) -> Response:
    """Show a question, what preceded it, its progress and its answer."""
    seen = _seen(ask)
    journey = seen.journey
    pipeline_id = journey.pipeline_id
    return ask.page(
        "asked.html",
        title="Asked",
        command=("show", "--follow", pipeline_id),
        json=journey,
        current="ask",
        live="" if _is_over(seen) else link("live-asked", pipeline_id=pipeline_id),
        view=asked_view(journey, seen.history or (), datetime.now(UTC), waits=seen.waits),
        error="",
        again=link("ask", again=pipeline_id),
        follows=ask.desk.questions.before(pipeline_id),
        repeats=ask.desk.questions.repeated(pipeline_id),
    )


def live(ask: Ask) -> Response:
    """Stream the progress of a question until it is answered or has failed."""
    history = _seen(ask).history

    def look() -> Seen:
        nonlocal history
        seen = _seen(ask, history)
        history = seen.history
        return seen

    def draw(looked: Look[Seen]) -> str:
        seen = looked.value
        if seen is None:
            return ask.fragment("lost.html", error=looked.error)
        view = asked_view(seen.journey, seen.history or (), datetime.now(UTC), waits=seen.waits)
        return ask.fragment("asked_now.html", view=view, error=looked.error)

    feed = ask.desk.feeds.feed(f"asked {ask.params['pipeline_id']}", look)
    return streamed(
        ask.desk.feeds, feed, draw, ended=lambda looked: looked.value is not None and _is_over(looked.value)
    )


def via_of(ask: Ask) -> Via:
    return "bus" if ask.form.get("via") == "bus" else "api"


def _request(ask: Ask, form: Form) -> Request:
    if not VISIBLE.search(form.message):
        raise InvalidInputError("The message is empty, so nothing was sent. Write one, then ask.")
    turns: tuple[Turn, ...] = (Turn(role="user", text=form.message),)
    if form.again:
        turns = repeated(ask.target, form.again, form.message)
    elif form.after:
        turns = follow_up(ask.target, form.after, form.message)
    return request_of(turns, key=form.key)


def _of_form(refusal: str) -> str:
    for field, name in _FIELDS:
        refusal = field.sub(name, refusal)
    return refusal


def _seen(ask: Ask, history: tuple[Turn, ...] | None = None) -> Seen:
    """Look at a question; at one of the last minutes also if there is nothing to be seen of it yet."""
    pipeline_id = ask.params["pipeline_id"]
    try:
        journey = read_journey(ask.target, pipeline_id)
    except NotFoundError:
        noted = ask.desk.questions.find(pipeline_id)
        if noted is None or datetime.now(UTC) - noted.at > APPEARS_WITHIN:
            raise
        return Seen(
            journey=assemble(pipeline_id, {"accepted_at": iso(noted.at)}, None), history=None, waits=True
        )
    if history is None:
        try:
            history = read_history(ask.target, journey)
        except OperationError:  # the answer is there without what preceded it
            history = None
    return Seen(journey=journey, history=history)


def _is_over(seen: Seen) -> bool:
    return not seen.waits and is_settled(seen.journey)


def _form(ask: Ask, form: Form, error: str = "", status: int | None = None) -> Response:
    refusal = ask.desk.lock.refusal()
    earlier: tuple[Turn, ...] = ()
    left_out, lacks = 0, ""
    if run := form.again or form.after:
        journey = read_journey(ask.target, run)
        history = read_history(ask.target, journey)
        lacks = UNKNOWN if history is None else ""
        earlier = history or ()
        if form.after:
            earlier = continued(earlier, journey, "?")[:-1]  # a longer message may leave more out
            left_out = len(history or ()) + 2 - len(earlier)
        elif history is None:
            form = structs.replace(form, again="")
    if status is None:
        status = HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK
    return ask.page(
        "ask.html",
        title="Ask",
        command=_command(form),
        status=status,
        current="ask",
        tab="ask",
        form=form,
        earlier=thread(earlier),
        left_out=left_out,
        lacks=lacks,
        error=error,
        most=limits.MESSAGE_CHARS,
        locked=refusal.text if refusal else "",
        examples=() if form.after or form.again else EXAMPLES,
        questions=_latest(ask),
    )


def _command(form: Form) -> tuple[str, ...]:
    """Return the command that sends the same."""
    via = ("--via", "bus") if form.via == "bus" else ()
    if form.again:
        return ("submit", "--wait", *via, "--again", form.again)
    return ("submit", "--wait", *via, *(("--after", form.after) if form.after else ()), '"…"')


def _latest(ask: Ask) -> tuple[QuestionRow, ...]:
    """Return the latest questions; without what their records say if these can't be read."""
    questions = ask.desk.questions.latest(LISTED)
    if not questions:
        return ()
    fields = ("user_message", "excerpt", "status", "degraded")
    try:
        records = read_records(ask.target, [one.pipeline_id for one in questions], fields=fields)
    except OperationError:
        records = {}
    return question_rows(questions, records)


def _new_key() -> str:
    return f"{OWN_KEY}{secrets.token_hex(16)}"
