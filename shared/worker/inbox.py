"""The inbox turns a queue's message into a job, or names the violation that prevents it. It calls no AWS service."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

from shared.contracts.envelope import SOURCE, Delivery, Detail, Event, Metadata
from shared.contracts.reading import SOURCE_REFUSED, read, read_metadata, read_upcast
from shared.contracts.upcasting import readable
from shared.errors import ContractViolation
from shared.worker.policy import WORK_MS

E = TypeVar("E", bound=Event)


class Route(Struct, Generic[E], frozen=True, kw_only=True):
    """How one type of message is handled.

    `request` is the newest version that the service reads; older ones are upcast to it. `run` gets the message's
    data and metadata and returns the stage's result, wrapped in `Paid` if it is billed by usage. For a failure, `run`
    raises TransientError, PermanentError or InProgress; any other exception counts as transient. With `metered`,
    `run` also gets the meter so far, as `meter`. `recall` returns the result that an earlier delivery, attempt or
    execution stored, or None; it is also told when the message was sent, in milliseconds since the epoch. `pays`:
    a call of `run` costs money, so none is made for a task that is over, or nearly over. `source` is the only
    publisher that may send the message. `task_ms` is the time that Step Functions waits for the outcome, `work_ms`
    the time that a paid `run` may take.
    """

    request: type[E]
    run: Callable[..., Struct | None]
    recall: Callable[..., Struct | None] | None = None
    pays: bool = False
    source: str = SOURCE
    metered: bool = False
    task_ms: int | None = None
    work_ms: int = WORK_MS


class ExternalRoute(Struct, frozen=True, kw_only=True):
    """A route for an event of an AWS service, whose detail is not in this project's envelope."""

    run: Callable[[Delivery], None]
    source: str
    recall: ClassVar[None] = None
    pays: ClassVar[bool] = False


AnyRoute = Route[Any] | ExternalRoute


class Message(Struct, kw_only=True):
    """A queue's message, with the parts of it that could be read. `batch` is the number of messages in its batch."""

    body: str
    message_id: str
    receives: int
    queue_wait_ms: int
    sent_ms: int = 0
    batch: int = 1
    delivery: Delivery | None = None
    metadata: Metadata | None = None
    token: str | None = None

    @property
    def detail_type(self) -> str:
        return self.delivery.detail_type if self.delivery else ""

    @property
    def attempt(self) -> int:
        return self.metadata.attempt if self.metadata else 0

    def task_age_ms(self) -> int | None:
        """Return the age of the message's task as the message tells it, None if it does not; it may be wrong.

        At a state's first attempt the task begins when the state is entered (`occurred_at`). A retry has a timeout of
        its own but the same `occurred_at`: its task began when the request reached EventBridge (`time`).
        """
        if self.metadata is None or self.delivery is None:
            return None
        begun = self.metadata.occurred_at if self.attempt == 0 else self.delivery.time
        if begun is None or begun.tzinfo is None:
            return None
        return round((time.time() - begun.timestamp()) * 1_000)


class Job(Struct, frozen=True, kw_only=True):
    """A message that keeps its contract: its route, and the arguments for the route's `run`."""

    message: Message
    route: AnyRoute
    arguments: tuple[Any, ...]


def received(record: Mapping[str, Any], batch: int) -> Message:
    """Return the message in one of the records that Lambda gets from SQS."""
    attributes = record["attributes"]
    sent_ms = int(attributes["SentTimestamp"])
    return Message(
        body=record["body"],
        message_id=record["messageId"],
        receives=int(attributes["ApproximateReceiveCount"]),
        queue_wait_ms=max(0, int(time.time() * 1000) - sent_ms),
        sent_ms=sent_ms,
        batch=batch,
    )


class Inbox:
    """Reads the messages of one service; its routes are keyed by detail-type."""

    def __init__(self, service: str, routes: Mapping[str, AnyRoute]) -> None:
        self._service = service
        self._routes = dict(_by_version(routes))

    def read(self, message: Message) -> Job | ContractViolation:
        """Return the job in `message`, or its violation. Stores in `message` the parts that could be read.

        The token is read from an invalid message, too: its task can then be failed at once instead of timing out.
        """
        try:
            return self._job(message)
        except ContractViolation as violation:
            message.token = message.token or _token_in(message.delivery)
            return violation

    def _job(self, message: Message) -> Job:
        delivery = message.delivery = read(message.body, Delivery)
        route, version = self._route(delivery)
        if isinstance(route, ExternalRoute):
            return Job(message=message, route=route, arguments=(delivery,))
        detail = read(delivery.detail, Detail, at="$.detail")
        message.token = detail.task_token
        metadata = message.metadata = read_metadata(delivery, detail, version)
        data = read_upcast(detail, version, route.request)
        return Job(message=message, route=route, arguments=(data, metadata))

    def _route(self, delivery: Delivery) -> tuple[AnyRoute, type[Event]]:
        """Return the route, and the version in which the event was sent."""
        known = self._routes.get(delivery.detail_type)
        if known is None:
            accepted = ", ".join(self._routes)
            reason = f"Unsupported detail-type; {self._service} accepts: {accepted}"
            raise ContractViolation("$.detail-type", reason)
        if known[0].source != delivery.source:
            raise ContractViolation("$.source", SOURCE_REFUSED)
        return known


def _by_version(routes: Mapping[str, AnyRoute]) -> Iterator[tuple[str, tuple[AnyRoute, type[Event]]]]:
    """Yield each detail-type that the service reads; all versions of an event have the route of the newest."""
    for detail_type, route in routes.items():
        if isinstance(route, ExternalRoute):
            yield detail_type, (route, Event)
        else:
            yield from ((kind.detail_type(), (route, kind)) for kind in readable(route.request))


class _Token(Struct):
    task_token: str | None = None


def _token_in(delivery: Delivery | None) -> str | None:
    """Return the task token of a stage request that breaks its contract, if there is one."""
    if delivery is None or delivery.source != SOURCE:
        return None
    try:
        return msgspec.json.decode(delivery.detail, type=_Token).task_token
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
