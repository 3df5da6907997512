"""The times of queues, tasks and alarms follow from the timeouts of an environment's functions."""

import pytest

from infra.clocks import MAX_RECEIVES, visibility_rule
from infra.definition import definition, longest_seconds
from infra.environments import Environment, Sizing
from infra.options import load
from services.chatbot.settings import Settings
from services.logger.reconciler.core import LONGEST_RUN
from shared.contracts.stages import LEAST_TASK_SECONDS, RECEIVES_BEFORE_LOST, STAGES

SQS_LONGEST_VISIBILITY = 12 * 3_600


@pytest.mark.parametrize("window", [0, 5])
@pytest.mark.parametrize("timeout", [5, 29, 30, 31, 60, 899, 900])
def test_the_times_of_a_queue_fit_together(timeout, window):
    """Visibility outlasts a call with room for throttled tries, and a task outlasts all deliveries of its message."""
    sizing = Sizing(timeout_seconds=timeout, batching_window_seconds=window)
    assert sizing.visibility_seconds >= timeout + window + min(5 * timeout, 150)
    assert sizing.visibility_seconds <= SQS_LONGEST_VISIBILITY
    assert sizing.task_seconds > sizing.visibility_seconds * MAX_RECEIVES
    assert sizing.task_seconds >= LEAST_TASK_SECONDS
    rule = visibility_rule(timeout, window).replace(" s", "").replace("x", "*")
    assert eval(rule) == sizing.visibility_seconds  # noqa: S307 -- the rule is written as arithmetic


def test_a_long_answer_lengthens_its_own_task_only():
    """With a chatbot of 15 minutes its task waits for all deliveries of its message; the others wait as before."""
    long = load("prod", {"timeout_chatbot": "900"})
    states = definition(
        bus_name="bus",
        queue_urls={stage.service: "q" for stage in STAGES},
        table_name="t",
        task_seconds=long.task_seconds,
    )
    seconds = {stage.service: states["States"][stage.state]["TimeoutSeconds"] for stage in STAGES}
    assert seconds == {**dict.fromkeys(seconds, 960), "chatbot": 5 * (900 + 150) + 60}
    assert states["TimeoutSeconds"] > 4 * sum(seconds.values())
    assert load("prod").task_seconds("chatbot") == LEAST_TASK_SECONDS


def test_the_last_delivery_of_a_long_answer_has_time_for_it():
    """The fifth delivery of a message still has the function's whole timeout before its task ends."""
    sizing = Sizing(timeout_seconds=900)
    fifth = sizing.visibility_seconds * (MAX_RECEIVES - 1)
    assert sizing.task_seconds - fifth > sizing.timeout_seconds > Settings(timeout_seconds=900).read_seconds


def test_the_reconciler_finds_the_longest_run():
    """A run whose every attempt takes its whole time ends before the reconciler looks no further back."""
    long = load("prod", {"timeout_chatbot": "900"})
    assert longest_seconds(task_seconds=long.task_seconds) < LONGEST_RUN.total_seconds()


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_alarms_allow_what_the_chatbot_may_take(name):
    """An alarm on a time rings later by what the chatbot may take beyond half a minute; nothing else changes."""

    def times(environment: Environment) -> tuple[int, ...]:
        limits = environment.limits
        ages = (limits.age_seconds(service) for service in ("chatbot", "logger"))
        return limits.run_p95_seconds, limits.run_open_seconds, *ages

    usual, long = load(name), load(name, {"timeout_chatbot": "900"})
    set_ = usual.thresholds
    assert times(usual) == (set_.run_p95_seconds, set_.run_open_seconds, *[set_.queue_age_seconds] * 2)
    added = [after - before for before, after in zip(times(usual), times(long), strict=True)]
    assert added == [870, 5 * 870, 870, 0]


@pytest.mark.parametrize("name", ["staging", "prod"])
@pytest.mark.parametrize("seconds", ["30", "900"])
def test_a_task_that_times_out_rings(name, seconds):
    """A run whose chat task times out was open for longer than the alarm allows."""
    environment = load(name, {"timeout_chatbot": seconds})
    assert environment.limits.run_open_seconds < environment.task_seconds("chatbot")


def test_a_killer_can_be_found_before_sqs_gives_it_up():
    """A queue delivers a message often enough for the worker to find out that it kills its workers."""
    assert RECEIVES_BEFORE_LOST <= MAX_RECEIVES
