"""The trigger's stack: an HTTP API that accepts requests, and the starter, which starts an execution for each."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.clocks import DLQ_RETENTION_DAYS, PAUSE_DAYS, keeping_records
from infra.constructs.approvals import let_api_decide
from infra.constructs.budget import Budget
from infra.constructs.pipeline_api import PipelineApi
from infra.constructs.publishing import REQUESTS
from infra.constructs.service_function import ServiceFunction
from infra.constructs.work_queue import WorkQueue, bus_of
from infra.definition import longest_seconds
from infra.environments import Environment
from infra.functions import API, GUARD, STARTER
from infra.nag import acknowledge_executions
from infra.names import Names
from infra.parts import TRIGGER
from infra.synthesizer import synthesizer
from shared.contracts.envelope import SOURCE
from shared.contracts.v1 import ContractRejected
from shared.records import OWNER_INDEX

LONGEST_WAIT = timedelta(days=PAUSE_DAYS + DLQ_RETENTION_DAYS)
"""How long an accepted request can wait for its start: in its queue, then parked."""


class TriggerStack(Stack):
    """The HTTP API `api` publishes requests on the bus; a rule puts them into `work`, which feeds `starter`."""

    def __init__(self, scope: Construct, *, environment: Environment, bundles: Mapping[str, Path]) -> None:
        names = Names(environment.name)
        super().__init__(scope, names.stack(TRIGGER), synthesizer=synthesizer(environment))
        self.accept = ServiceFunction(
            self,
            spec=API,
            bundle=bundles[API.name],
            environment=environment,
            variables={
                "STATE_TABLE": names.state_table,
                "ALLOWED_ORIGIN": environment.allowed_origin,
                "MAX_WAITING": str(environment.max_waiting),
                "TIMEOUT_SECONDS": str(environment.sizing_of(API.name).timeout_seconds),
                **keeping_records(environment.keep_records_days, open_for=LONGEST_WAIT),
                **({"API_URL": environment.api_url("{api_id}")} if environment.engine else {}),
            },
        )
        self.accept.allow_publishing(*REQUESTS)
        self.accept.allow(
            "ListByCaller", ["dynamodb:Query"], [f"{names.table_arn(self)}/index/{OWNER_INDEX}"]
        )
        self.accept.allow(
            "KeepItsState",
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            [names.state_table_arn(self)],
        )
        if environment.decides:
            let_api_decide(self.accept, environment)
        self.accept.allow("StopExecutions", ["states:StopExecution"], [names.executions_arn(self)])
        acknowledge_executions(self.accept, names)
        self.api = PipelineApi(self, handler=self.accept.function, environment=environment)
        self.starter = ServiceFunction(
            self,
            spec=STARTER,
            bundle=bundles[STARTER.name],
            environment=environment,
            variables={
                "STATE_MACHINE_ARN": names.state_machine_arn(self),
                **keeping_records(
                    environment.keep_records_days,
                    open_for=timedelta(seconds=longest_seconds(environment.stages, environment.task_seconds)),
                ),
            },
        )
        self.work = WorkQueue(
            self,
            service=TRIGGER,
            environment=environment,
            sizing=environment.sizing_of(STARTER.name),
            # Also without a budget: when one is taken away, older messages may wait than SQS keeps by default.
            keeps=Duration.days(PAUSE_DAYS),
        )
        rule = self.work.subscribe(
            "requests",
            source=SOURCE,
            detail_types=[kind.detail_type() for kind in REQUESTS],
            bus=bus_of(self, names),
        )
        # A new version of the request must be read by the starter before the rule delivers it, and delivered before
        # the API publishes it.
        rule.node.add_dependency(self.starter.function)
        self.accept.function.node.add_dependency(rule)
        # With a budget, the guard switches the mapping, and the template does not say whether it is enabled: taking
        # the budget away is then a change that enables it. The guard is deleted only after this change, but pauses
        # nothing without the index of days, which the platform, deployed before, has no more.
        feeding = self.starter.consume(self.work, enabled=None if environment.budget_usd_per_day else True)
        self.starter.allow("StartExecutions", ["states:StartExecution"], [names.state_machine_arn(self)])
        self.starter.allow(
            "RecogniseAndStopItsExecutions",
            ["states:DescribeExecution", "states:StopExecution"],
            [names.executions_arn(self)],
        )
        acknowledge_executions(self.starter, names)
        self.starter.allow_publishing(ContractRejected)
        ssm.StringParameter(self, "Url", parameter_name=names.parameter("api/url"), string_value=self.api.url)
        if environment.budget_usd_per_day:
            Budget(
                self,
                environment=environment,
                bundle=bundles[GUARD.name],
                mapping=feeding,
                usd_per_day=environment.budget_usd_per_day,
            )
