"""Reading dead-letter queues without consuming them: messages are held for a while and released unless deleted."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from msgspec import Struct

from operations.aws_errors import translated
from operations.dlq.messages import Kind, Parked, parked
from operations.errors import InvalidInputError
from operations.target import Target

HOLD_SECONDS = 120
BATCH = 10
VISIBLE, HELD, DELAYED = COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
"""The attributes in which SQS counts a queue's messages."""


class Dlq(Struct, frozen=True, kw_only=True):
    """A dead-letter queue. `work_url` is the queue into which its messages are moved back."""

    service: str
    kind: Kind
    url: str
    work_url: str


class Depth(Struct, frozen=True, kw_only=True):
    visible: int
    held: int
    """Messages held by somebody who reads them now, or by a reader that was killed."""
    retention: timedelta


def find_queues(target: Target, services: Sequence[str] = ()) -> list[Dlq]:
    """Return the deployed dead-letter queues of these services, or of all. Raises InvalidInputError for no service.

    A stage that is switched on, or that the code has no more, has its queues as long as its stack is deployed.
    """
    addresses = target.addresses
    if unknown := set(services) - set(addresses.services):
        raise InvalidInputError(
            f"There is no service {min(unknown)!r} in environment {target.env!r}. "
            f"Choose one of: {', '.join(addresses.services)}."
        )
    kinds: tuple[Kind, ...] = ("dlq", "rule-dlq")
    return [
        Dlq(service=service, kind=kind, url=url, work_url=addresses.queue_url(service))
        for service in addresses.services
        if not services or service in services
        for kind in kinds
        if (url := addresses.values.get(f"services/{service}/{kind}-url"))
    ]


def depth(target: Target, url: str) -> Depth:
    """Return how many messages are in a queue."""
    names = [VISIBLE, HELD, "MessageRetentionPeriod"]
    with translated("read the queue"):
        attributes = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)[
            "Attributes"
        ]
    return Depth(
        visible=int(attributes[VISIBLE]),
        held=int(attributes[HELD]),
        retention=timedelta(seconds=int(attributes["MessageRetentionPeriod"])),
    )


class Held:
    """A received message that nobody else sees until it is released, or for `HOLD_SECONDS` at most."""

    def __init__(self, target: Target, queue: Dlq, received: Mapping[str, Any], retention: timedelta) -> None:
        self._target = target
        self.receipt = str(received["ReceiptHandle"])
        self.queue = queue
        self.message = parked(received, queue.service, queue.kind, retention)
        self.deleted = False

    def delete(self) -> None:
        with translated("delete the message"):
            self._target.client("sqs").delete_message(QueueUrl=self.queue.url, ReceiptHandle=self.receipt)
        self.deleted = True

    def put_back(self, body: str | None = None) -> str:
        """Send the message, or the corrected `body`, to its service's queue; return the id of what was sent."""
        with translated("send the message"):
            answer = self._target.client("sqs").send_message(
                QueueUrl=self.queue.work_url, MessageBody=self.message.body if body is None else body
            )
        return str(answer["MessageId"])


@contextmanager
def held(target: Target, queue: Dlq) -> Iterator[Iterator[Held]]:
    """Yield an iterator that receives each message of the queue once and hides it from other readers.

    At the end of the block the messages that were not deleted become visible again.
    """
    seen: dict[str, Held] = {}
    try:
        yield _receive(target, queue, seen)
    finally:
        _release(target, queue, [item for item in seen.values() if not item.deleted])


def _receive(target: Target, queue: Dlq, seen: dict[str, Held]) -> Iterator[Held]:
    """Receive until an answer has no new message; on AWS until two in a row have none, since SQS may leave some out.

    A message that is held for longer than `HOLD_SECONDS` may be received again, but is yielded once.
    """
    known = depth(target, queue.url)
    if known.visible == 0:
        return
    fruitless = 0
    while fruitless < (2 if target.is_aws else 1):
        with translated("read the queue"):
            answer = target.client("sqs").receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HOLD_SECONDS,
                WaitTimeSeconds=1 if target.is_aws else 0,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
        fresh = []
        for message in answer.get("Messages", []):
            before = seen.get(str(message["MessageId"]))
            item = Held(target, queue, message, known.retention)
            seen[item.message.id] = item
            if before is None:
                fresh.append(item)
        fruitless = 0 if fresh else fruitless + 1
        yield from fresh


def _release(target: Target, queue: Dlq, items: Sequence[Held]) -> None:
    for start in range(0, len(items), BATCH):
        entries = [
            {"Id": str(index), "ReceiptHandle": item.receipt, "VisibilityTimeout": 0}
            for index, item in enumerate(items[start : start + BATCH])
        ]
        with translated("release the messages"):
            target.client("sqs").change_message_visibility_batch(QueueUrl=queue.url, Entries=entries)


def read_all(target: Target, queue: Dlq) -> list[Parked]:
    """Return the messages in the queue, and leave them there."""
    with held(target, queue) as items:
        return [item.message for item in items]
