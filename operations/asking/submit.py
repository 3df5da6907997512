"""Asking for answers: one request or many, through the API or straight onto the bus.

Whatever is sent twice is answered once: each request carries an Idempotency-Key (API) or names its pipeline
(bus), so that a repeat after a lost answer starts nothing new.
"""

import hashlib
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from operations.asking.http import TRIES, ApiClient, Pause, backoff
from operations.aws_errors import translated
from operations.errors import InvalidInputError, OperationError, RefusedError
from operations.target import Target
from shared.bus import chunks, entry
from shared.contracts import limits
from shared.contracts.envelope import Outgoing, PipelineId
from shared.contracts.message import check_message
from shared.contracts.v1 import PipelineRequested

Via = Literal["api", "bus"]


class Request(Struct, frozen=True, kw_only=True):
    """One message. A repeat is told by `idempotency_key` or, via the bus, by `pipeline_id`."""

    user_message: str
    idempotency_key: str | None = None
    pipeline_id: PipelineId | None = None


class Accepted(Struct, frozen=True, kw_only=True):
    """`status` is ACCEPTED, or how far the pipeline is when the request was a repeat."""

    pipeline_id: str
    status: str = "ACCEPTED"
    status_url: str | None = None


Sent = Accepted | OperationError
"""What became of one request."""


class Sender(Protocol):
    """`size` is how many requests one `send` takes at most. Safe to use from several threads."""

    size: int

    def send(self, requests: Sequence[Request]) -> list[Sent]:
        """In the order of `requests`. An error that concerns them all is raised."""
        ...


def check(request: Request, via: Via) -> None:
    """Raises InvalidInputError for what would be refused anyway."""
    length = len(request.user_message)
    if length > limits.MESSAGE_CHARS:
        raise InvalidInputError(
            f"`user_message` must be at most {limits.MESSAGE_CHARS:,} characters, has {length:,}"
        )
    try:
        check_message(request.user_message)
    except UnicodeError as error:
        raise InvalidInputError("`user_message` holds half a character (a lone surrogate)") from error
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
    if request.pipeline_id and request.idempotency_key:
        raise InvalidInputError("Give `pipeline_id` or `idempotency_key`, not both.")
    if request.pipeline_id and via == "api":
        raise InvalidInputError(
            "The API gives the id itself: use `idempotency_key`, or submit via the bus (--via bus)."
        )


def keyed_id(key: str) -> str:
    """The id of the pipeline that a key names on the bus. (The API derives its own, from caller and key.)"""
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
            body = self._api.post(
                "/pipeline", {"user_message": request.user_message}, {"Idempotency-Key": key}
            )
            return msgspec.convert(body, Accepted)
        except msgspec.ValidationError:
            return RefusedError("The API's answer has an unknown shape. Is something else at its address?")
        except OperationError as error:
            return error


class BusSender:
    """Ten at a time; what PutEvents refuses of them is sent again."""

    size = 10

    def __init__(self, target: Target, *, pause: Pause = time.sleep) -> None:
        self._target = target
        self._bus = target.addresses.bus_name
        self._pause = pause

    def send(self, requests: Sequence[Request]) -> list[Sent]:
        found: list[Sent | None] = [None] * len(requests)
        events: list[Outgoing] = []
        places: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            try:
                check(request, "bus")
            except InvalidInputError as error:
                found[place] = error
                continue
            event = _event(request)
            events.append(event)
            places.setdefault(event.pipeline_id, []).append(place)
            found[place] = Accepted(pipeline_id=event.pipeline_id)
        for chunk in chunks(entry(event, self._bus) for event in events):
            for refused, problem in self._put(chunk):
                pipeline_id = msgspec.json.decode(refused["Detail"])["metadata"]["pipeline_id"]
                for place in places[pipeline_id]:
                    found[place] = problem
        return [sent for sent in found if sent is not None]

    def _put(self, entries: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], OperationError]]:
        """Yields the entries that were refused every time."""
        for left in reversed(range(TRIES)):
            with translated("publish to the bus"):
                answer = self._target.client("events").put_events(Entries=entries)
            pairs = list(zip(entries, answer["Entries"], strict=True))
            refused = [(sent, said) for sent, said in pairs if not said.get("EventId")]
            if not refused:
                return
            entries = [sent for sent, _ in refused]
            if left:
                self._pause(backoff(TRIES - left))
        for sent, said in refused:
            reason = f"{said.get('ErrorCode')}: {said.get('ErrorMessage') or 'no reason given'}"
            yield sent, RefusedError(f"EventBridge refused the event {TRIES} times ({reason})")


def _event(request: Request) -> Outgoing:
    key = request.idempotency_key
    pipeline_id = request.pipeline_id or (keyed_id(key) if key else uuid.uuid4().hex)
    return Outgoing(
        data=PipelineRequested(user_message=request.user_message),
        pipeline_id=pipeline_id,
        event_id=pipeline_id,
        correlation_id=pipeline_id,
    )


def sender(target: Target, via: Via, *, pause: Pause = time.sleep) -> Sender:
    return ApiSender(target, pause=pause) if via == "api" else BusSender(target, pause=pause)


def submit(target: Target, request: Request, *, via: Via = "api", pause: Pause = time.sleep) -> Accepted:
    """Sends one request. Raises OperationError."""
    check(request, via)
    (sent,) = sender(target, via, pause=pause).send([request])
    if isinstance(sent, OperationError):
        raise sent
    return sent
