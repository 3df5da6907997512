"""The stack of a stage's service: queue, function and rule. All stages share this class."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra.clocks import APPROVAL, SWEEP_MINUTES, TASK_SECONDS, keeping_records
from infra.constructs.approvals import Approvals
from infra.constructs.chatbot_rights import allow_chatbot, allow_texts
from infra.constructs.service_function import ServiceFunction
from infra.constructs.work_queue import WorkQueue, bus_of
from infra.environments import Environment
from infra.functions import RECONCILER, STAGE_FUNCTIONS, SWEEP
from infra.nag import acknowledge_executions
from infra.names import Names
from infra.pricing import stated
from infra.synthesizer import synthesizer
from shared.contracts.approval import ApprovalReminder
from shared.contracts.envelope import SOURCE, Event
from shared.contracts.executions import FAILED
from shared.contracts.stages import LAST, STAGES, Stage
from shared.contracts.upcasting import readable
from shared.contracts.v1 import ContractRejected, PipelineCompleted, PipelineFailed

PUBLISHES: Mapping[str, tuple[type[Event], ...]] = {LAST.service: (PipelineCompleted, PipelineFailed)}
"""The events that a service publishes besides rejections."""
TEXTS: Mapping[str, tuple[str, ...]] = {"read": ("GetItem",), "store": ("GetItem", "PutItem")}
"""The rights on the table of long texts, by the word of the stage table."""


class StageStack(Stack):
    """A stage's service. `work` is its queue with the DLQs, `service` its function."""

    def __init__(
        self, scope: Construct, *, stage: Stage, environment: Environment, bundles: Mapping[str, Path]
    ) -> None:
        names = Names(environment.name)
        super().__init__(scope, names.stack(stage.service), synthesizer=synthesizer(environment))
        self.environment_data = environment
        spec = STAGE_FUNCTIONS[stage.service]
        self.work = WorkQueue(
            self, service=stage.service, environment=environment, sizing=environment.sizing_of(spec.name)
        )
        self.service = ServiceFunction(
            self,
            spec=spec,
            bundle=bundles[spec.name],
            environment=environment,
            variables={
                **stage.variables,
                TASK_SECONDS: str(environment.task_seconds(stage.service)),
                **_variables(stage.service, environment),
            },
        )
        self.service.consume(self.work)
        self.service.allow_callbacks()
        self.service.allow_publishing(*PUBLISHES.get(stage.service, ()), ContractRejected)
        if stage.via == "bus":
            self.work.subscribe(
                "requests",
                source=SOURCE,
                detail_types=[kind.detail_type() for kind in readable(stage.request)],
                bus=bus_of(self, names),
                worthless_after=Duration.seconds(environment.task_seconds(stage.service)),
            )
        if stage.texts:
            allow_texts(self.service, environment, *TEXTS[stage.texts])
        if extra := EXTRAS.get(stage.service):
            extra(self, bundles)


def _variables(service: str, environment: Environment) -> Mapping[str, str]:
    if service != LAST.service:
        return {}
    prices = msgspec.json.encode(stated(environment)).decode()
    return {
        **({"COUNTS_DAYS": "true"} if environment.budget_usd_per_day else {}),
        **({"STATED_PRICES": prices} if prices != "{}" else {}),
        **({"ANY_OPTIONAL": "true"} if environment.reachable != STAGES else {}),
        **keeping_records(environment.keep_records_days),
    }


def _approval(stack: StageStack, bundles: Mapping[str, Path]) -> None:
    """Add the table of waiting runs, and the sweep, which decides at the deadline, reminds and repairs."""
    environment = stack.environment_data
    names = Names(environment.name)
    waiting = Approvals(stack, environment=environment)
    sweep = ServiceFunction(
        stack,
        spec=SWEEP,
        bundle=bundles[SWEEP.name],
        environment=environment,
    )
    for function in (stack.service, sweep):
        waiting.let_decide(function)
    sweep.allow_callbacks()
    sweep.allow_publishing(ApprovalReminder)
    every = Duration.minutes(SWEEP_MINUTES)
    events.Rule(
        stack,
        "SweepOften",
        rule_name=names.rule("approval", "sweep"),
        schedule=events.Schedule.rate(every),
        # A late or repeated invocation is not needed: the next one catches up.
        targets=[targets.LambdaFunction(sweep.function, max_event_age=every, retry_attempts=0)],
    )


def _chatbot(stack: StageStack, _: Mapping[str, Path]) -> None:
    allow_chatbot(stack.service, stack.environment_data)


EVERY = Duration.minutes(15)
"""How often the reconciler runs."""


def _logger(stack: StageStack, bundles: Mapping[str, Path]) -> None:
    """Let the logger receive failed executions, which Step Functions announces on the account's default bus, and add
    the reconciler, which finds those that were not announced.
    """
    environment = stack.environment_data
    names = Names(environment.name)
    machine = names.state_machine_arn(stack)
    reconciler = ServiceFunction(
        stack,
        spec=RECONCILER,
        bundle=bundles[RECONCILER.name],
        environment=environment,
        variables={
            "STATE_MACHINE_ARN": machine,
            "OPERATIONS_TABLE": names.operations_table,
            **_variables(LAST.service, environment),
        },
    )
    for function in (stack.service, reconciler):
        function.allow(
            "LookUpExecutions",
            ["states:DescribeExecution", "states:GetExecutionHistory"],
            [names.executions_arn(stack)],
        )
        acknowledge_executions(function, names)
    reconciler.allow("ListExecutions", ["states:ListExecutions"], [machine])
    reconciler.allow(
        "KeepItsProgress",
        ["dynamodb:GetItem", "dynamodb:PutItem"],
        [stack.format_arn(service="dynamodb", resource="table", resource_name=names.operations_table)],
    )
    reconciler.allow_publishing(PipelineFailed)
    events.Rule(
        stack,
        "Reconcile",
        rule_name=names.rule(LAST.service, "reconcile"),
        schedule=events.Schedule.rate(EVERY),
        # A late or repeated invocation is not needed: the next one catches up.
        targets=[targets.LambdaFunction(reconciler.function, max_event_age=EVERY, retry_attempts=0)],
    )
    stack.work.subscribe(
        "failures",
        source="aws.states",
        detail_types=["Step Functions Execution Status Change"],
        detail={"status": list(FAILED), "stateMachineArn": [machine]},
    )


EXTRAS: Mapping[str, Callable[[StageStack, Mapping[str, Path]], None]] = {
    APPROVAL: _approval,
    "chatbot": _chatbot,
    LAST.service: _logger,
}
"""Functions that add what only one service needs."""
