"""Numbers of parked messages by queue, with their errors and the time until SQS deletes the oldest."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from operations.dlq.messages import Kind, Parked
from operations.dlq.queues import depth, find_queues, held
from operations.target import Target


class ErrorGroup(Struct, frozen=True, kw_only=True):
    error_type: str
    error: str
    count: int


class QueueView(Struct, frozen=True, kw_only=True):
    """One dead-letter queue. `held` messages are being read by somebody.

    Times are by SQS's clock, which starts when a message is first sent; they are null for an empty queue.
    """

    service: str
    kind: Kind
    count: int
    held: int
    oldest: datetime | None
    deleted_at: datetime | None
    errors: tuple[ErrorGroup, ...]

    @property
    def seconds_left(self) -> float | None:
        """The seconds until SQS deletes the oldest message."""
        return (self.deleted_at - datetime.now(UTC)).total_seconds() if self.deleted_at else None


def overview(target: Target) -> list[QueueView]:
    """Read every message of the queues, and leave all of them there."""
    views = []
    for queue in find_queues(target):
        known = depth(target, queue.url)
        with held(target, queue) as items:
            messages = [item.message for item in items]
        oldest = min(messages, key=lambda message: message.sent_at, default=None)
        views.append(
            QueueView(
                service=queue.service,
                kind=queue.kind,
                count=len(messages),
                held=known.held,
                oldest=oldest.sent_at if oldest else None,
                deleted_at=oldest.deleted_at if oldest else None,
                errors=grouped(messages),
            )
        )
    return views


def grouped(messages: Sequence[Parked]) -> tuple[ErrorGroup, ...]:
    """Group messages by error type and text, the most frequent group first."""
    counts = Counter((message.error_type, message.error) for message in messages)
    return tuple(
        ErrorGroup(error_type=error_type, error=error, count=count)
        for (error_type, error), count in counts.most_common()
    )
