"""The judgement whether this checkout's services can read messages and the events of open executions (pure)."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from operations.dlq.messages import Parked, request_of, violation
from shared.contracts.stages import BY_SERVICE, BY_STATE, EVERY, STAGES, Stage
from shared.contracts.upcasting import readable
from shared.errors import ContractViolation

Place = Literal["queue", "dlq", "rule-dlq", "execution", "rule"]
NOUNS: Mapping[Place, str] = {
    "queue": "waiting message",
    "dlq": "parked message",
    "rule-dlq": "undelivered event",
    "execution": "open execution",
    "rule": "bus rule",
}
STATES = "states"
"""The part of a check that looks for states of open executions that the workflow of this checkout lacks."""


class Finding(Struct, frozen=True, kw_only=True):
    """A message, execution or rule that is in flight and can't be read.

    `name` is the message's id, the execution's name, or the name of the service that the rule belongs to.

    With `blocks` False it is reported but does not refuse the deployment, since no version could read it.
    """

    place: Place
    name: str
    detail_type: str
    reason: str
    pipeline_id: str | None = None
    blocks: bool = True


class Look(Struct, frozen=True, kw_only=True):
    """The items read in one place: `looked` is their number, `there` about how many the place contains.

    `note` says that only some of the open executions were read, or when an earlier check has read the queue.
    """

    service: str
    place: Place
    looked: int
    there: int
    findings: tuple[Finding, ...] = ()
    note: str | None = None


class Check(Struct, frozen=True, kw_only=True):
    """Everything that was read for one service."""

    service: str
    looks: tuple[Look, ...]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(finding for look in self.looks for finding in look.findings if finding.blocks)


def reads(service: str) -> tuple[str, ...]:
    """Return the detail-types that a service of this checkout reads, oldest version first."""
    return tuple(kind.detail_type() for kind in readable(request_of(service)))


def of_message(message: Parked, place: Place) -> Finding | None:
    """Return why the message can't be read by this checkout; None if its service can read it."""
    if not message.body and message.detail_type in reads(message.service):
        return None  # too large to be kept; its version is known
    problem = violation(message)
    if problem is None:
        return None
    return Finding(
        place=place,
        name=message.id,
        detail_type=message.detail_type or "(not readable)",
        reason=f"{problem.reason} (at {problem.path})",
        pipeline_id=message.pipeline_id,
        # A message rejected for its content is unreadable for every version; one rejected for its version is not.
        blocks=place == "queue"
        or message.error_type != ContractViolation.NAME
        or problem.path == "$.detail-type",
    )


def sends(definition: str) -> dict[str, str]:
    """Return the detail-type of the request that a state machine definition sends to each stage, by state name."""
    sent = {}
    for name, state in json.loads(definition).get("States", {}).items():
        if name in BY_STATE and (detail_type := _sent(state)):
            sent[name] = detail_type
    return sent


def _sent(state: Mapping[str, Any]) -> str | None:
    """Return the detail-type of the request that a state sends; None if it sends none."""
    parameters = state.get("Parameters") or {}
    entries = parameters.get("Entries") or [{}]
    body = parameters.get("MessageBody") or {}
    detail_type = entries[0].get("DetailType") or body.get("detail-type")
    return str(detail_type) if detail_type else None


def of_definition(service: str, definition: str, execution: str, *, entered: str | None) -> Finding | None:
    """Return a finding if an open execution will send the service an event that this checkout cannot read.

    `definition` is the execution's own state machine definition. `entered` is its present state; if it is None, the
    execution may still reach any stage.
    """
    stage = BY_SERVICE.get(service)
    if stage is None:
        return None
    order = [name for other in EVERY for name in (other.state, other.choice)]
    if entered in order and order.index(entered) > order.index(stage.state):
        return None
    detail_type = sends(definition).get(stage.state)
    if detail_type is None or detail_type in reads(service):
        return None
    return Finding(
        place="execution",
        name=execution,
        detail_type=detail_type,
        reason=f"it will send {detail_type}; this {service} reads {' and '.join(reads(service))}",
    )


def of_states(
    definition: str,
    execution: str,
    *,
    entered: str | None,
    stages: Sequence[Stage] = STAGES,
    kept: Collection[str] = (),
) -> Finding | None:
    """Return a finding if an open execution has still to enter a stage that the workflow of this checkout lacks.

    It would run by its own definition, but the workflow's role may send only what the stages of this checkout read,
    and what reaches `kept`: the queues and events of removed stages that are still deployed.
    """
    known = {kind.detail_type() for stage in stages for kind in readable(stage.request)} | set(kept)
    states = json.loads(definition).get("States", {})
    ahead = _ahead(json.loads(definition), entered)
    for name in states:
        detail_type = _sent(states[name])
        if name in ahead and detail_type and not {detail_type, _queue_of(states[name])} & known:
            return Finding(
                place="execution",
                name=execution,
                detail_type=detail_type,
                reason=f"it has still to pass {name}, which this workflow has not; wait until it has ended",
            )
    return None


def _queue_of(state: Mapping[str, Any]) -> str | None:
    """Return the name of the queue to which a state sends; None if it sends to none."""
    url = (state.get("Parameters") or {}).get("QueueUrl")
    return str(url).rpartition("/")[2] if url else None


def _ahead(definition: Mapping[str, Any], entered: str | None) -> set[str]:
    """Return the states that an execution may still enter, with its present one."""
    states = definition.get("States", {})
    ahead: set[str] = set()
    waiting: list[Any] = [entered if entered in states else definition.get("StartAt")]
    while waiting:
        name = str(waiting.pop())
        if name in states and name not in ahead:
            ahead.add(name)
            state = states[name]
            branches = (*state.get("Choices", ()), *state.get("Catch", ()))
            waiting += [state.get("Next"), state.get("Default"), *(branch.get("Next") for branch in branches)]
    return ahead


def of_rules(patterns: Mapping[str, list[str]]) -> Iterator[Finding]:
    """Yield the events that this checkout's workflow sends and no rule accepts.

    `patterns` holds the detail-types that the rules of each deployed service accept.
    """
    for stage in STAGES:
        taken = patterns.get(stage.service)
        sent = stage.request.detail_type()
        if stage.via == "bus" and taken is not None and sent not in taken:
            yield Finding(
                place="rule",
                name=stage.service,
                detail_type=sent,
                reason=f"the deployed {stage.service} receives {' and '.join(taken)} only; deploy it first",
            )


def detail_types(pattern: str) -> list[str]:
    """Return the detail-types in a rule's event pattern."""
    try:
        accepted: Any = json.loads(pattern).get("detail-type", [])
    except (ValueError, AttributeError):
        return []
    return [str(detail_type) for detail_type in accepted if isinstance(detail_type, str)]


def entered(events: Sequence[Any]) -> str | None:
    """Return the state that an execution entered last, from its history, newest event first."""
    return next(
        (
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if "stateEnteredEventDetails" in event
        ),
        None,
    )
