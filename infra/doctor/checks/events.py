"""Checks that every request that is sent has exactly one consumer, and that every consumer's events are sent."""

from collections.abc import Iterator, Mapping

from infra.doctor.findings import Passed, Problem, Result
from infra.doctor.model import Grant, Machine, Rule, State, System
from infra.doctor.references import last
from infra.parts import TRIGGER
from shared.contracts.envelope import SOURCE
from shared.contracts.stages import EVERY
from shared.contracts.upcasting import EVENTS, readable
from shared.contracts.v2 import PipelineRequested

PUT_EVENTS, SEND_MESSAGE = "events:PutEvents", "sqs:SendMessage"
DETAIL_TYPE_CONDITION = "events:detail-type"
EVENT_CONDITIONS = frozenset({"events:source", DETAIL_TYPE_CONDITION})


def readers() -> Mapping[str, str]:
    """Return the service that reads a request, by detail-type, for every version that it reads."""
    stages = {kind.detail_type(): stage.service for stage in EVERY for kind in readable(stage.request)}
    return stages | {kind.detail_type(): TRIGGER for kind in readable(PipelineRequested)}


def requests_sent(system: System) -> Result:
    """Check that each request of the workflow reaches the one service that reads it."""
    for machine in system.machines.values():
        for state in machine.states.values():
            if state.detail_type is not None:
                yield _reaches(system, machine, state, state.detail_type)
    known = {name for machine in system.machines.values() for name in machine.states}
    for stage in system.environment.stages:
        if stage.state not in known:
            yield Problem(
                where="the state machine",
                what=f"It has no state {stage.state}, which is in the stage table.",
                fix="Build the definition from the stage table (infra/definition.py).",
                why=f"No run ever sends a request to the {stage.service}.",
            )


def requests_published(system: System) -> Result:
    """Check that each request that functions or outside publishers may publish reaches the service that reads it.

    Other events are announcements: anybody may subscribe to them.
    """
    reads, known = readers(), {kind.detail_type() for kind in EVENTS}
    for name in sorted(_publishable(system) - _requested(system)):
        where = ", ".join(sorted({grant.stack for grant in _publishers(system, name)}))
        if name not in known:
            yield Problem(
                where=where,
                what=f"It may publish {name}, for which there is no contract.",
                fix="Remove the right, or correct the detail-type.",
            )
        elif name not in reads:
            yield Passed("announcements need no consumer", name)
        else:
            buses = {last(bus) for grant in _publishers(system, name) for bus in grant.resources}
            services = _receivers(system, name, SOURCE, buses)
            if services == [reads[name]]:
                yield Passed("published requests have one consumer", name)
            else:
                yield Problem(
                    where=where,
                    what=f"It may publish {name}, which reaches {_listed(services)} instead of {reads[name]} alone.",
                    fix=f"Have exactly one rule put {name} into the queue of {reads[name]} (`WorkQueue.subscribe`).",
                )


def subscriptions(system: System) -> Result:
    """Check that each event that a rule matches is sent by somebody and read by the service that receives it."""
    reads = readers()
    sent = _publishable(system) | _requested(system)
    for rule in system.rules.values():
        if rule.bus == "default":
            continue  # AWS's own events: see the check `failures-heard`
        if not rule.detail_types or not rule.sources:
            yield Problem(
                where=rule.name,
                what="Its pattern names no source or no detail-type, so it also matches events of others.",
                fix="Name source and detail-type in the pattern.",
            )
        for name in rule.detail_types:
            services = _services(system, rule)
            if name not in sent:
                yield Problem(
                    where=rule.name,
                    what=f"It matches {name}, which nobody sends.",
                    fix="Correct the detail-type, or remove it from the pattern.",
                )
            elif any(reads.get(name) != service for service in services):
                yield Problem(
                    where=rule.name,
                    what=f"It delivers {name} to {_listed(services)}, but {reads.get(name, 'no service')} reads it.",
                    fix="Point the rule to the queue of the service that reads the event.",
                )
            else:
                yield Passed("each rule's events are sent, and read by its service", f"{rule.name}/{name}")


def _reaches(system: System, machine: Machine, state: State, name: str) -> Passed | Problem:
    where, reader = f"{machine.name}, state {state.name}", readers().get(name)
    if reader is None:
        return Problem(
            where=where,
            what=f"It sends {name}, which no service reads.",
            fix="Send the request of a stage in the stage table.",
        )
    services = (
        _fed_by(system, state.queue)
        if state.queue
        else _receivers(system, name, state.source or "", {state.bus or "default"})
    )
    if services == [reader]:
        return Passed("each stage's request reaches the one service that reads it", state.name)
    return Problem(
        where=where,
        what=f"{name} reaches {_listed(services)} instead of {reader} alone.",
        fix=f"Have one enabled rule on the bus (or the state itself) send it to the queue of {reader}.",
    )


def _requested(system: System) -> frozenset[str]:
    """Return the detail-types of the requests that the workflow puts on the bus."""
    return frozenset(
        state.detail_type
        for machine in system.machines.values()
        for state in machine.states.values()
        if state.bus and state.detail_type
    )


def _receivers(system: System, name: str, source: str, buses: set[str]) -> list[str]:
    """Return the services that an event is delivered to."""
    return [
        service
        for rule in system.rules.values()
        if rule.enabled and rule.bus in buses and source in rule.sources and name in rule.detail_types
        for service in _services(system, rule)
    ]


def _services(system: System, rule: Rule) -> list[str]:
    return [service for target in rule.targets for service in _fed_by(system, target.queue)]


def _fed_by(system: System, queue: str) -> list[str]:
    """Return the services that a queue feeds. Whether its mapping is enabled is checked by `consumers`."""
    return sorted(
        {
            system.functions[source.function].service
            for source in system.sources
            if source.queue == queue and source.function in system.functions
        }
    )


def _publishers(system: System, name: str) -> Iterator[Grant]:
    for grant in system.grants:
        if PUT_EVENTS in grant.actions and name in grant.values.get(DETAIL_TYPE_CONDITION, ()):
            yield grant


def _publishable(system: System) -> frozenset[str]:
    return frozenset(
        name
        for grant in system.grants
        if PUT_EVENTS in grant.actions
        for name in grant.values.get(DETAIL_TYPE_CONDITION, ())
    )


def _listed(services: list[str]) -> str:
    return " and ".join(services) if services else "nobody"
