"""The simulation of one scenario: every request is a SimPy process that takes the same hops as a real one.

A simulated request may stand for several real ones (`stands_for`): arrivals, quotas and concurrency are then divided
by that number, and durations stay the same. So 10,000 requests a second can be simulated within seconds.
"""

import math
import random
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

import simpy

from infra.doctor.quotas import Rate
from scale import shape
from scale.bucket import Bucket
from scale.ceilings import MODEL, P95_SIGMAS
from scale.results import Ended, Outcome, Result, Sample
from scale.scenarios import Scenario
from scale.station import Account, Message, Station, Work
from shared.aws import CLIENT_TRIES
from shared.worker.policy import STALE_MS, WORK_MS

SAMPLE_SECONDS = 10.0
LONGEST_SECONDS = 4 * 3_600.0
"""Limit of the simulated time. If requests are still open then, the simulation has a bug: it raises RuntimeError."""
_REFUSAL_SECONDS = 0.05

Steps = Generator[simpy.Event, Any, Any]


class Request:
    """A request. Its random numbers are drawn before it starts, so that they are the same under any quota."""

    __slots__ = ("answered", "at", "began", "draws", "execution", "model_calls", "retries", "tries")

    def __init__(self, at: float, rng: random.Random, stations: int) -> None:
        self.at = at
        self.began = at
        self.draws = [rng.gauss(0, 1) for _ in range(stations + 1)]
        self.retries = random.Random(rng.getrandbits(32))
        self.execution: float | None = None
        self.answered = False
        self.model_calls = 0
        self.tries = 0


def _seconds(span: shape.Span, draw: float) -> float:
    if span.median <= 0:
        return 0.0
    return span.median * math.exp(draw * math.log(span.p95 / span.median) / P95_SIGMAS)


class Simulation:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._plan = scenario.shape.thinned(scenario.stands_for)
        quotas = scenario.quotas.thinned(scenario.stands_for)
        self._env = env = simpy.Environment()

        def bucket(rate: Rate) -> Bucket:
            return Bucket(lambda: env.now, rate)

        self._throttle = bucket(Rate(per_second=self._plan.throttle_rate, burst=self._plan.throttle_burst))
        self._buckets = {
            "API Gateway": bucket(quotas.api_requests),
            "PutEvents": bucket(quotas.put_events),
            "StartExecution": bucket(quotas.start_execution),
            "state transitions": bucket(quotas.state_transitions),
            "SendTask*": bucket(quotas.callbacks),
            MODEL: bucket(quotas.model_tokens),
        }
        self._cpu = bucket(Rate(per_second=1.0, burst=0.0))
        self._account = Account(quotas.functions)
        self._starter = Station(env, self._plan.starter, self._account, quotas, self._start)
        self._stages = [
            Station(env, step.station, self._account, quotas, self._stage_work(index))
            for index, step in enumerate(self._plan.steps)
        ]
        for station in (self._starter, *self._stages):
            station.begin_with(self._plan.times.invocation)
        self._deadlines: deque[tuple[float, Message]] = deque()
        self._ended: list[Ended] = []
        self._arrived = 0
        self._open = 0
        self._samples: list[Sample] = []
        self._wasted = 0
        self._retried = 0
        self._timed_out = 0

    def run(self) -> Result:
        env = self._env
        arriving = env.process(self._arrive())
        env.process(self._keep_time(arriving))
        while arriving.is_alive or self._open:
            if env.now > LONGEST_SECONDS:
                raise RuntimeError(
                    f"{self._open} requests have not ended after {LONGEST_SECONDS:.0f} simulated seconds: "
                    "fix the simulation, in which they wait for ever"
                )
            env.step()
        return Result(
            scenario=self._scenario,
            arrived=self._arrived,
            ended=tuple(self._ended),
            samples=tuple(self._samples),
            seconds=env.now,
            taken={name: bucket.taken for name, bucket in self._buckets.items()},
            refused={name: bucket.refused for name, bucket in self._buckets.items()},
            throttled=self._throttle.refused,
            busy_seconds={s.plan.name: s.busy_seconds for s in (self._starter, *self._stages)},
            wasted_calls=self._wasted,
            retries=self._retried,
            timed_out=self._timed_out,
        )

    # --- arrivals and time ---

    def _arrive(self) -> Steps:
        rng = random.Random(self._scenario.seed)
        for pause in self._pauses(rng):
            if pause:
                yield self._env.timeout(pause)
            self._arrived += 1
            self._open += 1
            request = Request(self._env.now, rng, len(self._stages) + 1)
            self._env.process(self._request(request))

    def _pauses(self, rng: random.Random) -> Iterator[float]:
        """Yield the seconds before each arrival: equal ones for a burst, as published, random ones for a load."""
        plan = self._scenario
        if plan.burst is not None:
            for _ in range(max(1, round(plan.burst / plan.stands_for))):
                yield plan.stands_for / plan.rate
            return
        rate, now = plan.rate / plan.stands_for, 0.0
        while True:
            pause = rng.expovariate(rate)
            now += pause
            if now > plan.load_seconds:
                return
            yield pause

    def _keep_time(self, arriving: simpy.Process) -> Steps:
        """Grow the pollers and time out overdue tasks once a second. All tasks have the same timeout."""
        due = 0.0
        while arriving.is_alive or self._open:
            for station in (self._starter, *self._stages):
                station.grow(1.0)
            while self._deadlines and self._deadlines[0][0] <= self._env.now:
                _, message = self._deadlines.popleft()
                self._timed_out += message.waiting
                message.settle("timed out")
            if self._env.now >= due:
                due = self._env.now + SAMPLE_SECONDS
                self._samples.append(self._sample())
            yield self._env.timeout(1.0)

    def _sample(self) -> Sample:
        many = self._scenario.stands_for
        return Sample(
            at=self._env.now,
            waiting={s.plan.name: len(s.queue) * many for s in (self._starter, *self._stages)},
            open=self._open * many,
            functions=self._account.busy * many,
            ended=len(self._ended) * many,
        )

    # --- one request ---

    def _request(self, request: Request) -> Steps:
        outcome = yield from self._journey(request)
        self._ended.append(
            Ended(
                outcome=outcome,
                at=request.at,
                seconds=self._env.now - request.at,
                model_calls=request.model_calls,
                tries=request.tries,
            )
        )
        self._open -= 1

    def _journey(self, request: Request) -> Steps:
        if self._scenario.via == "api" and not (yield from self._accepted(request)):
            return Outcome.REFUSED
        yield from self._pause(self._plan.times.via_bus)
        message = Message(request, self._env.event())
        self._starter.put(message)
        if (yield message.reply) != "done":
            return Outcome.PARKED
        yield from self._transition()
        yield from self._pause(self._plan.times.start)
        degraded = False
        for index, step in enumerate(self._plan.steps):
            if (yield from self._stage(request, index)) == "done":
                if step.chooses:
                    yield from self._transition()
                continue
            if step.critical:
                return Outcome.FAILED
            degraded = True
            if index == len(self._plan.steps) - 1:
                yield from self._transition()  # into StoreAnswer
        return Outcome.DEGRADED if degraded else Outcome.SUCCEEDED

    def _accepted(self, request: Request) -> Steps:
        """Pass the request through API Gateway, its function and PutEvents. Return False if it is refused."""
        if not (self._throttle.try_take() and self._buckets["API Gateway"].try_take()):
            return False
        if not self._account.start():
            self._account.refused += 1
            return False
        yield self._env.timeout(_seconds(self._plan.times.api, request.draws[-1]))
        published = yield from self._call("PutEvents", request)
        self._account.end()
        return published

    def _stage(self, request: Request, index: int) -> Steps:
        """Run a Task state with its retries. A timeout is not retried."""
        step, retry, outcome = self._plan.steps[index], self._plan.retry, ""
        for attempt in range(1 + retry.max_attempts):
            if attempt:
                self._retried += 1
                yield self._env.timeout(retry.interval_seconds * retry.backoff_rate ** (attempt - 1))
            request.tries += 1
            yield from self._transition()
            if step.via == "bus" and not self._buckets["PutEvents"].try_take():
                outcome = "transient"
                continue
            times = self._plan.times
            message = Message(request, self._env.event())
            self._deadlines.append((self._env.now + step.timeout_seconds, message))
            yield from self._pause(times.via_bus if step.via == "bus" else times.via_queue)
            if message.waiting:
                self._stages[index].put(message)
            outcome = yield message.reply
            if outcome != "transient":
                break
        return outcome

    def _transition(self) -> Steps:
        yield from self._pause(self._buckets["state transitions"].take())

    def _pause(self, seconds: float) -> Steps:
        if seconds:
            yield self._env.timeout(seconds)

    def _share_cpu(self) -> Steps:
        """Wait for the local engine's one CPU, which answers the calls of all functions one after the other."""
        if self._plan.times.engine_cpu:
            yield from self._pause(self._cpu.take(self._plan.times.engine_cpu / (len(self._stages) + 1)))

    def _call(self, quota: str, request: Request) -> Steps:
        """Call AWS from a function. botocore retries twice, after at most 1 and at most 2 seconds."""
        for tried in range(CLIENT_TRIES):
            if tried:
                yield self._env.timeout(request.retries.random() * 2.0 ** (tried - 1))
            if self._buckets[quota].try_take():
                return True
        return False

    # --- what the functions do ---

    def _start(self, message: Message) -> Work:
        request = message.request
        yield self._env.timeout(_seconds(self._plan.starter.span, request.draws[0]))
        yield from self._share_cpu()
        if not (yield from self._call("StartExecution", request)):
            return "again"
        request.execution = self._env.now
        message.settle("done")
        return "done"

    def _stage_work(self, index: int) -> Any:
        step = self._plan.steps[index]

        def work(message: Message) -> Work:
            if step.asks_model and (yield from self._is_over(message, step)):
                return "done"
            outcome = yield from self._outcome(message, index)
            yield from self._share_cpu()
            if not (yield from self._call("SendTask*", message.request)):
                return "again"
            message.settle(outcome)
            return "done"

        return work

    def _outcome(self, message: Message, index: int) -> Steps:
        step, request = self._plan.steps[index], message.request
        if step.asks_model and request.answered:
            return "done"
        seconds = _seconds(step.station.span, request.draws[index + 1])
        if step.asks_model:
            self._wasted += not message.waiting
            return (yield from self._ask_model(request, seconds))
        yield self._env.timeout(seconds)
        if step is self._plan.steps[-1]:
            yield from self._call("PutEvents", request)  # pipeline.completed
        return "done"

    def _is_over(self, message: Message, step: shape.Step) -> Steps:
        """Tell whether to drop a message that has waited, without asking the model.

        That is so if its task is over, or has too little time left and no answer is stored.
        """
        waited = self._env.now - message.sent
        if waited < STALE_MS / 1_000:
            return False
        if waited >= step.timeout_seconds - WORK_MS / 1_000:
            return not message.request.answered
        called = yield from self._call("SendTask*", message.request)
        return called and not message.waiting

    def _ask_model(self, request: Request, seconds: float) -> Steps:
        """Reserve the tokens of the input and of the longest answer, and give back those the answer did not use."""
        tokens, bucket = self._plan.tokens, self._buckets[MODEL]
        if not bucket.try_take(tokens.input + tokens.most):
            yield self._env.timeout(_REFUSAL_SECONDS)
            return "transient"
        request.model_calls += 1
        yield self._env.timeout(seconds)
        bucket.give_back(tokens.most - tokens.output)
        request.answered = True
        return "done"


def simulate(scenario: Scenario) -> Result:
    return Simulation(scenario).run()
