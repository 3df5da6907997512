"""Parked messages by their cause: those of one service whose errors differ in ids and numbers only (pure)."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from operations.dlq.plan import Action, Planned
from operations.money.estimate import Estimate, Rates, estimate, work_of_message

TEXT_CHARS = 300
"""The part of an error's text by which messages are grouped, and which is shown for the group."""

_VARIABLE = (
    (re.compile(r"arn:[\w:/.-]+"), "<arn>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{12,}\b"), "<id>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
)


class Cause(Struct, frozen=True, kw_only=True):
    """The parked messages of one cause. `key` is the same for the same cause in every snapshot.

    `text` is what the errors have in common, `example` one of them.
    """

    key: str
    service: str
    error_type: str
    text: str
    example: str
    count: int
    oldest: datetime
    newest: datetime
    deleted_at: datetime | None
    actions: Mapping[Action, int]
    estimate: Estimate
    good_at: datetime | None = None
    """When a run that got through the service ended last, if it is known."""

    @property
    def is_over(self) -> bool:
        """Whether a run got through the service after the last of these messages was parked."""
        return self.good_at is not None and self.good_at > self.newest


def common(text: str) -> str:
    """Return an error's text without what differs from one message to the next: ids, times and numbers."""
    flat = " ".join(text[: TEXT_CHARS * 4].split())
    for pattern, name in _VARIABLE:
        flat = pattern.sub(name, flat)
    return flat[:TEXT_CHARS]


def key_of(item: Planned) -> str:
    message = item.message
    parts = "\0".join((message.service, message.error_type, common(message.error)))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]


def of_cause(planned: Iterable[Planned], key: str) -> list[Planned]:
    return [item for item in planned if key_of(item) == key]


def has_alike(planned: Iterable[Planned], item: Planned) -> bool:
    """Return whether another message has the same cause."""
    mine = (item.message.service, item.message.error_type)
    others = (
        one
        for one in planned
        if (one.message.service, one.message.error_type) == mine and one.message.id != item.message.id
    )
    key = key_of(item)
    return any(key_of(one) == key for one in others)


def causes(
    planned: Sequence[Planned], rates: Rates, good: Mapping[str, datetime] | None = None
) -> list[Cause]:
    """Return the causes, the one whose messages SQS deletes first in front. `good`: see `Snapshot`."""
    groups: dict[str, list[Planned]] = {}
    for item in planned:
        groups.setdefault(key_of(item), []).append(item)
    found = [_cause(key, items, rates, good or {}) for key, items in groups.items()]
    return sorted(found, key=lambda one: (one.deleted_at is None, one.deleted_at or one.oldest, -one.count))


def actions(planned: Iterable[Planned]) -> dict[Action, int]:
    """Return how many messages each action concerns, in the order of the actions."""
    counted = Counter(item.decision.action for item in planned)
    return {action: counted[action] for action in Action if counted[action]}


def _cause(key: str, items: Sequence[Planned], rates: Rates, good: Mapping[str, datetime]) -> Cause:
    first = min(items, key=lambda item: item.message.sent_at).message
    return Cause(
        key=key,
        service=first.service,
        error_type=first.error_type,
        text=common(first.error),
        example=first.error,
        count=len(items),
        oldest=first.sent_at,
        newest=max(item.message.sent_at for item in items),
        deleted_at=min((at for item in items if (at := item.message.deleted_at) is not None), default=None),
        actions=actions(items),
        estimate=estimate([work_of_message(item) for item in items], rates),
        good_at=good.get(first.service),
    )
