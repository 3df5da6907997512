"""The policy decides what becomes of a message, from a few numbers. It is pure: it asks nobody and reports nothing.

A failure a worker can report is retried by Step Functions, and only there; SQS redelivery is for a worker that
died and for a call to AWS that failed. A message without a task token (a start event, a failed execution's status)
has nobody else to retry it: for it a transient failure is a redelivery.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from shared.contracts.stages import RECEIVES_BEFORE_LOST, RETRY
from shared.errors import ContractViolation, InProgress, PermanentError, TokenSettled, WorkerLost

STALE_MS = 5_000
"""A message that waited for this long may belong to a task that was cancelled or timed out meanwhile."""

WORK_MS = 30_000
"""Minimum task time that must remain before a paid stage starts; otherwise the answer could arrive after the task
expires."""


class Step(Enum):
    """What a worker does with a stage's request. RECALL and SKIP_IF_OVER may settle nothing: the next follows."""

    RUN = auto()
    RECALL = auto()
    """Send the answer that an earlier run has stored, if there is one."""
    SKIP_IF_OVER = auto()
    """Acknowledge the message if Step Functions says that its task is over."""
    SKIP = auto()
    """Acknowledge the message: its task ends before the work would."""
    GIVE_UP = auto()
    """Park the message and fail its task: its worker was lost."""


class Wait(Enum):
    """How long a message has waited, and what that leaves of its task."""

    FRESH = auto()
    STALE = auto()
    LATE = auto()


Steps = tuple[Step, ...]

_RUN: Final[Steps] = (Step.RUN,)
_LOST: Final[Steps] = (Step.SKIP_IF_OVER, Step.GIVE_UP)

STEPS: Final[Mapping[tuple[bool, Wait], tuple[Steps, Steps]]] = {
    # its workers were lost, its wait: (a stage that pays for nothing, a stage that pays)
    (False, Wait.FRESH): (_RUN, _RUN),
    (False, Wait.STALE): (_RUN, (Step.SKIP_IF_OVER, Step.RUN)),
    (False, Wait.LATE): (_RUN, (Step.RECALL, Step.SKIP)),
    (True, Wait.FRESH): (_LOST, (Step.RECALL, *_LOST)),
    (True, Wait.STALE): (_LOST, (Step.RECALL, *_LOST)),
    (True, Wait.LATE): (_LOST, (Step.RECALL, Step.SKIP)),
}
"""The steps for a stage's request. Under overload every message at the head of the queue is LATE."""


def wait_of(waited_ms: int, left_ms: int | None) -> Wait:
    """The class of a wait. `left_ms` is what remains of the task's time, None if the task has no limit."""
    if left_ms is not None and left_ms <= WORK_MS:
        return Wait.LATE
    return Wait.STALE if waited_ms >= STALE_MS else Wait.FRESH


def steps(*, receives: int, waited_ms: int, left_ms: int | None, pays: bool) -> Steps:
    """The steps for a stage's request, to be tried in order until one settles it."""
    return STEPS[receives >= RECEIVES_BEFORE_LOST, wait_of(waited_ms, left_ms)][pays]


class Ending(Enum):
    """What a worker does about an error."""

    REJECT = auto()
    """Park the message and tell its publisher why."""
    GIVE_UP = auto()
    """Park the message and fail its task, if it has one."""
    REPORT = auto()
    """Fail the task's attempt: Step Functions retries it."""
    REDELIVER = auto()
    """Leave the message in its queue: SQS delivers it again."""
    DROP = auto()
    """Acknowledge the message: nobody waits for its outcome any more."""


ENDINGS: Final[Mapping[type[Exception], tuple[Ending, Ending]]] = {
    # the error: (nobody waits for the outcome, a task waits for it)
    ContractViolation: (Ending.REJECT, Ending.REPORT),
    PermanentError: (Ending.GIVE_UP, Ending.GIVE_UP),
    WorkerLost: (Ending.GIVE_UP, Ending.GIVE_UP),
    InProgress: (Ending.REDELIVER, Ending.REDELIVER),
    TokenSettled: (Ending.DROP, Ending.DROP),
    Exception: (Ending.REDELIVER, Ending.REPORT),
}
"""The first row that the error is an instance of holds. A stage's own result that breaks a contract is its bug, and
counts as transient like any other."""


def ending(error: Exception, *, awaited: bool, attempt: int) -> Ending:
    """What to do about `error`. `attempt` is 0 for the first try: after the last one nothing is retried."""
    verdict = next(row for kind, row in ENDINGS.items() if isinstance(error, kind))[awaited]
    if verdict is Ending.REPORT and attempt >= RETRY.max_attempts:
        return Ending.GIVE_UP
    return verdict
