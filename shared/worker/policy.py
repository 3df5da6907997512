"""The policy decides what to do with a message, from a few numbers. It is pure: it calls no AWS service.

A failure that a worker can report is retried by Step Functions only; SQS redelivers a message if its worker died, a
call to AWS failed, or another delivery of it is being handled. A message without a task token (a start event, a
failed execution's status) can only be retried by SQS: after a transient failure it is left for redelivery.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from shared.contracts.stages import FIRST_COUNTED_RECEIVE, RETRY
from shared.errors import (
    ContractViolation,
    InProgress,
    ModelTimedOut,
    PermanentError,
    TokenSettled,
    WorkerLost,
)

STALE_MS = 5_000
"""A message that waited for this long may belong to a task that has since been cancelled or timed out."""

WORK_MS = 30_000
"""Minimum task time that must remain before a paid stage starts, unless its route names another; otherwise the answer
could arrive after the task expires.
"""


class Step(Enum):
    """What a worker does with a message. If a step other than the last settles nothing, the next step follows."""

    RUN = auto()
    RUN_UNLESS_LOST = auto()
    """Count the start and run, unless too many counted starts of the message ended without an outcome."""
    RECALL = auto()
    """Send the answer that an earlier delivery, attempt or execution stored, if there is one; fail if an earlier
    delivery may have paid for one that was lost.
    """
    SKIP_IF_OVER = auto()
    """Acknowledge the message if Step Functions says that its task is over."""
    SKIP = auto()
    """Acknowledge the message: its task would end before the work."""
    GIVE_UP = auto()
    """Park the message and fail its task: its workers were lost."""


class Wait(Enum):
    """How late a message is handled, compared with its task's time."""

    FRESH = auto()
    """The task began just now, and surely still waits."""
    STALE = auto()
    """The task began `STALE_MS` ago or earlier: it may be over."""
    LATE = auto()
    """The task has too little time left for a paid stage. LATE takes precedence over STALE."""


Steps = tuple[Step, ...]

_RUN: Final[Steps] = (Step.RUN,)
_RUN_AGAIN: Final[Steps] = (Step.RUN_UNLESS_LOST, Step.SKIP_IF_OVER, Step.GIVE_UP)
_PAY_AGAIN: Final[Steps] = (Step.RECALL, Step.RUN_UNLESS_LOST, Step.SKIP_IF_OVER, Step.GIVE_UP)

STEPS: Final[Mapping[tuple[bool, Wait], tuple[Steps, Steps]]] = {
    # (the starts are counted, wait): (steps of an unpaid stage, steps of a paid stage)
    (False, Wait.FRESH): (_RUN, _RUN),
    (False, Wait.STALE): (_RUN, (Step.SKIP_IF_OVER, Step.RUN)),
    (False, Wait.LATE): (_RUN, (Step.RECALL, Step.SKIP)),
    (True, Wait.FRESH): (_RUN_AGAIN, _PAY_AGAIN),
    (True, Wait.STALE): (_RUN_AGAIN, (Step.SKIP_IF_OVER, *_PAY_AGAIN)),
    (True, Wait.LATE): (_RUN_AGAIN, (Step.RECALL, Step.SKIP)),
}
"""The steps for a message. Under overload every message at the head of the queue is LATE."""


def wait_of(*, waited_ms: int, told_ms: int | None, task_ms: int | None, work_ms: int = WORK_MS) -> Wait:
    """Return how late a message is handled.

    `waited_ms` is the time since the last hop, which the task's age surely exceeds. `told_ms` is the task's age as
    the message itself tells it, None if it does not. `task_ms` is the task's timeout, None if it has none, and
    `work_ms` how much of it must be left.

    The greater of the two ages counts: EventBridge may have delivered the message late, or a replay moved it back.
    But no task is older than its timeout. A greater `told_ms` is that of a task that is over, or it is wrong (a
    redriven state may keep the time when it was first entered, a clock may be off). Only Step Functions can tell
    which, so the message is STALE. An age below zero says nothing.
    """
    told = told_ms or 0
    if task_ms is not None:
        age = max(waited_ms, told) if told <= task_ms else waited_ms
        if task_ms - age <= work_ms:
            return Wait.LATE
    return Wait.STALE if max(waited_ms, told) >= STALE_MS else Wait.FRESH


def steps(*, receives: int, wait: Wait, pays: bool) -> Steps:
    """Return the steps for a message, to be taken in order until one settles it."""
    return STEPS[receives >= FIRST_COUNTED_RECEIVE, wait][pays]


class Ending(Enum):
    """What a worker does about an error."""

    REJECT = auto()
    """Park the message and publish contract.rejected."""
    GIVE_UP = auto()
    """Park the message and fail its task, if it has one."""
    REPORT = auto()
    """Fail the task's attempt: Step Functions retries it."""
    REDELIVER = auto()
    """Leave the message in its queue: SQS delivers it again."""
    DROP = auto()
    """Acknowledge the message: its task is over."""


ENDINGS: Final[Mapping[type[Exception], tuple[Ending, Ending]]] = {
    # error: (no task waits for the outcome, a task waits for it)
    ContractViolation: (Ending.REJECT, Ending.REPORT),
    PermanentError: (Ending.GIVE_UP, Ending.GIVE_UP),
    ModelTimedOut: (Ending.GIVE_UP, Ending.GIVE_UP),
    WorkerLost: (Ending.GIVE_UP, Ending.GIVE_UP),
    InProgress: (Ending.REDELIVER, Ending.REDELIVER),
    TokenSettled: (Ending.DROP, Ending.DROP),
    Exception: (Ending.REDELIVER, Ending.REPORT),
}
"""The first row whose error type matches is used. If a task waits, ContractViolation comes from the stage's own
result: a bug, which counts as transient like any other. (The inbox rejects events that break their contract.)"""


def ending(error: Exception, *, awaited: bool, attempt: int) -> Ending:
    """Return what to do about `error`. `attempt` is 0 for the first attempt; the last one is not retried."""
    verdict = next(row for kind, row in ENDINGS.items() if isinstance(error, kind))[awaited]
    if verdict is Ending.REPORT and attempt >= RETRY.max_attempts:
        return Ending.GIVE_UP
    return verdict
