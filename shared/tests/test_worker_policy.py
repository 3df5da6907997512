"""The worker's policy, tested as tables."""

from itertools import product

import pytest

from shared.contracts.stages import RECEIVES_BEFORE_LOST, RETRY
from shared.errors import (
    ContractViolation,
    InProgress,
    PermanentError,
    TokenSettled,
    TransientError,
    WorkerLost,
)
from shared.worker.policy import (
    ENDINGS,
    STALE_MS,
    STEPS,
    WORK_MS,
    Ending,
    Step,
    Wait,
    ending,
    steps,
    wait_of,
)

RECEIVES = (1, 2, 3, 4, 5)
WAITED_MS = (0, STALE_MS - 1, STALE_MS, STALE_MS + 1, 960_000)
LEFT_MS = (None, -1, 0, WORK_MS - 1, WORK_MS, WORK_MS + 1, 960_000)
CASES = list(product(RECEIVES, WAITED_MS, LEFT_MS))
LAST = {Step.RUN, Step.SKIP, Step.GIVE_UP}


@pytest.mark.parametrize(("receives", "waited", "left"), CASES)
def test_a_stage_that_pays_buys_only_what_its_task_still_waits_for(receives, waited, left):
    """A paid stage runs only before the third delivery and with time left; after a long wait its task is checked."""
    expected: tuple[Step, ...]
    late = left is not None and left <= 30_000
    if late:
        expected = (Step.RECALL, Step.SKIP)
    elif receives >= 3:
        expected = (Step.RECALL, Step.SKIP_IF_OVER, Step.GIVE_UP)
    elif waited >= 5_000:
        expected = (Step.SKIP_IF_OVER, Step.RUN)
    else:
        expected = (Step.RUN,)
    assert steps(receives=receives, waited_ms=waited, left_ms=left, pays=True) == expected


@pytest.mark.parametrize(("receives", "waited", "left"), CASES)
def test_a_stage_that_pays_for_nothing_runs_whatever_it_waited(receives, waited, left):
    """An unpaid stage runs until its message has killed two workers, and recalls nothing."""
    expected: tuple[Step, ...] = (Step.RUN,) if receives < 3 else (Step.SKIP_IF_OVER, Step.GIVE_UP)
    assert steps(receives=receives, waited_ms=waited, left_ms=left, pays=False) == expected


def test_the_table_of_steps_has_a_row_for_everything_and_each_row_ends():
    """Every delivery count and wait has its row, and each row's last step settles the message, no other does."""
    assert STEPS.keys() == set(product((False, True), Wait))
    for row in STEPS.values():
        for sequence in row:
            *lookups, last = sequence
            assert last in LAST
            assert not LAST & set(lookups)


def test_a_wait_is_late_before_it_is_stale():
    """The task's remaining time takes precedence over the message's time in the queue."""
    assert wait_of(STALE_MS, WORK_MS) is Wait.LATE
    assert wait_of(STALE_MS, WORK_MS + 1) is Wait.STALE
    assert wait_of(STALE_MS - 1, WORK_MS + 1) is Wait.FRESH


ERRORS = {
    ContractViolation("$", "wrong"): (Ending.REJECT, Ending.REPORT),
    TransientError("slow"): (Ending.REDELIVER, Ending.REPORT),
    PermanentError("denied"): (Ending.GIVE_UP, Ending.GIVE_UP),
    WorkerLost("lost"): (Ending.GIVE_UP, Ending.GIVE_UP),
    InProgress("busy"): (Ending.REDELIVER, Ending.REDELIVER),
    TokenSettled("over"): (Ending.DROP, Ending.DROP),
    KeyError("bug"): (Ending.REDELIVER, Ending.REPORT),
}
ATTEMPTS = (0, 1, RETRY.max_attempts - 1, RETRY.max_attempts, RETRY.max_attempts + 1)


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize(("error", "expected"), ERRORS.items(), ids=lambda value: type(value).__name__)
def test_each_error_has_one_ending(error, expected, attempt):
    """Who retries an error, if anybody, follows from its type, the attempt, and whether a task waits."""
    alone, waited_for = expected
    if waited_for is Ending.REPORT and attempt >= RETRY.max_attempts:
        waited_for = Ending.GIVE_UP
    assert ending(error, awaited=False, attempt=attempt) is alone
    assert ending(error, awaited=True, attempt=attempt) is waited_for


def test_no_row_of_the_endings_hides_another():
    """The rows are read from the top: no row follows one that covers all its errors."""
    kinds = list(ENDINGS)
    assert kinds[-1] is Exception
    assert not [
        (above, below)
        for i, above in enumerate(kinds)
        for below in kinds[i + 1 :]
        if issubclass(below, above)
    ]


def test_the_third_delivery_is_the_one_that_is_given_up():
    """A message is given up at its third delivery."""
    assert RECEIVES_BEFORE_LOST == 3
