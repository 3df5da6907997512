"""A budget per day: a guard that looks once a minute, and may stop and start what feeds the starter."""

from dataclasses import replace
from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.constructs.data_table import data_table
from infra.constructs.service_function import ServiceFunction
from infra.environments import Environment
from infra.functions import GUARD
from infra.names import Names
from shared.budget import INDEX, KEY

EVERY = Duration.minutes(1)
"""EventBridge's shortest."""


class Budget(Construct):
    """In the stack of the mapping it switches: so the guard has a right to this one alone."""

    def __init__(
        self,
        scope: Construct,
        *,
        environment: Environment,
        bundle: Path,
        mapping: sources.SqsEventSource,
        usd_per_day: float,
    ) -> None:
        super().__init__(scope, "Budget")
        names = Names(environment.name)
        # Nothing in it is lost for good: the day's sum is read again from the records.
        table = data_table(
            self,
            "Table",
            name=names.budget_table,
            key=KEY,
            environment=replace(environment, keep_data=False),
        )
        guard = ServiceFunction(
            self,
            spec=GUARD,
            bundle=bundle,
            environment=environment,
            variables={
                "TABLE_NAME": names.table,
                "BUDGET_TABLE": table.table_name,
                "MAPPING_ID": mapping.event_source_mapping_id,
                "USD_PER_DAY": str(usd_per_day),
            },
        )
        guard.allow("ReadTheDay", ["dynamodb:Query"], [f"{names.table_arn(Stack.of(self))}/index/{INDEX}"])
        guard.allow("KeepItsState", ["dynamodb:GetItem", "dynamodb:PutItem"], [table.table_arn])
        guard.allow(
            "SwitchTheStarter",
            [environment.iam.read_mapping_action, "lambda:UpdateEventSourceMapping"],
            [mapping.event_source_mapping_arn],
        )
        events.Rule(
            self,
            "EveryMinute",
            rule_name=names.rule("trigger", "budget"),
            schedule=events.Schedule.rate(EVERY),
            # A look that is late is worth nothing: the next one makes it good.
            targets=[targets.LambdaFunction(guard.function, max_event_age=EVERY, retry_attempts=0)],
        )
        for path, value in (
            ("table", table.table_name),
            ("guard", guard.function.function_name),
            ("usd-per-day", str(usd_per_day)),
        ):
            ssm.StringParameter(
                self, path, parameter_name=names.parameter(f"budget/{path}"), string_value=value
            )
