"""The trigger: a REST API that accepts requests, and the starter that turns each into one execution."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.constructs.pipeline_api import PipelineApi
from infra.constructs.service_function import ServiceFunction
from infra.constructs.work_queue import WorkQueue, bus_of
from infra.environments import Environment
from infra.functions import API, STARTER
from infra.nag import acknowledge_executions
from infra.names import Names
from infra.synthesizer import synthesizer
from shared.contracts.envelope import SOURCE
from shared.contracts.upcasting import readable
from shared.contracts.v1 import ContractRejected, PipelineRequested

SERVICE = "trigger"


class TriggerStack(Stack):
    """`api` in front of the bus, `work` and `starter` behind it."""

    def __init__(self, scope: Construct, *, environment: Environment, bundles: Mapping[str, Path]) -> None:
        names = Names(environment.name)
        super().__init__(scope, names.stack(SERVICE), synthesizer=synthesizer(environment))
        self.accept = ServiceFunction(
            self,
            spec=API,
            bundle=bundles[API.name],
            environment=environment,
            variables={
                "ALLOWED_ORIGIN": environment.allowed_origin,
                **({"API_URL": environment.api_url("{api_id}")} if environment.engine else {}),
            },
        )
        self.accept.allow_publishing(PipelineRequested)
        self.api = PipelineApi(self, handler=self.accept.function, environment=environment)
        self.starter = ServiceFunction(
            self,
            spec=STARTER,
            bundle=bundles[STARTER.name],
            environment=environment,
            variables={"STATE_MACHINE_ARN": names.state_machine_arn(self)},
        )
        self.work = WorkQueue(
            self, service=SERVICE, environment=environment, sizing=environment.sizing_of(STARTER.name)
        )
        self.work.subscribe(
            "requests",
            source=SOURCE,
            detail_types=[kind.detail_type() for kind in readable(PipelineRequested)],
            bus=bus_of(self, names),
        )
        self.starter.consume(self.work)
        self.starter.allow("StartExecutions", ["states:StartExecution"], [names.state_machine_arn(self)])
        self.starter.allow(
            "RecogniseItsExecutions", ["states:DescribeExecution"], [names.executions_arn(self)]
        )
        acknowledge_executions(self.starter, names)
        self.starter.allow_publishing(ContractRejected)
        ssm.StringParameter(self, "Url", parameter_name=names.parameter("api/url"), string_value=self.api.url)
