"""The worker of a stage that pays: what it begins for a message that waited, and what its task waits for no more."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts import v1
from shared.contracts.stages import LEAST_TASK_SECONDS
from shared.tests.fakes import sqs_record, stage_event
from shared.tests.worker_bench import ANSWER, Bench


def test_a_paying_stage_asks_first_whether_a_late_message_is_still_wanted():
    """After a long wait, a paid stage runs only if its task is not over; a fresh message is not checked."""
    bench = Bench()
    for token, waited_ms, runs in (("over", 60_000, 0), ("over", 10, 1), ("waits", 60_000, 1)):
        bench.step_functions.failures = {"over": ("States.Timeout", "")}
        bench.asked.clear()
        event = stage_event("chat.requested.v1", {"user_message": "Hi"}, token=token)
        assert bench.handle(sqs_record(event, sent_ms=int(time.time() * 1000) - waited_ms)) == []
        assert len(bench.asked) == runs


TASK_MS = LEAST_TASK_SECONDS * 1000


def ago(milliseconds: float) -> str:
    return (datetime.now(UTC) - timedelta(milliseconds=milliseconds)).isoformat()


@pytest.mark.parametrize("told", [False, True], ids=["waited in the queue", "delivered late or moved back"])
@pytest.mark.parametrize(
    ("left_ms", "stored", "asked", "answered"),
    [(10_000, None, 0, 0), (60_000, None, 1, 1), (10_000, ANSWER, 0, 1)],
)
def test_a_paying_stage_does_not_begin_what_its_task_will_not_wait_for(
    left_ms: int, stored: v1.ChatAnswer | None, asked: int, answered: int, told: bool
):
    """Shortly before its task times out, a message buys no answer, wherever it waited, but a stored one is sent."""
    bench = Bench(stored=stored)
    waited_ms = TASK_MS - left_ms
    event = stage_event("chat.requested.v1", {"user_message": "Hi"}, occurred_at=ago(waited_ms))
    sent_ms = int(time.time() * 1000) - (0 if told else waited_ms)
    assert bench.handle(sqs_record(event, sent_ms=sent_ms)) == []
    assert (len(bench.asked), len(bench.step_functions.successes)) == (asked, answered)


NO_TIME_LEFT = TASK_MS - 10_000
HARMLESS = {
    "a redriven state keeps the time when it was first entered": {"occurred_at": ago(3_600_000)},
    "a retry has a timeout of its own": {"occurred_at": ago(NO_TIME_LEFT), "attempt": 1},
    "long retries": {"occurred_at": ago(3 * TASK_MS), "attempt": 3},
    "a clock ahead": {"occurred_at": ago(-3_600_000)},
    "the first year": {"occurred_at": "0001-01-01T00:00:00Z"},
    "the last year": {"occurred_at": "9999-12-31T23:59:59Z"},
}


@pytest.mark.parametrize("receives", [1, 2])
@pytest.mark.parametrize("metadata", HARMLESS.values(), ids=HARMLESS)
def test_a_time_that_is_not_the_tasks_skips_no_work(metadata, receives):
    """While its task waits, a message is handled though its time says that no task can be that old or young."""
    bench = Bench()
    event = stage_event("chat.requested.v1", {"user_message": "Hi"}, **metadata) | {"time": ago(0)}
    assert bench.handle(sqs_record(event, receives=receives)) == []
    assert (len(bench.asked), len(bench.step_functions.successes)) == (1, 1)


def test_a_time_that_no_waiting_task_can_have_is_asked_about():
    """A message of a task that began before its timeout pays for nothing once Step Functions says it is over."""
    bench = Bench()
    bench.step_functions.failures["token-1"] = ("States.Timeout", "")
    assert bench.handle(bench.chat(occurred_at=ago(TASK_MS + 1_000))) == []
    assert (bench.asked, bench.dlq.sent) == ([], [])


@pytest.mark.parametrize(
    ("time_of_event", "asked"),
    [
        (lambda: ago(NO_TIME_LEFT), 0),
        (lambda: ago(60_000), 1),
        (lambda: None, 1),
        (lambda: "2026-11-22T10:00:00", 1),
        (lambda: "2026-11-22T10:00:00Z", 1),
    ],
    ids=["no time left", "time left", "no time", "no zone", "long ago"],
)
def test_a_retrys_age_is_that_of_its_request(time_of_event, asked):
    """A retry's task began when its request reached EventBridge; without a time of the event, it is not skipped."""
    bench = Bench()
    event = stage_event("chat.requested.v1", {"user_message": "Hi"}, attempt=2, occurred_at=ago(3 * TASK_MS))
    assert bench.handle(sqs_record(event | {"time": time_of_event()})) == []
    assert len(bench.asked) == asked
