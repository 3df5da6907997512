"""What the pages of waiting answers show (pure)."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from console.text import line
from operations.wording import duration
from shared.waiting import Item

EXCERPT_CHARS = 120


class Row(Struct, frozen=True, kw_only=True):
    """One waiting answer in the inbox."""

    pipeline_id: str
    excerpt: str
    waits: str
    left: str


class ItemView(Struct, frozen=True, kw_only=True):
    """One answer that waits or waited. `sentence` says how it stands."""

    pipeline_id: str
    is_waiting: bool
    sentence: str
    asked_at: datetime
    deadline_at: datetime
    left: str
    message: str
    answer: str
    is_cut: bool
    instead: str
    reason: str


def inbox_view(items: Iterable[Item], now: datetime) -> tuple[Row, ...]:
    return tuple(
        Row(
            pipeline_id=item.pipeline_id,
            excerpt=line(item.excerpt, EXCERPT_CHARS),
            waits=_between(item.asked_at, now),
            left=_left(item, now),
        )
        for item in items
    )


def item_view(item: Item, now: datetime) -> ItemView:
    return ItemView(
        pipeline_id=item.pipeline_id,
        is_waiting=item.state == "waiting",
        sentence=_sentence(item, now),
        asked_at=item.asked_at,
        deadline_at=item.deadline_at,
        left=_left(item, now),
        message=item.user_message or "",
        answer=item.answer or "",
        is_cut=item.is_cut,
        instead=item.text or "",
        reason=item.reason,
    )


def _sentence(item: Item, now: datetime) -> str:
    if item.state == "waiting":
        return f"It has waited for {_between(item.asked_at, now)}."
    if item.decision is None:
        return "The run ended before anybody decided: it was cancelled or timed out."
    late = " The run had ended before, so the decision had no effect." if item.state == "closed" else ""
    return f"{item.decision.capitalize()} by {item.decided_by}.{late}"


def _between(start: datetime, end: datetime) -> str:
    return duration(max(0.0, (end - start).total_seconds() * 1_000))


def _left(item: Item, now: datetime) -> str:
    return _between(now, item.deadline_at) if now < item.deadline_at else "passed"
