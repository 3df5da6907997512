"""Rights: none wider than needed, none that is never used, none missing for what a part does."""

import re
from typing import Final

from infra.doctor.calls import called, operation
from infra.doctor.checks.events import DETAIL_TYPE_CONDITION, PUT_EVENTS, SEND_MESSAGE
from infra.doctor.findings import Fault, Held, Result
from infra.doctor.model import Function, Grant, State, System
from infra.doctor.references import bus_arn, queue_arn
from infra.environments import Environment
from shared.contracts.stages import BY_SERVICE

UNBOUNDED: Final = frozenset(
    {
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
)
"""Actions that IAM knows no resource for: only they may be allowed on `*`."""
CALLBACKS: Final = frozenset({"states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"})
POLLING: Final = frozenset({"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"})
"""What Lambda does in the function's name to feed it from a queue."""
_NOT_THE_CODES: Final = (
    frozenset({"sqs:ChangeMessageVisibility", "sqs:GetQueueUrl", "logs:CreateLogStream", "logs:PutLogEvents"})
    | POLLING
    | UNBOUNDED
)
"""Rights that Lambda, its log delivery or its tracing use, not the function's code."""

ACKNOWLEDGED: Final = (
    (
        "states:",
        r"arn:aws:states:region:account:execution:[\w-]+:\*",
        "executions of this state machine alone, each with a name of its own",
    ),
    (
        "bedrock:",
        r"arn:aws:bedrock:\*::foundation-model/[^*]+",
        "the inference profile picks the region of its geography; the model is named",
    ),
    (
        "execute-api:",
        r".*/pipelines?(/\*)?(/[\w-]+)?",
        "every pipeline id; stage, method and path are named",
    ),
)
"""Wildcards within an ARN that have a reason: actions, the ARN, the reason."""
ENGINES: Final = (
    (
        "bedrock:",
        r"arn:aws:bedrock:\*::foundation-model/\*",
        "the local engine can't tell the ids of models apart",
    ),
)


def narrow(system: System) -> Result:
    unbounded = UNBOUNDED if system.environment.iam.callbacks_by_machine else UNBOUNDED | CALLBACKS
    for grant in system.grants:
        faults = [*_wide(grant, unbounded, system.environment)]
        yield from faults
        if not faults:
            yield Held("statements name what they allow", grant.holder)


def _wide(grant: Grant, unbounded: frozenset[str], environment: Environment) -> Result:
    where = f"{grant.stack}, {grant.sid or 'a statement without Sid'} of {grant.holder.rpartition('/')[2]}"
    if wild := [action for action in grant.actions if "*" in action]:
        yield Fault(where=where, what=f"It allows {', '.join(wild)}.", mend="Name the actions.")
    if "*" in grant.resources and (wide := sorted(set(grant.actions) - unbounded)):
        yield Fault(
            where=where, what=f"It allows {', '.join(wide)} on everything.", mend="Name the resource's ARN."
        )
    for resource in grant.resources:
        if resource != "*" and "*" in resource and not _acknowledged(grant, resource, environment):
            yield Fault(
                where=where,
                what=f"It allows {', '.join(grant.actions)} on {resource}, a pattern without a known reason.",
                mend="Name the resource, or give the reason in ACKNOWLEDGED (infra/doctor/checks/rights.py).",
            )
    if PUT_EVENTS in grant.actions and not {"events:source", DETAIL_TYPE_CONDITION} <= grant.equals.keys():
        yield Fault(
            where=where,
            what="It may publish any event.",
            mend="Use `publishing`, which names source and detail-types.",
            why="Who may publish any event can forge a stage's request.",
        )


def _acknowledged(grant: Grant, resource: str, environment: Environment) -> bool:
    known = ACKNOWLEDGED if environment.iam.models_by_arn else (*ACKNOWLEDGED, *ENGINES)
    return any(
        re.fullmatch(pattern, resource) and all(action.startswith(prefix) for action in grant.actions)
        for prefix, pattern, _reason in known
    )


def used(system: System) -> Result:
    """Each right of a function's role is one that its code can come to call."""
    for function in system.functions.values():
        known = called(function.module)
        if not known:
            continue  # not this project's code
        rights = {action for grant in system.grants_of(function.role) for action in grant.actions}
        fed = any(source.function == function.name for source in system.sources)
        idle = sorted(
            action
            for action in rights
            if "*" not in action
            and operation(action) not in known
            and not (action in _NOT_THE_CODES and (fed or not action.startswith("sqs:")))
        )
        if idle:
            yield Fault(
                where=function.name,
                what=f"Its role has rights that its code never uses: {', '.join(idle)}.",
                mend="Take them out: the function table (infra/functions.py) or its stack grants them.",
                severity="warning",
            )
        else:
            yield Held("every right of the role is called for in the code", function.name)


def needed(system: System) -> Result:
    """Who consumes, parks, answers or sends has the right to."""
    for source in system.sources:
        function, queue = system.functions.get(source.function), system.queues.get(source.queue)
        if function is None or queue is None:
            continue
        wanted = [(action, queue_arn(queue.name)) for action in sorted(POLLING)]
        if queue.dlq:
            wanted.append((SEND_MESSAGE, queue_arn(queue.dlq)))
        yield _has(system, function.name, function.role, wanted, _answers(system, function))
    for machine in system.machines.values():
        for state in machine.states.values():
            if state.detail_type:
                yield _sends(system, f"{machine.name}, state {state.name}", machine.role, state)


def _answers(system: System, function: Function) -> list[str]:
    """The callbacks a stage's function may not make."""
    if function.service not in BY_SERVICE:
        return []
    rights = {action for grant in system.grants_of(function.role) for action in grant.actions}
    return sorted({"states:SendTaskSuccess", "states:SendTaskFailure"} - rights)


def _has(
    system: System, where: str, role: str, wanted: list[tuple[str, str]], lacking: list[str]
) -> Held | Fault:
    grants = system.grants_of(role)
    lacks = [
        f"{action} on {arn.rpartition(':')[2]}"
        for action, arn in wanted
        if not any(grant.allows(action, arn) for grant in grants)
    ]
    if missing := [*lacking, *lacks]:
        return Fault(
            where=where,
            what=f"Its role lacks {', '.join(missing)}.",
            mend="Grant it: `ServiceFunction.consume` and `allow_callbacks`.",
        )
    return Held("may consume, park, answer and send what it must", where)


def _sends(system: System, where: str, role: str, state: State) -> Held | Fault:
    action = SEND_MESSAGE if state.queue else PUT_EVENTS
    arn = queue_arn(state.queue) if state.queue else bus_arn(state.bus or "default")
    for grant in system.grants_of(role):
        types = grant.equals.get(DETAIL_TYPE_CONDITION)
        if grant.allows(action, arn) and (types is None or state.detail_type in types):
            return Held("may consume, park, answer and send what it must", where)
    return Fault(
        where=where,
        what=f"The workflow's role may not send {state.detail_type} ({action}).",
        mend="Grant it in infra/workflow_stack.py.",
    )
