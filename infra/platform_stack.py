"""What every service stands on: the bus and the table."""

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.constructs.publishing import publishing
from infra.environments import Environment
from infra.names import Names
from infra.synthesizer import synthesizer
from shared.contracts.envelope import SOURCE
from shared.contracts.v1 import ContractRejected, PipelineCompleted, PipelineFailed, PipelineRequested

ARCHIVED = (PipelineRequested, PipelineCompleted, PipelineFailed, ContractRejected)
"""Starts and outcomes. Never a stage request: it carries a task token, and a replay would send dead ones."""


class PlatformStack(Stack):
    """`bus` and `table`, their names as SSM parameters, and the `publisher` policy for whoever asks by event."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        names = Names(environment.name)
        super().__init__(
            scope,
            names.stack("platform"),
            synthesizer=synthesizer(environment),
            termination_protection=environment.keep_data,
        )
        self.bus = events.EventBus(self, "Bus", event_bus_name=names.bus)
        if environment.archive_days is not None:
            self.bus.archive(
                "Archive",
                archive_name=f"{names.prefix}-starts-and-outcomes",
                event_pattern=events.EventPattern(
                    source=[SOURCE], detail_type=[event.detail_type() for event in ARCHIVED]
                ),
                retention=Duration.days(environment.archive_days),
            )
        self.table = dynamodb.TableV2(
            self,
            "Table",
            table_name=names.table,
            partition_key=dynamodb.Attribute(name="pipeline_id", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=environment.point_in_time_recovery
            ),
            deletion_protection=environment.keep_data,
            removal_policy=RemovalPolicy.RETAIN if environment.keep_data else RemovalPolicy.DESTROY,
        )
        self.publisher = iam.ManagedPolicy(
            self,
            "Publisher",
            managed_policy_name=f"{names.prefix}-publisher",
            description="May ask the pipeline by an event, and may publish nothing else.",
            statements=[publishing(environment, self.bus.event_bus_arn, PipelineRequested)],
        )
        for path, value in (("bus/name", self.bus.event_bus_name), ("table/name", self.table.table_name)):
            ssm.StringParameter(self, path, parameter_name=names.parameter(path), string_value=value)
