"""The runs that wait for a person: what a reader sees of one, and what a person decides. Pure.

`store` keeps them, with their task tokens, which are in no `Item`.
"""

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from shared.contracts import v1
from shared.contracts.record import iso
from shared.errors import PermanentError

OPEN_INDEX: Final = "by-open"
"""The index of the items that are not settled, by the time of their request."""
OPEN: Final = "yes"
EXPIRES: Final = "expires_at"
LISTED: Final = ("state", "deadline_at", "execution_arn", "excerpt", "decision", "reminders", "decided_at")
"""The fields of an item that the index holds beside its keys: neither the texts nor the token."""
EXCERPT_CHARS: Final = 120
KEPT_AFTER_SECONDS: Final = 30 * 24 * 3_600
"""For how long an item is kept after its deadline."""

State = Literal["waiting", "decided", "settled", "closed"]
Decision = Literal["approved", "rejected", "edited", "failed"]

EXPIRED_CAUSE: Final = "Nobody decided on the answer before its deadline."


class Item(Struct, frozen=True, kw_only=True):
    """A run that waits, or waited, for a decision; without its task token.

    `decided`: a decision is stored and is on its way to Step Functions. `settled`: it has arrived. `closed`: the run
    ended before a decision could reach it, because it was cancelled or timed out.
    """

    pipeline_id: str
    state: State
    asked_at: datetime
    deadline_at: datetime
    execution_arn: str | None = None
    excerpt: str = ""
    user_message: str | None = None
    answer: str | None = None
    is_cut: bool = False
    """Whether `answer` is only the beginning of a long answer."""
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    text: str | None = None
    """What the caller gets instead of the answer."""
    reminders: int = 0


class Verdict(Struct, frozen=True, kw_only=True):
    """What somebody wants to decide. `text` is the caller's answer after `rejected` and `edited`."""

    decision: Decision
    by: str
    reason: str = ""
    text: str | None = None

    def __post_init__(self) -> None:
        if (self.text is not None) != (self.decision in ("rejected", "edited")):
            raise ValueError("a text belongs to an answer that is rejected or edited, and to no other")
        if self.text is not None:
            v1.EarlyAnswer(text=self.text, reason=self.reason or self.decision)


class NotWaiting(PermanentError):  # noqa: N818 -- as the project's other errors
    """No run waits, or waited, under this id."""


class AlreadyDecided(PermanentError):  # noqa: N818 -- as the project's other errors
    """Somebody else has decided, or somebody decided otherwise; `item` says who and how."""

    def __init__(self, item: Item) -> None:
        who, at = item.decided_by, item.decided_at
        super().__init__(f"{who} has already decided: {item.decision}" + (f", at {iso(at)}." if at else "."))
        self.item = item


class RunEnded(PermanentError):  # noqa: N818 -- as the project's other errors
    """The run ended before the decision: it was cancelled or timed out. Nothing waits for it any more."""
