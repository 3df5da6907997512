"""The model of the deployed resources, from AWS's answers, and their drift from the stacks' templates."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from infra.doctor.findings import BY_HAND, Passed, Problem, Result
from infra.doctor.model import Delivery, Function, Machine, Queue, Rule, Schedule, Source, System
from infra.doctor.policies import CHANGED, SAME
from infra.doctor.policies import changed as changed_policies
from infra.doctor.reading import states, target
from infra.doctor.reading_rights import deliveries, statements
from infra.doctor.references import last, listed

Answer = Mapping[str, Any]

AWAKE: Final = frozenset({"Enabled", "Enabling", "Creating", "Updating"})
"""States of an event source mapping that works, or soon will."""
QUEUE_ATTRIBUTES: Final = ("VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy", "Policy")
NOT_COMPARED: Final = frozenset({"stack", "role", "role_name", "variables", "detail"})
"""Fields that `drift` does not compare: their text names region and account, which a template does not know."""


def live_queue(written: Queue, attributes: Answer) -> Queue:
    """Return `written` with the values of SQS's GetQueueAttributes."""
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    return replace(
        written,
        visibility_seconds=int(attributes["VisibilityTimeout"]),
        retention_seconds=int(attributes["MessageRetentionPeriod"]),
        dlq=last(redrive["deadLetterTargetArn"]) if redrive else None,
        receives=int(redrive["maxReceiveCount"]) if redrive else None,
        denies=tuple(
            action
            for statement in statements(_policy(attributes))
            if statement.effect == "Deny" and not statement.is_conditional
            for action in statement.actions or ("*",)
        ),
    )


def live_deliveries(written: Queue, attributes: Answer) -> tuple[Delivery, ...]:
    """Return whom a queue's policy lets send to it, from SQS's GetQueueAttributes."""
    policy = {"PolicyDocument": _policy(attributes), "Queues": [written.name]}
    return tuple(deliveries(written.stack, policy))


def _policy(attributes: Answer) -> Answer:
    policy: Answer = json.loads(attributes.get("Policy") or '{"Statement": []}')
    return policy


def live_function(written: Function, configuration: Answer) -> Function:
    """Return `written` with the values of Lambda's GetFunctionConfiguration."""
    return replace(
        written,
        handler=configuration["Handler"],
        timeout_seconds=int(configuration["Timeout"]),
        variables=configuration.get("Environment", {}).get("Variables", {}),
        role_name=last(str(configuration.get("Role", ""))),
    )


def live_source(stack: str, answer: Answer) -> Source:
    """Return one mapping of Lambda's ListEventSourceMappings."""
    return Source(
        queue=last(answer["EventSourceArn"]),
        function=answer["FunctionArn"].partition(":function:")[2].partition(":")[0],
        stack=stack,
        batch_size=int(answer.get("BatchSize", 10)),
        window_seconds=int(answer.get("MaximumBatchingWindowInSeconds", 0)),
        partial_batches="ReportBatchItemFailures" in listed(answer.get("FunctionResponseTypes")),
        enabled=answer.get("State") in AWAKE,
        max_concurrency=(answer.get("ScalingConfig") or {}).get("MaximumConcurrency"),
    )


def live_rule(written: Rule, description: Answer, targets: list[Answer]) -> Rule:
    """Return `written` with the values of EventBridge's DescribeRule and ListTargetsByRule."""
    pattern = json.loads(description.get("EventPattern") or "{}")
    return replace(
        written,
        sources=listed(pattern.get("source")),
        detail_types=listed(pattern.get("detail-type")),
        detail=pattern.get("detail", {}),
        enabled=description.get("State") != "DISABLED",
        targets=tuple(target(properties) for properties in targets),
    )


def live_schedule(written: Schedule, description: Answer, targets: list[Answer]) -> Schedule:
    """Return `written` with the values of EventBridge's DescribeRule and ListTargetsByRule."""
    return replace(
        written,
        enabled=description.get("State") != "DISABLED",
        functions=tuple(last(str(aim["Arn"])) for aim in targets),
    )


def live_machine(written: Machine, description: Answer) -> Machine:
    """Return `written` with the values of Step Functions' DescribeStateMachine."""
    return replace(
        written,
        kind=description.get("type", "STANDARD"),
        states=states(json.loads(description["definition"])),
        role_name=last(str(description.get("roleArn", ""))),
    )


# --- drift ---------------------------------------------------------------------------------------------------


def drift(system: System) -> Result:
    """Compare the deployed resources with the stacks' templates; the other checks say whether the resources fit."""
    if system.written is None:
        return
    before, after = _parts(system.written), _parts(system)
    for name, written in before.items():
        if name not in after:
            yield Problem(
                where=name,
                what="It is in its stack's template, but it does not exist.",
                fix=BY_HAND,
            )
            continue
        changed = list(_differences(written, after[name]))
        if changed:
            yield Problem(
                where=name,
                what=f"It was changed after its deployment: {'; '.join(changed)}.",
                fix=CHANGED,
                severity="warning",
            )
        else:
            yield Passed(SAME, name)
    for name in sorted(after.keys() - before.keys()):
        yield Problem(
            where=name,
            what="It exists, but no template contains it.",
            fix="Remove it, or add it to a template.",
            severity="warning",
        )
    yield from changed_policies(system)


def _parts(system: System) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for group in (system.queues, system.functions, system.rules):
        parts |= {f"{type(part).__name__.lower()} {name}": part for name, part in group.items()}
    parts |= {_sending(delivery): delivery for delivery in system.deliveries}
    parts |= {f"mapping {source.queue} → {source.function}": source for source in system.sources}
    for machine in system.machines.values():
        parts |= {f"state {machine.name}/{name}": state for name, state in machine.states.items()}
    return parts


def _sending(delivery: Delivery) -> str:
    sender = delivery.rule or ("everybody" if delivery.anybody else "somebody")
    return f"right of {sender} to send to {delivery.queue}"


def _differences(written: Any, actual: Any) -> Iterator[str]:
    for field in fields(written):
        before, after = getattr(written, field.name), getattr(actual, field.name)
        if field.name not in NOT_COMPARED and before != after:
            yield f"{field.name.replace('_', ' ')} is {_shown(after)}, the template says {_shown(before)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)
