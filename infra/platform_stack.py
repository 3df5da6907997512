"""The stack that every service needs: the bus, and the tables of records, operations and short-lived state."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.constructs.data_table import data_table
from infra.constructs.operator_policy import OperatorPolicy
from infra.constructs.publishing import REQUESTS, publishing
from infra.constructs.schema_registry import SchemaRegistry
from infra.environments import Environment
from infra.names import Names
from infra.synthesizer import synthesizer
from shared import budget
from shared.contracts.envelope import SOURCE, Event
from shared.contracts.v1 import ContractRejected, PipelineCompleted, PipelineFailed
from shared.records import EXPIRES, LISTED, OWNER_INDEX

ARCHIVED: tuple[type[Event], ...] = (*REQUESTS, PipelineCompleted, PipelineFailed, ContractRejected)
"""The events that the bus archives: requests and outcomes. Stage requests are never archived: they contain task
tokens, which are settled by the time the archive is replayed.
"""


class PlatformStack(Stack):
    """The tables `table`, `operations` and `state`, the `bus`, and two managed policies.

    The names of `table`, `operations` and `bus` are SSM parameters. `operations` holds archived messages, audit lines
    and the reconciler's progress, `state` what functions remember beside records. `publisher` is the policy of
    principals that request runs by event; the other one is that of operators.
    """

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        names = Names(environment.name)
        super().__init__(
            scope,
            names.stack("platform"),
            synthesizer=synthesizer(environment),
            termination_protection=environment.protects("platform"),
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
        if environment.schema_registry:
            SchemaRegistry(self, name=names.schema_registry)
        self.table = data_table(
            self,
            "Table",
            name=names.table,
            key="pipeline_id",
            expires=EXPIRES if environment.keep_records_days else None,
            environment=environment,
            global_secondary_indexes=[
                _by_owner(),
                *([_by_day()] if environment.budget_usd_per_day else []),
            ],
        )
        self.operations = data_table(
            self,
            "Operations",
            name=names.operations_table,
            key="pipeline_id",
            sort_key="entry",
            expires="expires_at",
            environment=environment,
        )
        self.state = data_table(
            self, "State", name=names.state_table, key="id", expires="expires_at", environment=environment
        )
        self.publisher = iam.ManagedPolicy(
            self,
            "Publisher",
            managed_policy_name=names.publisher_policy(self.region),
            # Must not change: CloudFormation would have to replace the policy, and cannot because it has a name.
            description="May ask the pipeline by an event, and may publish nothing else.",
            statements=[publishing(self.bus.event_bus_arn, *REQUESTS)],
        )
        OperatorPolicy(self, environment=environment)
        for path, value in (
            ("bus/name", self.bus.event_bus_name),
            ("table/name", self.table.table_name),
            ("operations/table", self.operations.table_name),
        ):
            ssm.StringParameter(self, path, parameter_name=names.parameter(path), string_value=value)


def _by_owner() -> dynamodb.GlobalSecondaryIndexPropsV2:
    """Return the index of the API's runs by caller and time.

    It contains no messages, so that a change of status costs one write unit.
    """
    key, sort_key = "owner", "listed_at"
    return dynamodb.GlobalSecondaryIndexPropsV2(
        index_name=OWNER_INDEX,
        partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name=sort_key, type=dynamodb.AttributeType.STRING),
        projection_type=dynamodb.ProjectionType.INCLUDE,
        non_key_attributes=[name for name in LISTED if name not in ("pipeline_id", key, sort_key)],
    )


def _by_day() -> dynamodb.GlobalSecondaryIndexPropsV2:
    """Return the index of ended runs by the day on which their cost counts."""
    return dynamodb.GlobalSecondaryIndexPropsV2(
        index_name=budget.INDEX,
        partition_key=dynamodb.Attribute(name=budget.DAY, type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name=budget.MOMENT, type=dynamodb.AttributeType.STRING),
        projection_type=dynamodb.ProjectionType.INCLUDE,
        non_key_attributes=[budget.AMOUNT, budget.UNKNOWN],
    )
