"""Who sends what to whom: every request that is sent has exactly one consumer, and the other way round."""

from collections.abc import Iterator, Mapping

from infra.doctor.findings import Fault, Held, Result
from infra.doctor.model import Grant, Machine, Rule, State, System
from infra.doctor.references import last
from shared.contracts.envelope import SOURCE
from shared.contracts.events import EVENTS
from shared.contracts.stages import STAGES
from shared.contracts.upcasting import readable
from shared.contracts.v2 import PipelineRequested

STARTER = "trigger"
PUT_EVENTS, SEND_MESSAGE = "events:PutEvents", "sqs:SendMessage"
DETAIL_TYPE_CONDITION = "events:detail-type"


def readers() -> Mapping[str, str]:
    """The service that reads a request, by detail-type, every version it reads included."""
    stages = {kind.detail_type(): stage.service for stage in STAGES for kind in readable(stage.request)}
    return stages | {kind.detail_type(): STARTER for kind in readable(PipelineRequested)}


def requests_sent(system: System) -> Result:
    """What the workflow asks for reaches the one service that reads it."""
    for machine in system.machines.values():
        for state in machine.states.values():
            if state.detail_type is not None:
                yield _reaches(system, machine, state, state.detail_type)
    known = {name for machine in system.machines.values() for name in machine.states}
    for stage in STAGES:
        if stage.state not in known:
            yield Fault(
                where="the state machine",
                what=f"It has no state {stage.state}, which the stage table names.",
                mend="Build the definition from the table (infra/definition.py).",
                why=f"No run ever asks the {stage.service}.",
            )


def requests_published(system: System) -> Result:
    """What functions and outsiders may publish is delivered, if it is a request; announcements are for anybody."""
    reads, known = readers(), {kind.detail_type() for kind in EVENTS}
    for name in sorted(_publishable(system) - _asked(system)):
        where = ", ".join(sorted({grant.stack for grant in _publishers(system, name)}))
        if name not in known:
            yield Fault(
                where=where, what=f"It may publish {name}, which no contract has.", mend="Remove the right."
            )
        elif name not in reads:
            yield Held("announcements, for subscribers outside", name)
        else:
            buses = {last(bus) for grant in _publishers(system, name) for bus in grant.resources}
            services = _listeners(system, name, SOURCE, buses)
            if services == [reads[name]]:
                yield Held("published requests have one consumer", name)
            else:
                yield Fault(
                    where=where,
                    what=f"{name} is published and reaches {_listed(services)}, not {reads[name]} alone.",
                    mend=f"One rule on the bus puts it into the queue of {reads[name]} (`WorkQueue.subscribe`).",
                )


def subscriptions(system: System) -> Result:
    """What a rule listens for is sent by somebody, and read by the service behind it."""
    reads = readers()
    sent = _publishable(system) | _asked(system)
    for rule in system.rules.values():
        if rule.bus == "default":
            continue  # AWS's own events; `failures-heard`
        if not rule.detail_types or not rule.sources:
            yield Fault(
                where=rule.name,
                what="Its pattern names no source or no detail-type: it matches other people's events.",
                mend="Name both in the pattern.",
            )
        for name in rule.detail_types:
            services = _services(system, rule)
            if name not in sent:
                yield Fault(
                    where=rule.name,
                    what=f"It listens for {name}, which nobody sends.",
                    mend="Correct the detail-type, or remove it from the pattern.",
                )
            elif any(reads.get(name) != service for service in services):
                yield Fault(
                    where=rule.name,
                    what=f"It delivers {name} to {_listed(services)}; {reads.get(name, 'no service')} reads it.",
                    mend="Point the rule to the queue of the service that reads the event.",
                )
            else:
                yield Held("what a rule listens for is sent, and read behind it", f"{rule.name}/{name}")


def _reaches(system: System, machine: Machine, state: State, name: str) -> Held | Fault:
    where, reader = f"{machine.name}, state {state.name}", readers().get(name)
    if reader is None:
        return Fault(
            where=where, what=f"It sends {name}, which no service reads.", mend="Send a contract's event."
        )
    services = (
        _behind(system, state.queue)
        if state.queue
        else _listeners(system, name, state.source or "", {state.bus or "default"})
    )
    if services == [reader]:
        return Held("each stage's request reaches the one service that reads it", state.name)
    return Fault(
        where=where,
        what=f"{name} reaches {_listed(services)}, not {reader} alone.",
        mend=f"One enabled rule on the bus (or the state's queue) leads to the queue of {reader}.",
    )


def _asked(system: System) -> frozenset[str]:
    """The requests that the workflow itself puts on the bus."""
    return frozenset(
        state.detail_type
        for machine in system.machines.values()
        for state in machine.states.values()
        if state.bus and state.detail_type
    )


def _listeners(system: System, name: str, source: str, buses: set[str]) -> list[str]:
    """The services that an event is delivered to."""
    return [
        service
        for rule in system.rules.values()
        if rule.enabled and rule.bus in buses and source in rule.sources and name in rule.detail_types
        for service in _services(system, rule)
    ]


def _services(system: System, rule: Rule) -> list[str]:
    return [service for target in rule.targets for service in _behind(system, target.queue)]


def _behind(system: System, queue: str) -> list[str]:
    """The services that work on a queue. Whether they are awake is `consumers`' question."""
    return sorted(
        {
            system.functions[source.function].service
            for source in system.sources
            if source.queue == queue and source.function in system.functions
        }
    )


def _publishers(system: System, name: str) -> Iterator[Grant]:
    for grant in system.grants:
        if PUT_EVENTS in grant.actions and name in grant.equals.get(DETAIL_TYPE_CONDITION, ()):
            yield grant


def _publishable(system: System) -> frozenset[str]:
    return frozenset(
        name
        for grant in system.grants
        if PUT_EVENTS in grant.actions
        for name in grant.equals.get(DETAIL_TYPE_CONDITION, ())
    )


def _listed(services: list[str]) -> str:
    return " and ".join(services) if services else "nobody"
