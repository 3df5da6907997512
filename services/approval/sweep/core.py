"""What a sweep does about one waiting run. Pure."""

from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from services.approval.settings import Settings
from shared.contracts.approval import DEADLINE, ApprovalReminder
from shared.contracts.envelope import Outgoing
from shared.waiting import Item, Verdict

UNSENT: Final = timedelta(minutes=1)
"""A decision that is older and not settled was probably not sent."""


class Act(Enum):
    """The act that an item needs."""

    NONE = auto()
    SEND = auto()
    DECIDE = auto()
    REMIND = auto()


def act(item: Item, now: datetime, settings: Settings) -> Act:
    if item.state == "decided":
        return Act.SEND if now - (item.decided_at or item.asked_at) > UNSENT else Act.NONE
    if item.state != "waiting":
        return Act.NONE
    if now >= item.deadline_at:
        return Act.DECIDE
    due = item.asked_at + timedelta(seconds=settings.reminder_seconds * (item.reminders + 1))
    return Act.REMIND if now >= due else Act.NONE


def verdict(settings: Settings) -> Verdict:
    """Return the decision of the deadline."""
    reason = "nobody decided in time"
    if settings.at_deadline == "reject":
        return Verdict(decision="rejected", by=DEADLINE, reason=reason, text=settings.rejected_text)
    return Verdict(
        decision="approved" if settings.at_deadline == "approve" else "failed", by=DEADLINE, reason=reason
    )


def reminder(item: Item, settings: Settings) -> Outgoing:
    """Return the event that reminds of a waiting run; a repeated reminder has the same event id."""
    number = item.reminders + 1
    return Outgoing(
        data=ApprovalReminder(
            asked_at=item.asked_at,
            deadline_at=item.deadline_at,
            number=number,
            at_deadline=settings.at_deadline,
        ),
        pipeline_id=item.pipeline_id,
        event_id=f"{item.pipeline_id}.{round(item.asked_at.timestamp() * 1_000)}-reminder-{number}",
        correlation_id=item.pipeline_id,
        execution_arn=item.execution_arn,
    )
