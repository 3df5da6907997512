"""The policy decides what to do with a message, from a few numbers. It is pure: it calls no AWS service.

A failure that a worker can report is retried by Step Functions only; SQS redelivers a message if its worker died, a
call to AWS failed, or another delivery of it is being handled. A message without a task token (a start event, a
failed execution's status) can only be retried by SQS: after a transient failure it is left for redelivery.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from shared.contracts.stages import RECEIVES_BEFORE_LOST, RETRY
from shared.errors import ContractViolation, InProgress, PermanentError, TokenSettled, WorkerLost

STALE_MS = 5_000
"""A message that waited for this long may belong to a task that has since been cancelled or timed out."""

WORK_MS = 30_000
"""Minimum task time that must remain before a paid stage starts; otherwise the answer could arrive after the task
expires."""


class Step(Enum):
    """What a worker does with a stage request. If RECALL or SKIP_IF_OVER settles nothing, the next step follows."""

    RUN = auto()
    RECALL = auto()
    """Send the answer that an earlier delivery, attempt or execution stored, if there is one."""
    SKIP_IF_OVER = auto()
    """Acknowledge the message if Step Functions says that its task is over."""
    SKIP = auto()
    """Acknowledge the message: its task would end before the work."""
    GIVE_UP = auto()
    """Park the message and fail its task: its worker was lost."""


class Wait(Enum):
    """How late a message is delivered."""

    FRESH = auto()
    """Its task surely still waits."""
    STALE = auto()
    """It waited for `STALE_MS` or longer: its task may be over."""
    LATE = auto()
    """Its task has at most `WORK_MS` left, too little for a paid stage. LATE takes precedence over STALE."""


Steps = tuple[Step, ...]

_RUN: Final[Steps] = (Step.RUN,)
_LOST: Final[Steps] = (Step.SKIP_IF_OVER, Step.GIVE_UP)

STEPS: Final[Mapping[tuple[bool, Wait], tuple[Steps, Steps]]] = {
    # (workers were lost, wait): (steps of an unpaid stage, steps of a paid stage)
    (False, Wait.FRESH): (_RUN, _RUN),
    (False, Wait.STALE): (_RUN, (Step.SKIP_IF_OVER, Step.RUN)),
    (False, Wait.LATE): (_RUN, (Step.RECALL, Step.SKIP)),
    (True, Wait.FRESH): (_LOST, (Step.RECALL, *_LOST)),
    (True, Wait.STALE): (_LOST, (Step.RECALL, *_LOST)),
    (True, Wait.LATE): (_LOST, (Step.RECALL, Step.SKIP)),
}
"""The steps for a stage request. Under overload every message at the head of the queue is LATE."""


def wait_of(waited_ms: int, left_ms: int | None) -> Wait:
    """Return how late a message is. `left_ms` is the task's remaining time, None if the task has no limit."""
    if left_ms is not None and left_ms <= WORK_MS:
        return Wait.LATE
    return Wait.STALE if waited_ms >= STALE_MS else Wait.FRESH


def steps(*, receives: int, waited_ms: int, left_ms: int | None, pays: bool) -> Steps:
    """Return the steps for a stage request, to be taken in order until one settles it."""
    return STEPS[receives >= RECEIVES_BEFORE_LOST, wait_of(waited_ms, left_ms)][pays]


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
