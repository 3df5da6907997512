"""The stack of a stage's service: queue, function and rule. All stages share this class."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from aws_cdk import Duration, Stack
from constructs import Construct

from infra.clocks import keeping_records
from infra.constructs.chatbot_rights import allow_chatbot
from infra.constructs.service_function import ServiceFunction
from infra.constructs.work_queue import WorkQueue, bus_of
from infra.environments import Environment
from infra.functions import STAGE_FUNCTIONS
from infra.nag import acknowledge_executions
from infra.names import Names
from infra.pricing import stated
from infra.synthesizer import synthesizer
from shared.contracts.envelope import SOURCE, Event
from shared.contracts.executions import FAILED
from shared.contracts.stages import Stage
from shared.contracts.upcasting import readable
from shared.contracts.v1 import ContractRejected, PipelineCompleted, PipelineFailed

PUBLISHES: Mapping[str, tuple[type[Event], ...]] = {"logger": (PipelineCompleted, PipelineFailed)}
"""The events that a service publishes besides rejections."""


class StageStack(Stack):
    """A stage's service. `work` is its queue with the DLQs, `service` its function."""

    def __init__(self, scope: Construct, *, stage: Stage, environment: Environment, bundle: Path) -> None:
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
            bundle=bundle,
            environment=environment,
            variables=_variables(stage.service, environment),
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
                worthless_after=Duration.seconds(stage.timeout_seconds),
            )
        if extra := EXTRAS.get(stage.service):
            extra(self)


def _variables(service: str, environment: Environment) -> Mapping[str, str]:
    if service != "logger":
        return {}
    prices = msgspec.json.encode(stated(environment)).decode()
    return {
        **({"COUNTS_DAYS": "true"} if environment.budget_usd_per_day else {}),
        **({"STATED_PRICES": prices} if prices != "{}" else {}),
        **keeping_records(environment.keep_records_days),
    }


def _chatbot(stack: StageStack) -> None:
    allow_chatbot(stack.service, stack.environment_data)


def _logger(stack: StageStack) -> None:
    """Let the logger receive failed executions, which Step Functions announces on the account's default bus."""
    names = Names(stack.environment_data.name)
    machine = names.state_machine_arn(stack)
    stack.service.allow("LookUpTheFailedStage", ["states:GetExecutionHistory"], [names.executions_arn(stack)])
    acknowledge_executions(stack.service, names)
    stack.work.subscribe(
        "failures",
        source="aws.states",
        detail_types=["Step Functions Execution Status Change"],
        detail={"status": list(FAILED), "stateMachineArn": [machine]},
    )


EXTRAS: Mapping[str, Callable[[StageStack], None]] = {"chatbot": _chatbot, "logger": _logger}
"""Functions that add what only one service needs."""
