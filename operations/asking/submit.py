"""Submitting one request or many, through the API or directly to the bus.

A request that is sent twice starts one run: each carries an Idempotency-Key (API) or the id of its run (bus), so that
a repetition after a lost answer starts nothing new.
"""

import hashlib
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from operations.asking.http import TRIES, ApiClient, Pause, backoff
from operations.aws_errors import translated
from operations.errors import InvalidInputError, OperationError, RefusedError
from operations.runs.records import read_record
from operations.target import Target
from shared.bus import chunks, entry
from shared.contracts import limits
from shared.contracts.envelope import Outgoing, PipelineId
from shared.contracts.message import check_conversation, check_message, request_hash
from shared.contracts.record import Record
from shared.contracts.upcasting import upcast
from shared.contracts.v1 import PipelineRequested, Turn
from shared.contracts.v2 import PipelineRequested as ConversationRequested

Via = Literal["api", "bus"]
_KEY = re.compile(limits.IDEMPOTENCY_KEY_PATTERN)
_PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)


class Request(Struct, frozen=True, kw_only=True):
    """One message to submit, or a conversation in `messages`, whose last message is to be answered.

    A repetition is recognised by `idempotency_key` or, via the bus, by `pipeline_id`.
    """

    user_message: str | None = None
    messages: tuple[Turn, ...] | None = None
    idempotency_key: str | None = None
    pipeline_id: PipelineId | None = None


def request_of(turns: Sequence[Turn], *, key: str | None) -> Request:
    """Return the request of a conversation; that of a single message has the older form, which all versions read."""
    if len(turns) == 1:
        return Request(user_message=turns[0].text, idempotency_key=key)
    return Request(messages=tuple(turns), idempotency_key=key)


class Accepted(Struct, frozen=True, kw_only=True):
    """An accepted request. `status` is ACCEPTED, or the run's present status if the request was repeated."""

    pipeline_id: str
    status: str = "ACCEPTED"
    status_url: str | None = None


Sent = Accepted | OperationError
"""The outcome of sending one request."""


class Sender(Protocol):
    """A way to send requests, at most `size` in one `send`. Several threads may use it."""

    size: int

    def send(self, requests: Sequence[Request]) -> list[Sent]:
        """Return the outcomes in the order of `requests`. An error that concerns all of them is raised."""
        ...


def check(request: Request, via: Via) -> None:
    """Raise InvalidInputError for a request that the API or the trigger would refuse."""
    _check_text(request)
    if request.pipeline_id is not None and not _PIPELINE_ID.fullmatch(request.pipeline_id):
        raise InvalidInputError(
            "`pipeline_id` must be 1 to 64 letters, digits, hyphens and underscores, without a line break"
        )
    if request.idempotency_key is not None:
        check_key(request.idempotency_key)
    if request.pipeline_id and request.idempotency_key:
        raise InvalidInputError("Give `pipeline_id` or `idempotency_key`, not both.")
    if request.pipeline_id and via == "api":
        raise InvalidInputError(
            "The API chooses the pipeline id. Use `idempotency_key`, or submit via the bus (--via bus)."
        )


def _check_text(request: Request) -> None:
    message, turns = request.user_message, request.messages
    if (message is None) == (turns is None):
        raise InvalidInputError("Give `user_message` or `messages`, one of the two.")
    try:
        if message is not None:
            if (length := len(message)) > limits.MESSAGE_CHARS:
                raise InvalidInputError(
                    f"`user_message` must be at most {limits.MESSAGE_CHARS:,} characters, but has {length:,}"
                )
            check_message(message)
        elif turns is not None:
            if not 1 <= len(turns) <= limits.TURNS:
                raise InvalidInputError(
                    f"`messages` must be 1 to {limits.TURNS} messages, but are {len(turns)}"
                )
            check_conversation(turns)
    except ValueError as error:
        raise InvalidInputError(str(error)) from error


def check_key(key: str) -> None:
    """Raise InvalidInputError for an idempotency key that is no HTTP header, and that the API would refuse."""
    if not _KEY.fullmatch(key):
        raise InvalidInputError(
            "`idempotency_key` must be 1 to 255 visible ASCII characters, without blanks and line breaks"
        )


def keyed_id(key: str) -> str:
    """Return the pipeline id for a key on the bus. (The API derives another id, from caller and key.)"""
    return hashlib.sha256(f"bus\n{key}".encode()).hexdigest()[:40]


class ApiSender:
    size = 1

    def __init__(self, target: Target, *, pause: Pause = time.sleep) -> None:
        self._api = ApiClient(target, pause=pause)

    def send(self, requests: Sequence[Request]) -> list[Sent]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sent:
        key = request.idempotency_key or uuid.uuid4().hex
        try:
            check(request, "api")
            data = msgspec.to_builtins(_data(request))
            return msgspec.convert(self._api.post("/pipeline", data, {"Idempotency-Key": key}), Accepted)
        except msgspec.ValidationError:
            return RefusedError(
                "The API's answer has an unknown shape. Check that the API is what answers at its address."
            )
        except OperationError as error:
            return error


class BusSender:
    """A sender that publishes ten events at a time and sends those again that PutEvents refuses."""

    size = 10

    def __init__(self, target: Target, *, pause: Pause = time.sleep) -> None:
        self._target = target
        self._bus = target.addresses.bus_name
        self._pause = pause

    def send(self, requests: Sequence[Request]) -> list[Sent]:
        outcomes: list[Sent | None] = [None] * len(requests)
        events: list[Outgoing] = []
        places: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            try:
                check(request, "bus")
            except InvalidInputError as error:
                outcomes[place] = error
                continue
            event = _event(request)
            events.append(event)
            places.setdefault(event.pipeline_id, []).append(place)
            outcomes[place] = Accepted(pipeline_id=event.pipeline_id)
        for chunk in chunks(entry(event, self._bus) for event in events):
            for refused, problem in self._put(chunk):
                pipeline_id = msgspec.json.decode(refused["Detail"])["metadata"]["pipeline_id"]
                for place in places[pipeline_id]:
                    outcomes[place] = problem
        return [outcome for outcome in outcomes if outcome is not None]

    def _put(self, entries: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], OperationError]]:
        """Yield the entries that were refused at every try."""
        for left in reversed(range(TRIES)):
            with translated("publish to the bus"):
                answer = self._target.client("events").put_events(Entries=entries)
            pairs = list(zip(entries, answer["Entries"], strict=True))
            refused = [(sent, result) for sent, result in pairs if not result.get("EventId")]
            if not refused:
                return
            entries = [sent for sent, _ in refused]
            if left:
                self._pause(backoff(TRIES - left))
        for sent, result in refused:
            reason = f"{result.get('ErrorCode')}: {result.get('ErrorMessage') or 'no reason given'}"
            yield (
                sent,
                RefusedError(f"EventBridge refused the event {TRIES} times ({reason}). Submit it again."),
            )


def _data(request: Request) -> PipelineRequested | ConversationRequested:
    """Return the data of the request's event, which is also the API's body."""
    if request.messages is not None:
        return ConversationRequested(messages=request.messages)
    return PipelineRequested(user_message=request.user_message or "")


OTHER_MESSAGE = (
    "The run with this id was started for another message before, so this one was not asked. Submit it with a new "
    "`idempotency_key` or `pipeline_id`."
)


def is_for_another(record: Record, request: Request) -> bool:
    """Whether a record is that of a run that was started for another message than this request's.

    The API refuses a key that was used for another message. The bus takes the event, which the trigger then rejects.
    """
    newest = upcast(_data(request), ConversationRequested)
    own = request_hash(newest.user_message, newest.history)
    return record.get("request_hash", own) != own


def require_own(target: Target, request: Request, pipeline_id: str) -> None:
    """Raise RefusedError if the run of this id was started for another message."""
    if is_for_another(read_record(target, pipeline_id) or Record(), request):
        raise RefusedError(OTHER_MESSAGE)


def _event(request: Request) -> Outgoing:
    key = request.idempotency_key
    pipeline_id = request.pipeline_id or (keyed_id(key) if key else uuid.uuid4().hex)
    # An id that is given, or follows from a key, may be an old one; a new one is also the event's.
    is_new = request.pipeline_id is None and key is None
    return Outgoing(
        data=_data(request),
        pipeline_id=pipeline_id,
        event_id=pipeline_id if is_new else f"{pipeline_id}-requested",
        correlation_id=pipeline_id,
    )


def sender(target: Target, via: Via, *, pause: Pause = time.sleep) -> Sender:
    return ApiSender(target, pause=pause) if via == "api" else BusSender(target, pause=pause)


def submit(target: Target, request: Request, *, via: Via = "api", pause: Pause = time.sleep) -> Accepted:
    """Send one request. Raises OperationError."""
    check(request, via)
    (sent,) = sender(target, via, pause=pause).send([request])
    if isinstance(sent, OperationError):
        raise sent
    return sent
