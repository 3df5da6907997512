"""A DynamoDB table with the project's defaults: paid per request, encrypted, kept if the environment keeps data."""

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.environments import Environment
from infra.names import Names


def data_table(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    key: str,
    environment: Environment,
    sort_key: str | None = None,
    expires: str | None = None,
    **options: Any,
) -> dynamodb.TableV2:
    """Return a table whose `key` and `sort_key` are strings.

    `expires` names the attribute with the time, in epoch seconds, after which DynamoDB deletes an item.
    """
    part = Stack.of(scope).stack_name.removeprefix(Names(environment.name).stack(""))
    return dynamodb.TableV2(
        scope,
        construct_id,
        table_name=name,
        partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name=sort_key, type=dynamodb.AttributeType.STRING) if sort_key else None,
        time_to_live_attribute=expires,
        billing=dynamodb.Billing.on_demand(),
        encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=environment.point_in_time_recovery
        ),
        deletion_protection=environment.protects(part, name),
        # A table that a failed creation leaves behind would be in the way of the next attempt.
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        if environment.keep_data
        else RemovalPolicy.DESTROY,
        **options,
    )
