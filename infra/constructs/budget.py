"""The daily budget: a guard that runs once a minute and may pause and resume the starter."""

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
from infra.parts import TRIGGER
from shared.budget import INDEX, KEY

EVERY = Duration.minutes(1)
"""How often the guard runs: EventBridge's shortest interval."""


class Budget(Construct):
    """The guard, its table and its schedule.

    They must be in the stack of `mapping`, which feeds the starter, so that the guard's right can name only
    that mapping.
    """

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
        # The table need not outlive its stack: the guard computes the day's cost again from the records.
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
            rule_name=names.rule(TRIGGER, "budget"),
            schedule=events.Schedule.rate(EVERY),
            # A late invocation is not needed: the next one catches up.
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
