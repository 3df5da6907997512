"""Checks of IAM rights: none is wider than needed, none is never used, and none that a part needs is missing."""

import re
from typing import Final

from infra.doctor.calls import called, operation
from infra.doctor.checks.events import DETAIL_TYPE_CONDITION, EVENT_CONDITIONS, PUT_EVENTS, SEND_MESSAGE
from infra.doctor.findings import Passed, Problem, Result
from infra.doctor.model import Function, Grant, State, System
from infra.doctor.policies import denied
from infra.doctor.references import bus_arn, queue_arn, table_arn
from infra.environments import Environment
from infra.operator_rights import BATCHES, READS
from shared.contracts.stages import BY_SERVICE

UNBOUNDED: Final = frozenset(
    {
        "lambda:GetAccountSettings",
        "lambda:ListEventSourceMappings",
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
"""Actions that IAM cannot limit to a resource; only these may be allowed on `*`."""
CALLBACKS: Final = frozenset({"states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"})
POLLING: Final = frozenset({"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"})
"""What Lambda calls with the function's role to feed it from a queue."""
COUNTS_IN: Final = "STATE_TABLE"
"""The variable with the table in which a worker counts the starts of its messages."""
_NOT_CALLED_BY_CODE: Final = (
    frozenset({"sqs:ChangeMessageVisibility", "sqs:GetQueueUrl", "logs:CreateLogStream", "logs:PutLogEvents"})
    | POLLING
    | UNBOUNDED
)
"""Rights that Lambda, its log delivery or its tracing use, and the function's code does not."""

ACKNOWLEDGED: Final = (
    (
        "states:",
        r"arn:aws:states:region:account:execution:[\w-]+:\*",
        "only executions of this state machine, whose names are not known beforehand",
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
    *(
        (f"{service}:", pattern, "operators read all resources of the environment")
        for service, pattern in (
            ("ssm", r"arn:aws:ssm:region:account:parameter/ai-pipeline/[\w-]+/\*"),
            ("logs", r"arn:aws:logs:region:account:log-group:/aws/lambda/ai-pipeline-[\w-]+-\*"),
            ("sqs", r"arn:aws:sqs:region:account:ai-pipeline-[\w-]+-\*(-dlq)?"),
            ("lambda", r"arn:aws:lambda:region:account:function:ai-pipeline-[\w-]+-\*"),
            ("events", r"arn:aws:events:region:account:rule/(ai-pipeline-[\w-]+-bus/)?ai-pipeline-[\w-]+-\*"),
            ("iam", r"arn:aws:iam::account:role/ai-pipeline-[\w-]+-\*"),
            ("cloudformation", r"arn:aws:cloudformation:region:account:stack/ai-pipeline-[\w-]+-\*/\*"),
        )
    ),
    (
        "iam:",
        r"arn:aws:iam::(aws|account):policy/\*",
        "somebody may attach any policy to a role, and operators read what it denies",
    ),
    (
        "cloudwatch:DescribeAlarms",
        r"arn:aws:cloudwatch:region:account:alarm:\*",
        "a call that lists alarms by a prefix of their names needs the right on all of them",
    ),
)
"""Wildcards within an ARN that have a reason: prefix of the actions, pattern of the ARN, reason."""
ENGINES: Final = (
    (
        "bedrock:",
        r"arn:aws:bedrock:\*::foundation-model/\*",
        "the local engine cannot distinguish the ids of models",
    ),
)
"""More wildcards that have a reason, for the local engine only."""
_RIGHTS_SUFFICE: Final = "each part may consume, park, report and send what it must"


def narrow(system: System) -> Result:
    dialect, unbounded = system.environment.iam, UNBOUNDED
    if not dialect.callbacks_by_machine:
        unbounded |= CALLBACKS
    if not dialect.operators_by_resource:
        unbounded |= {action for actions in (*READS.values(), BATCHES) for action in actions}
    for grant in system.grants:
        problems = [*_wide(grant, unbounded, system.environment)]
        yield from problems
        if not problems:
            yield Passed("each statement names actions and resources", grant.holder)


def _wide(grant: Grant, unbounded: frozenset[str], environment: Environment) -> Result:
    where = f"{grant.stack}, {grant.sid or 'a statement without Sid'} of {grant.holder.rpartition('/')[2]}"
    if wildcards := [action for action in grant.actions if "*" in action]:
        yield Problem(
            where=where,
            what=f"It allows the wildcard {', '.join(wildcards)}.",
            fix="Name the actions that are needed.",
        )
    if "*" in grant.resources and (unlimited := sorted(set(grant.actions) - unbounded)):
        yield Problem(
            where=where,
            what=f"It allows {', '.join(unlimited)} on every resource.",
            fix="Name the resource's ARN.",
        )
    for resource in grant.resources:
        if resource != "*" and "*" in resource and not _acknowledged(grant, resource, environment):
            yield Problem(
                where=where,
                what=f"It allows {', '.join(grant.actions)} on {resource}, a wildcard without a known reason.",
                fix="Name the resource, or add the wildcard with its reason to ACKNOWLEDGED in "
                "infra/doctor/checks/rights.py.",
            )
    if PUT_EVENTS in grant.actions and EVENT_CONDITIONS - grant.bounded:
        yield Problem(
            where=where,
            what="It does not limit events by `ForAllValues:StringEquals` and `Null` on both `events:source` and "
            "`events:detail-type`, which alone is right whether AWS gives these keys one value or a list.",
            fix="Use `publishing` (infra/constructs/publishing.py), and deploy again.",
            why="Whoever may publish any event can forge a stage request; a condition that never matches denies "
            "all events.",
        )


def _acknowledged(grant: Grant, resource: str, environment: Environment) -> bool:
    known = ACKNOWLEDGED if environment.iam.models_by_arn else (*ACKNOWLEDGED, *ENGINES)
    return any(
        re.fullmatch(pattern, resource) and all(action.startswith(prefix) for action in grant.actions)
        for prefix, pattern, _reason in known
    )


def used(system: System) -> Result:
    """Check that each function's code can use every right of its role, but for wildcards and what Lambda needs."""
    for function in system.functions.values():
        known = called(function.module)
        if not known:
            continue  # the code is not this project's
        rights = {action for grant in system.grants_of(function.role) for action in grant.actions}
        fed = any(source.function == function.name for source in system.sources)
        idle = sorted(
            action
            for action in rights
            if "*" not in action
            and operation(action) not in known
            and not (action in _NOT_CALLED_BY_CODE and (fed or not action.startswith("sqs:")))
        )
        if idle:
            yield Problem(
                where=function.name,
                what=f"Its role has rights that its code never uses: {', '.join(idle)}.",
                fix="Remove them from the function table (infra/functions.py) or from its stack.",
                severity="warning",
            )
        else:
            yield Passed("the code can use every right of its role", function.name)


def needed(system: System) -> Result:
    """Check that each function fed by a queue may receive, count and park its messages, that a stage's function may
    report outcomes, and that the workflow may send its requests; and that nothing denies what a role is granted.
    """
    for source in system.sources:
        function, queue = system.functions.get(source.function), system.queues.get(source.queue)
        if function is None or queue is None:
            continue
        required = [(action, queue_arn(queue.name)) for action in sorted(POLLING)]
        if queue.dlq:
            required.append((SEND_MESSAGE, queue_arn(queue.dlq)))
        if table := function.variables.get(COUNTS_IN):
            required.append(("dynamodb:UpdateItem", table_arn(table)))
        else:
            yield Problem(
                where=function.name,
                what=f"It has no variable {COUNTS_IN}, so it does not count the starts of its messages.",
                fix="Set it to the environment's table of state (`ServiceFunction.consume`).",
                why="A message that kills its worker is run at each delivery, with its neighbours.",
            )
        yield _consumes(system, function, required)
    for machine in system.machines.values():
        for state in machine.states.values():
            if state.detail_type:
                yield _sends(system, f"{machine.name}, state {state.name}", machine.role, state)
    yield from denied(system)


def _missing_callbacks(system: System, function: Function) -> list[str]:
    """Return the callbacks that a stage's function needs and may not make."""
    if function.service not in BY_SERVICE:
        return []
    rights = {action for grant in system.grants_of(function.role) for action in grant.actions}
    return sorted({"states:SendTaskSuccess", "states:SendTaskFailure"} - rights)


def _consumes(system: System, function: Function, required: list[tuple[str, str]]) -> Passed | Problem:
    grants = system.grants_of(function.role)
    missing = _missing_callbacks(system, function)
    missing += [
        f"{action} on {arn.rpartition(':')[2]}"
        for action, arn in required
        if not any(grant.allows(action, arn) for grant in grants)
    ]
    if missing:
        return Problem(
            where=function.name,
            what=f"Its role lacks the right {', '.join(missing)}.",
            fix="Grant it with `ServiceFunction.consume` or `allow_callbacks`.",
        )
    return Passed(_RIGHTS_SUFFICE, function.name)


def _sends(system: System, where: str, role: str, state: State) -> Passed | Problem:
    action = SEND_MESSAGE if state.queue else PUT_EVENTS
    arn = queue_arn(state.queue) if state.queue else bus_arn(state.bus or "default")
    for grant in system.grants_of(role):
        types = grant.values.get(DETAIL_TYPE_CONDITION)
        if grant.allows(action, arn) and (types is None or state.detail_type in types):
            return Passed(_RIGHTS_SUFFICE, where)
    return Problem(
        where=where,
        what=f"The workflow's role lacks the right to send {state.detail_type} ({action}).",
        fix="Grant it in infra/workflow_stack.py.",
    )
