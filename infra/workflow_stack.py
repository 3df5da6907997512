"""The stack of the state machine, with the same definition that the tests run."""

import json

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.publishing import publishing
from infra.constructs.service_function import log_group
from infra.definition import definition
from infra.environments import Environment
from infra.nag import acknowledge
from infra.names import Names
from infra.synthesizer import synthesizer
from shared.contracts.upcasting import readable


class WorkflowStack(Stack):
    """The state machine, which may send each stage its request, and store an answer if the logger fails."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        names = Names(environment.name)
        super().__init__(scope, names.stack("workflow"), synthesizer=synthesizer(environment))
        queued = [stage.service for stage in environment.stages if stage.via == "queue"]
        # A running execution keeps its old definition but gets the role's new rights, so older versions stay allowed,
        # and so do stages that were removed, as long as they are deployed.
        published = [
            kind for stage in environment.stages if stage.via == "bus" for kind in readable(stage.request)
        ]
        asl = definition(
            bus_name=names.bus,
            queue_urls={service: names.queue_url(self, service) for service in queued},
            table_name=names.table,
            # A task of another partition is refused when an execution is started, not when the stack is deployed.
            partition=self.partition,
            stages=environment.stages,
            task_seconds=environment.task_seconds,
        )
        # All log groups with this prefix share one resource policy of the account, whose size is limited.
        group = log_group(self, "Logs", f"/aws/vendedlogs/states/{names.state_machine}", environment)
        self.state_machine = sfn.StateMachine(
            self,
            "Pipeline",
            state_machine_name=names.state_machine,
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(json.dumps(asl, ensure_ascii=False)),
            logs=sfn.LogOptions(destination=group, level=sfn.LogLevel.ALL, include_execution_data=False),
            tracing_enabled=environment.xray,
        )
        statements = (
            publishing(names.bus_arn(self), *published, others=environment.removed_events),
            iam.PolicyStatement(
                sid="SendStageRequests",
                actions=["sqs:SendMessage"],
                resources=[
                    names.queue_arn(self, service) for service in (*queued, *environment.removed_queues)
                ],
            ),
            iam.PolicyStatement(
                sid="StoreAnswers", actions=["dynamodb:UpdateItem"], resources=[names.table_arn(self)]
            ),
        )
        for statement in statements:
            self.state_machine.add_to_role_policy(statement)
        acknowledge(
            self.state_machine.role,
            "AwsSolutions-IAM5[Resource::*]",
            "IAM cannot limit the delivery of vended logs and X-Ray traces to a resource.",
        )
        if not environment.xray:
            acknowledge(self.state_machine, "AwsSolutions-SF2", "This environment has no X-Ray.")
        ssm.StringParameter(
            self,
            "Arn",
            parameter_name=names.parameter("state-machine/arn"),
            string_value=self.state_machine.state_machine_arn,
        )
