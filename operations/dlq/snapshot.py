"""A snapshot of all dead-letter queues: what is parked, what a replay would do with each message, and its cost."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from operations.dlq.facts import gather
from operations.dlq.messages import Kind, Parked
from operations.dlq.plan import Planned, together
from operations.dlq.plan import planned as decided
from operations.dlq.queues import Dlq, depth, find_queues, held
from operations.dlq.replay import FACTS_AT_ONCE, plan
from operations.money.estimate import Rates, last_good, rates, read_sample
from operations.target import Target
from operations.wording import counted

MOST = 5_000
"""Messages of one snapshot. Of more, these are read first; the others stay where they are."""


class Count(Struct, frozen=True, kw_only=True):
    """How many messages a dead-letter queue has, by SQS's own count. `held` ones are being read by somebody."""

    service: str
    kind: Kind
    visible: int
    held: int


class Snapshot(Struct, frozen=True, kw_only=True):
    """The parked messages at a time, oldest first. `left_out`: there were more than `MOST`.

    `good` is when a run that got through a service, or was started by it, ended last, by the service's name; `acted`
    says that messages left since, so that their runs may have got through later.
    """

    at: datetime
    planned: tuple[Planned, ...]
    rates: Rates
    left_out: bool = False
    good: Mapping[str, datetime] = {}
    acted: bool = False

    def without(self, ids: Collection[str]) -> "Snapshot":
        """Return the snapshot after these messages have left their queues."""
        gone = set(ids)
        planned = tuple(item for item in self.planned if item.message.id not in gone)
        return replace(self, planned=planned, acted=True)

    def find(self, message_id: str) -> Planned | None:
        return next((item for item in self.planned if item.message.id == message_id), None)


class Reading(Struct, frozen=True, kw_only=True):
    """How far a reading is, in words; at last, the snapshot."""

    text: str
    snapshot: Snapshot | None = None


def counts(target: Target) -> list[Count]:
    """Return how many messages each dead-letter queue has, without receiving any."""
    found = []
    for queue in find_queues(target):
        known = depth(target, queue.url)
        found.append(Count(service=queue.service, kind=queue.kind, visible=known.visible, held=known.held))
    return found


def read(target: Target) -> Iterator[Reading]:
    """Read every message of all dead-letter queues, leave all of them there, and yield the progress."""
    at, messages, left_out = datetime.now(UTC), list[Parked](), False
    queues = find_queues(target)
    for number, queue in enumerate(queues, start=1):
        yield Reading(
            text=f"dead-letter queues, {number} of {len(queues)}: {counted(len(messages), 'message')} so far"
        )
        of_queue, cut = _read_queue(target, queue, MOST - len(messages))
        messages += of_queue
        left_out = left_out or cut
    messages.sort(key=lambda message: message.sent_at)
    planned: list[Planned] = []
    for start in range(0, len(messages), FACTS_AT_ONCE):
        yield Reading(text=f"what became of their runs, {start:,} of {counted(len(messages), 'message')}")
        part = messages[start : start + FACTS_AT_ONCE]
        planned += [
            decided(message, facts) for message, facts in zip(part, gather(target, part), strict=True)
        ]
    yield Reading(text="what the latest runs have cost")
    sample = read_sample(target) if planned else []
    snapshot = Snapshot(
        at=at,
        planned=tuple(together(planned)),
        rates=rates(sample),
        left_out=left_out,
        good=last_good(sample),
    )
    yield Reading(text="read", snapshot=snapshot)


def planned_again(
    target: Target, snapshot: Snapshot, ids: Collection[str], *, restart: bool
) -> list[Planned]:
    """Return the plan for some messages of a snapshot. What has succeeded runs again only with `restart`."""
    wanted = set(ids)
    chosen = [item for item in snapshot.planned if item.message.id in wanted]
    if restart:
        return plan(target, [item.message for item in chosen], restart=True)
    return together(chosen)


def _read_queue(target: Target, queue: Dlq, most: int) -> tuple[list[Parked], bool]:
    messages: list[Parked] = []
    with held(target, queue) as items:
        for item in items:
            if len(messages) >= most:
                return messages, True
            messages.append(item.message)
    return messages, False
