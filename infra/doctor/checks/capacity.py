"""Checks that quotas and queues suffice for the intended rate: calls per request times requests per second."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.doctor.model import System
from infra.doctor.quotas import quotas
from infra.environments import CALLS_PER_RUN
from infra.functions import API
from shared.contracts.stages import BY_CHOICE, STAGES

TYPICAL_SECONDS: Final = {stage.service: stage.typical_seconds for stage in STAGES}
"""Seconds that a stage's worker takes for a message, by service."""
MOMENTS: Final = 0.2
"""Seconds that any other function takes for a message or a call."""
PUBLISHED_BY_FUNCTIONS: Final = 2
"""Events that functions publish per run: the API `pipeline.requested`, the logger `pipeline.completed`."""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """The intended load: `rate` in requests per second, sustained, and the region, None if it is not known."""

    rate: float
    region: str | None = None


@dataclass(frozen=True)
class Load:
    """What a request needs of one quota.

    `each` is calls per request, and `quota` calls per second; or `each` is seconds that a request stays open, and
    `quota` how many may be open at the same time.
    """

    name: str
    each: float
    quota: float
    unit: str = "/s"


def quotas_hold(system: System, intent: Intent) -> Result:
    if system.environment.engine is not None:
        yield Skipped("The local engine has no quotas.")
        return
    where = intent.region or "the smallest regions"
    for load in _loads(system, intent):
        needed = load.each * intent.rate
        text = f"{load.name} {needed:,.0f}{load.unit}"
        if needed > load.quota:
            yield Problem(
                where=load.name,
                what=f"At {intent.rate:g} requests/s the pipeline needs {text}. The default quota in "
                f"{where} is {load.quota:,.0f}{load.unit} (enough for {load.quota / load.each:,.0f} requests/s).",
                fix="Request a higher quota from AWS before the load reaches this rate, or lower the rate "
                "(`requests_per_second` in infra/environments.py, or the API's throttle).",
                severity="warning",
            )
        else:
            yield Passed(f"{text} ≤ {load.quota:,.0f}{load.unit}")


def _loads(system: System, intent: Intent) -> Iterator[Load]:
    limit = quotas(intent.region)
    states = [state for machine in system.machines.values() for state in machine.states.values()]
    waiting = [state for state in states if state.waits]
    on_the_bus = [state for state in waiting if state.bus]
    yield Load("StartExecution", 1, limit.start_execution.per_second)
    yield Load("SendTask*", len(waiting), limit.callbacks.per_second)
    transitions = 1 + len(waiting) + sum(state.name in BY_CHOICE for state in states)
    yield Load("state transitions", transitions, limit.state_transitions.per_second)
    yield Load("PutEvents", len(on_the_bus) + PUBLISHED_BY_FUNCTIONS, limit.put_events.per_second)
    yield Load("EventBridge deliveries", len(on_the_bus) + 1, limit.deliveries.per_second)
    longest = max((state.timeout_seconds or 0 for state in waiting), default=0)
    yield Load("open executions while a stage is down:", longest, limit.open_executions, "")
    invisible = max(
        (system.queues[name].visibility_seconds for name in system.fed if name in system.queues), default=0
    )
    yield Load("messages in flight while a queue's workers die:", invisible, limit.in_flight, "")


def concurrency(system: System, intent: Intent) -> Result:
    """Check that each queue's concurrency suffices for the rate, and that all of them fit the account's quota."""
    if system.environment.engine is not None:
        yield Skipped("The local engine has no quota of concurrent functions.")
        return
    total = needed_by_all = _api_needs(system, intent)
    for source in system.sources:
        function = system.functions.get(source.function)
        if function is None:
            continue
        seconds = TYPICAL_SECONDS.get(function.service, MOMENTS)
        needed = intent.rate * seconds
        cap = source.max_concurrency
        total += cap or 0
        needed_by_all += needed
        if cap is None:
            yield Problem(
                where=function.name,
                what="Its queue may start an unlimited number of executions.",
                fix="Give the event source a MaximumConcurrency (`max_concurrency` in infra/environments.py).",
                why="One queue can take the concurrency of the whole account and leave none to other functions.",
            )
        elif needed > cap:
            yield Problem(
                where=function.name,
                what=f"{intent.rate:g} requests/s x {seconds:g} s need {needed:,.0f} concurrent executions; its "
                f"queue may start {cap}.",
                fix="Raise `max_concurrency` in infra/environments.py, or lower the rate.",
                why="The backlog grows without end, and tasks time out while their messages wait.",
            )
        else:
            yield Passed(f"{function.service}: {needed:,.0f} of {cap} at a time", function.name)
    yield _fits_the_account(system, intent, needed_by_all, total)


def _api_needs(system: System, intent: Intent) -> float:
    """Return the concurrent executions that the API needs: for the calls of each run, and for callers who wait."""
    waiting = sum(
        int(function.variables.get("MAX_WAITING", 0))
        for function in system.functions.values()
        if function.module == API.module
    )
    return waiting + intent.rate * CALLS_PER_RUN * MOMENTS


def _fits_the_account(system: System, intent: Intent, needed: float, total: float) -> Passed | Problem:
    """Compare what all functions need at the rate, and what they may take at most, with the account's quota."""
    own = system.concurrency
    limit = quotas(intent.region).functions if own is None else own
    whose = "the default quota of an account is" if own is None else "this account has"
    if needed > limit:
        return Problem(
            where="all queues and the API",
            what=f"At {intent.rate:g} requests/s they need {needed:,.0f} concurrent executions, callers who wait for "
            f"results included; {whose} {limit:,.0f}.",
            fix="Request more concurrency from AWS, or lower `requests_per_second` and `max_waiting` in "
            "infra/environments.py.",
            severity="warning" if own is None else "error",
        )
    if total > limit:
        return Problem(
            where="all queues and the API",
            what=f"Together they may take {total:,.0f} concurrent executions; {whose} {limit:,.0f}.",
            fix="Lower `max_concurrency` or `max_waiting` in infra/environments.py, or request more concurrency from "
            "AWS.",
            severity="warning",
        )
    return Passed(f"all queues and the API together: {total:,.0f} ≤ {limit:,.0f}")
