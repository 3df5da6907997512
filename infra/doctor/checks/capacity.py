"""The intended rate against quotas: what one request costs in calls of each kind, times the rate."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from infra.doctor.findings import Fault, Held, Result, Skipped
from infra.doctor.model import System
from infra.doctor.quotas import quotas

TYPICAL_SECONDS: Final = {"chatbot": 4.0}
"""How long a worker takes for a message, where it is not moments: an assumption, the model's answer decides it."""
MOMENTS: Final = 0.2
PUBLISHED_BY_FUNCTIONS: Final = 2
"""Of a run: `pipeline.requested` by the API, `pipeline.completed` by the logger."""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """Requests per second, sustained, in which region; None for one that is not known."""

    rate: float
    region: str | None = None


@dataclass(frozen=True)
class Load:
    """`each` per request; `quota` is per second, or at a time where `each` is in seconds."""

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
            yield Fault(
                where=load.name,
                what=f"At {intent.rate:g} requests/s the pipeline needs {text}; the default quota in "
                f"{where} is {load.quota:,.0f}{load.unit} (enough for {load.quota / load.each:,.0f} requests/s).",
                mend="Ask AWS for a higher quota before this rate is reached, or lower the rate "
                "(`requests_per_second` in infra/environments.py, or the API's throttle).",
                severity="warning",
            )
        else:
            yield Held(f"{text} ≤ {load.quota:,.0f}{load.unit}")


def _loads(system: System, intent: Intent) -> Iterator[Load]:
    limit = quotas(intent.region)
    states = [state for machine in system.machines.values() for state in machine.states.values()]
    waiting = [state for state in states if state.waits]
    on_the_bus = [state for state in waiting if state.bus]
    yield Load("StartExecution", 1, limit.start_execution.per_second)
    yield Load("SendTask*", len(waiting), limit.callbacks.per_second)
    yield Load("state transitions", len(waiting) + 1, limit.state_transitions.per_second)
    yield Load("PutEvents", len(on_the_bus) + PUBLISHED_BY_FUNCTIONS, limit.put_events.per_second)
    yield Load("EventBridge deliveries", len(on_the_bus) + 1, limit.deliveries.per_second)
    longest = max((state.timeout_seconds or 0 for state in waiting), default=0)
    yield Load("open executions while a stage is down:", longest, limit.open_executions, "")
    worst = max(
        (system.queues[name].visibility_seconds for name in system.fed if name in system.queues), default=0
    )
    yield Load("in flight in a queue whose workers die:", worst, limit.in_flight, "")


def concurrency(system: System, intent: Intent) -> Result:
    """What each queue may start suffices for the rate, and all together fit the account."""
    if system.environment.engine is not None:
        yield Skipped("The local engine starts as many as this machine bears.")
        return
    total = 0
    for source in system.sources:
        function = system.functions.get(source.function)
        if function is None:
            continue
        seconds = TYPICAL_SECONDS.get(function.service, MOMENTS)
        needed = intent.rate * seconds
        cap = source.max_concurrency
        total += cap or 0
        if cap is None:
            yield Fault(
                where=function.name,
                what="Its queue may start any number of it.",
                mend="Give the event source a MaximumConcurrency (`max_concurrency` in infra/environments.py).",
                why="One queue can take the whole account's concurrency, and with it every other function's.",
            )
        elif needed > cap:
            yield Fault(
                where=function.name,
                what=f"{intent.rate:g} requests/s x {seconds:g} s need {needed:,.0f} at a time; its queue may "
                f"start {cap}.",
                mend="Raise `max_concurrency` in infra/environments.py, or lower the rate.",
                why="The backlog grows without end, and tasks time out in the queue.",
            )
        else:
            yield Held(f"{function.service}: {needed:,.0f} of {cap} at a time", function.name)
    limit = quotas(intent.region).functions
    if total > limit:
        yield Fault(
            where="all queues",
            what=f"Together they may start {total:,} functions; an account has {limit:,.0f} by default.",
            mend="Lower `max_concurrency`, or ask AWS for more concurrency.",
            severity="warning",
        )
    else:
        yield Held(f"all queues together {total:,} ≤ {limit:,.0f}")
