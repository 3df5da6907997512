"""The environment of the approval's functions."""

from typing import Literal

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """`approval_seconds` is the time until the deadline, `reminder_seconds` the time between two reminders."""

    approvals_table: str
    approval_seconds: int
    at_deadline: Literal["approve", "reject", "fail"] = "reject"
    reminder_seconds: int = 86_400
    rejected_text: str = "This answer was not released."
