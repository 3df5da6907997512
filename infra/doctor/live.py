"""The model as AWS answers it: what runs may have drifted from what the stacks' templates say."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from infra.doctor.findings import Fault, Held, Result
from infra.doctor.model import Function, Machine, Queue, Rule, Source, System
from infra.doctor.reading import listed, states, target
from infra.doctor.references import last

Answer = Mapping[str, Any]

AWAKE: Final = frozenset({"Enabled", "Enabling", "Creating", "Updating"})
"""States of an event source mapping that is at work, or soon is."""
QUEUE_ATTRIBUTES: Final = ("VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy")
NOT_COMPARED: Final = frozenset({"stack", "role", "variables", "detail"})
"""Fields whose text names region and account, which a template does not know; their checks read what runs."""


def live_queue(written: Queue, attributes: Answer) -> Queue:
    """By SQS's GetQueueAttributes."""
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    return replace(
        written,
        visibility_seconds=int(attributes["VisibilityTimeout"]),
        retention_seconds=int(attributes["MessageRetentionPeriod"]),
        dlq=last(redrive["deadLetterTargetArn"]) if redrive else None,
        receives=int(redrive["maxReceiveCount"]) if redrive else None,
    )


def live_function(written: Function, configuration: Answer) -> Function:
    """By Lambda's GetFunctionConfiguration."""
    return replace(
        written,
        handler=configuration["Handler"],
        timeout_seconds=int(configuration["Timeout"]),
        variables=configuration.get("Environment", {}).get("Variables", {}),
    )


def live_source(stack: str, answer: Answer) -> Source:
    """By Lambda's ListEventSourceMappings."""
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
    """By EventBridge's DescribeRule and ListTargetsByRule."""
    pattern = json.loads(description.get("EventPattern") or "{}")
    return replace(
        written,
        sources=listed(pattern.get("source")),
        detail_types=listed(pattern.get("detail-type")),
        detail=pattern.get("detail", {}),
        enabled=description.get("State") != "DISABLED",
        targets=tuple(target(one) for one in targets),
    )


def live_machine(written: Machine, description: Answer) -> Machine:
    """By Step Functions' DescribeStateMachine."""
    return replace(
        written,
        kind=description.get("type", "STANDARD"),
        states=states(json.loads(description["definition"])),
    )


# --- drift ---------------------------------------------------------------------------------------------------


def drift(system: System) -> Result:
    """What runs is what the stacks' templates say. Whether it also fits is the other checks' question."""
    if system.written is None:
        return
    before, after = _parts(system.written), _parts(system)
    for name, written in before.items():
        if name not in after:
            yield Fault(
                where=name,
                what="Its stack's template has it, and it is not there.",
                mend="Deploy the stack again; CloudFormation's drift detection shows what else is gone.",
            )
            continue
        changed = list(_differences(written, after[name]))
        if changed:
            yield Fault(
                where=name,
                what=f"Changed since it was deployed: {'; '.join(changed)}.",
                mend="Put it back, or into the template: the next deployment undoes it, or leaves it unseen.",
                severity="warning",
            )
        else:
            yield Held("as its template says", name)
    for name in sorted(after.keys() - before.keys()):
        yield Fault(
            where=name,
            what="It is there, and no template has it.",
            mend="Remove it, or put it into a template.",
            severity="warning",
        )


def _parts(system: System) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for found in (system.queues, system.functions, system.rules):
        parts |= {f"{type(its).__name__.lower()} {name}": its for name, its in found.items()}
    parts |= {f"mapping {one.queue} → {one.function}": one for one in system.sources}
    for machine in system.machines.values():
        parts |= {f"state {machine.name}/{name}": state for name, state in machine.states.items()}
    return parts


def _differences(written: Any, actual: Any) -> Iterator[str]:
    for one in fields(written):
        before, after = getattr(written, one.name), getattr(actual, one.name)
        if one.name not in NOT_COMPARED and before != after:
            yield f"{one.name.replace('_', ' ')} is {_shown(after)}, the template says {_shown(before)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)
