"""The worker's policy, tested as tables."""

from itertools import product

import pytest

from shared.contracts.stages import (
    FIRST_COUNTED_RECEIVE,
    RECEIVES_BEFORE_LOST,
    RETRY,
    STARTS_BEFORE_LOST,
)
from shared.errors import (
    ContractViolation,
    InProgress,
    ModelTimedOut,
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
CASES = list(product(RECEIVES, Wait))
LAST = {Step.RUN, Step.SKIP, Step.GIVE_UP}
TASK_MS = 960_000
NOW_LATE = TASK_MS - WORK_MS


@pytest.mark.parametrize(("receives", "wait"), CASES)
def test_a_stage_that_pays_buys_only_what_its_task_still_waits_for(receives, wait):
    """A paid stage runs only with time left, asks first after a long wait, and looks for an answer if repeated."""
    expected: tuple[Step, ...]
    if wait is Wait.LATE:
        expected = (Step.RECALL, Step.SKIP)
    elif receives == 1:
        expected = (Step.RUN,)
    else:
        expected = (Step.RECALL, Step.RUN_UNLESS_LOST, Step.SKIP_IF_OVER, Step.GIVE_UP)
    if wait is Wait.STALE:
        expected = (Step.SKIP_IF_OVER, *expected)
    assert steps(receives=receives, wait=wait, pays=True) == expected


@pytest.mark.parametrize(("receives", "wait"), CASES)
def test_a_stage_that_pays_for_nothing_runs_whatever_it_waited(receives, wait):
    """An unpaid stage runs however late, recalls nothing, and its starts are counted from the second delivery on."""
    again = (Step.RUN_UNLESS_LOST, Step.SKIP_IF_OVER, Step.GIVE_UP)
    assert steps(receives=receives, wait=wait, pays=False) == ((Step.RUN,) if receives == 1 else again)


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
    assert wait_of(waited_ms=NOW_LATE, told_ms=None, task_ms=TASK_MS) is Wait.LATE
    assert wait_of(waited_ms=NOW_LATE - 1, told_ms=None, task_ms=TASK_MS) is Wait.STALE
    assert wait_of(waited_ms=STALE_MS, told_ms=None, task_ms=TASK_MS) is Wait.STALE
    assert wait_of(waited_ms=STALE_MS - 1, told_ms=None, task_ms=TASK_MS) is Wait.FRESH
    assert wait_of(waited_ms=10**9, told_ms=10**9, task_ms=None) is Wait.STALE


@pytest.mark.parametrize("waited_ms", [0, STALE_MS - 1])
def test_a_tasks_age_is_its_own_and_not_its_last_hops(waited_ms):
    """A message whose task began long ago is late, however short its last hop was."""
    assert wait_of(waited_ms=waited_ms, told_ms=NOW_LATE, task_ms=TASK_MS) is Wait.LATE
    assert wait_of(waited_ms=waited_ms, told_ms=TASK_MS, task_ms=TASK_MS) is Wait.LATE
    assert wait_of(waited_ms=waited_ms, told_ms=NOW_LATE - 1, task_ms=TASK_MS) is Wait.STALE
    assert wait_of(waited_ms=waited_ms, told_ms=STALE_MS - 1, task_ms=TASK_MS) is Wait.FRESH


@pytest.mark.parametrize("told_ms", [TASK_MS + 1, 14 * 24 * 3_600_000, 10**14])
def test_an_age_beyond_the_tasks_timeout_is_asked_about_and_skips_nothing(told_ms):
    """If a message tells an age that no waiting task can have, Step Functions is asked whether its task is over."""
    assert wait_of(waited_ms=0, told_ms=told_ms, task_ms=TASK_MS) is Wait.STALE
    assert wait_of(waited_ms=NOW_LATE, told_ms=told_ms, task_ms=TASK_MS) is Wait.LATE


@pytest.mark.parametrize("told_ms", [None, 0, -1, -(10**14)])
def test_an_age_that_says_nothing_leaves_the_last_hop(told_ms):
    """Without an age, or with one from the future, the time in the queue decides."""
    assert wait_of(waited_ms=0, told_ms=told_ms, task_ms=TASK_MS) is Wait.FRESH
    assert wait_of(waited_ms=STALE_MS, told_ms=told_ms, task_ms=TASK_MS) is Wait.STALE
    assert wait_of(waited_ms=NOW_LATE, told_ms=told_ms, task_ms=TASK_MS) is Wait.LATE


ERRORS = {
    ContractViolation("$", "wrong"): (Ending.REJECT, Ending.REPORT),
    TransientError("slow"): (Ending.REDELIVER, Ending.REPORT),
    PermanentError("denied"): (Ending.GIVE_UP, Ending.GIVE_UP),
    ModelTimedOut("no answer"): (Ending.GIVE_UP, Ending.GIVE_UP),
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


def test_the_fourth_delivery_is_the_first_that_may_be_given_up():
    """The first delivery is not counted, two counted ones may kill their workers, the next is given up."""
    assert (FIRST_COUNTED_RECEIVE, STARTS_BEFORE_LOST, RECEIVES_BEFORE_LOST) == (2, 2, 4)
