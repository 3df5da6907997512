"""Version 1 of the approval: a person's decision on an answer before its caller gets it."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from shared.contracts import limits
from shared.contracts.envelope import Event
from shared.contracts.v1 import ChatAnswer, Count, EarlyAnswer, Enhancement, UserMessage

Choice = Literal["approved", "rejected", "edited"]

REASON_CHARS = limits.EARLY_REASON_CHARS
DEADLINE = "deadline"
"""Who decided if nobody did in time."""


class ApprovalRequested(Event, frozen=True, kw_only=True):
    """Asks a person whether the caller may get an answer: the enhanced one, or else the chatbot's own."""

    NAME: ClassVar[str] = "approval.requested"
    VERSION: ClassVar[int] = 1

    user_message: UserMessage
    chat: ChatAnswer
    enhancement: Enhancement | None = None


class Approval(Struct, frozen=True, kw_only=True):
    """A decision on an answer. After `rejected` and `edited`, the caller gets `early_answer` instead."""

    decision: Choice
    decided_by: Annotated[
        str,
        Meta(
            max_length=limits.ID_CHARS * 8,
            description=f"The ARN of who decided, or `{DEADLINE}` if nobody did in time.",
        ),
    ]
    decided_at: Annotated[datetime, Meta(tz=True)]
    asked_at: Annotated[datetime, Meta(tz=True)]
    reason: Annotated[str, Meta(max_length=REASON_CHARS)] = ""
    early_answer: EarlyAnswer | UnsetType = UNSET


class ApprovalReminder(Event, frozen=True, kw_only=True):
    """Nobody has decided on an answer yet. Repeated until somebody does, or the deadline decides."""

    NAME: ClassVar[str] = "approval.reminder"
    VERSION: ClassVar[int] = 1

    asked_at: Annotated[datetime, Meta(tz=True)]
    deadline_at: Annotated[datetime, Meta(tz=True)]
    number: Annotated[Count, Meta(description="1 for the first reminder of this wait.")]
    at_deadline: Annotated[
        Literal["approve", "reject", "fail"], Meta(description="What happens if nobody decides in time.")
    ]
