"""The simulation obeys the laws of queues and the rules of the pipeline."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from infra.doctor.quotas import Rate
from scale.quotas import US_EAST_1
from scale.results import Outcome, Result
from scale.scenarios import Scenario
from scale.shape import ASSUMED, Tokens, shape
from scale.simulation import simulate

FREE = replace(US_EAST_1, poller_start=1_000, poller_growth=1_000, functions=10_000)
WHOLE = shape()
FOUR = replace(WHOLE, steps=tuple(step for step in WHOLE.steps if step.station.name in ASSUMED.functions))
"""The pipeline of the stages whose times are assumed: the laws hold for any stages, and their numbers for these."""
SMALL = Scenario(name="small", rate=40, load_seconds=60, shape=FOUR)


def mean_latency(result: Result) -> float:
    return sum(end.seconds for end in result.ended) / len(result.ended)


OVERLOADS: dict[str, Any] = {
    "model_tokens": Rate(per_second=10_000, burst=20_000),
    "callbacks": Rate(per_second=60, burst=60),
    "start_execution": Rate(per_second=15, burst=15),
    "state_transitions": Rate(per_second=80, burst=80),
    "put_events": Rate(per_second=100, burst=100),
    "functions": 60.0,
}


@pytest.mark.parametrize("name", OVERLOADS)
def test_every_request_ends_exactly_once(name: str):
    """Whichever quota is short, each request that arrives ends with exactly one outcome."""
    result = simulate(replace(SMALL, quotas=replace(FREE, **{name: OVERLOADS[name]})))
    assert len(result.ended) == result.arrived > 2_000
    assert sum(result.count(outcome) for outcome in Outcome) == result.requests
    assert Counter(end.outcome for end in result.ended)[Outcome.SUCCEEDED] > 0


@pytest.mark.parametrize("name", OVERLOADS)
def test_a_larger_quota_answers_more_or_sooner(name: str):
    """With twice the short quota, more requests are answered, or as many of them sooner."""
    short = OVERLOADS[name]
    twice: Any = short.times(2) if isinstance(short, Rate) else short * 2
    less = simulate(replace(SMALL, quotas=replace(FREE, **{name: short})))
    more = simulate(replace(SMALL, quotas=replace(FREE, **{name: twice})))
    assert (more.answered, -mean_answer(more)) > (less.answered, -mean_answer(less))


def mean_answer(result: Result) -> float:
    answered = [e.seconds for e in result.ended if e.outcome in (Outcome.SUCCEEDED, Outcome.DEGRADED)]
    return sum(answered) / len(answered)


def test_littles_law_holds():
    """The mean number of requests under way is the arrival rate times the mean duration."""
    result = simulate(replace(SMALL, load_seconds=300, quotas=FREE))
    steady = [sample.open for sample in result.samples if 60 <= sample.at <= 300]
    rate = result.arrived / 300
    assert math.isclose(sum(steady) / len(steady), rate * mean_latency(result), rel_tol=0.1)


def test_the_same_seed_is_the_same_course():
    """The same seed gives the same result, and another seed gives another result."""
    first, second, other = (simulate(replace(SMALL, seed=seed)) for seed in (1, 1, 2))
    assert first == second
    assert first.ended != other.ended


def test_a_request_may_stand_for_many():
    """A system a fifth as large, with each request counted five times, answers about as many about as fast."""
    load = replace(SMALL, rate=100, load_seconds=100, quotas=FREE)
    whole, thinned = simulate(load), simulate(replace(load, stands_for=5))
    assert math.isclose(thinned.requests, whole.requests, rel_tol=0.03)
    assert math.isclose(thinned.answered, whole.answered, rel_tol=0.05)
    assert math.isclose(thinned.latency(50) or 0, whole.latency(50) or 0, rel_tol=0.15)


def test_a_timeout_is_not_retried():
    """A backlog longer than a task's timeout fails runs, without retries and without wasted model calls."""
    plan = FOUR.resized(chatbot=2)
    result = simulate(replace(SMALL, rate=5, load_seconds=900, shape=plan, quotas=FREE))
    assert result.timed_out > 0
    assert result.count(Outcome.FAILED) == result.timed_out
    assert result.wasted_calls == 0
    assert result.taken["model tokens"] == pytest.approx(800 * result.answered, rel=0.01)
    assert result.retries == 0


def test_a_throttled_model_fails_runs_after_its_retries():
    """A run fails when the model has refused it in all four attempts of the chat stage."""
    tight = replace(FREE, model_tokens=Rate(per_second=8_000, burst=8_000))
    result = simulate(replace(SMALL, quotas=tight))
    failed = [end for end in result.ended if end.outcome is Outcome.FAILED]
    assert failed
    assert {end.tries for end in failed} == {1 + 4}
    assert all(end.model_calls == 0 for end in failed)


def test_a_queue_before_the_model_fails_none():
    """With fewer chatbots at a time than the model's tokens allow, a burst waits instead of failing."""
    tight = replace(FREE, model_tokens=Rate(per_second=8_000, burst=20_000))
    burst = Scenario(name="burst", rate=200, burst=2_000, via="bus", quotas=tight)
    open_wide, capped = (simulate(replace(burst, shape=FOUR.resized(chatbot=size))) for size in (250, 10))
    assert open_wide.count(Outcome.FAILED) > 0
    assert capped.count(Outcome.SUCCEEDED) == 2_000


def test_throttled_starts_wait_and_then_park():
    """An event whose run can't be started is delivered again, and is parked after the fifth delivery."""
    none = replace(FREE, start_execution=Rate(per_second=1e-9, burst=1))
    result = simulate(replace(SMALL, rate=1, load_seconds=20, quotas=none, via="bus"))
    assert result.count(Outcome.PARKED) == result.requests - 1
    parked = [end.seconds for end in result.ended if end.outcome is Outcome.PARKED]
    assert min(parked) > 5 * 180


def test_what_is_reserved_is_given_back():
    """The model's quota is charged for the tokens that were used, not for the longest possible answer."""
    plan = replace(FOUR, tokens=Tokens(input=100, output=50, most=1_000))
    result = simulate(replace(SMALL, shape=plan, quotas=FREE))
    assert result.taken["model tokens"] == pytest.approx(150 * result.answered)
