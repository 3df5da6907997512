"""The rights of people who watch over the pipeline: what the reading commands of `pipeline` call, and no more."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.nag import acknowledge
from infra.names import Names

READS: Final[Mapping[str, tuple[str, ...]]] = {
    "ReadAddresses": ("ssm:GetParametersByPath",),
    "ReadRecords": ("dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Scan"),
    "ReadTheAudit": ("dynamodb:Query", "dynamodb:Scan"),
    "ReadTheBudget": ("dynamodb:GetItem",),
    "ReadRuns": (
        "states:DescribeExecution",
        "states:DescribeStateMachine",
        "states:GetExecutionHistory",
        "states:ListExecutions",
    ),
    "ReadLogs": ("logs:FilterLogEvents",),
    "ReadQueues": ("sqs:GetQueueAttributes", "sqs:GetQueueUrl"),
    # `dlq list` receives parked messages and then makes them visible again; it removes none.
    "ReadParkedMessages": ("sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"),
    "ReadFunctions": ("lambda:GetFunctionConfiguration",),
    "ReadRules": ("events:DescribeRule", "events:ListTargetsByRule"),
    "ReadStacks": ("cloudformation:GetTemplate",),
    "ReadAlarms": ("cloudwatch:DescribeAlarms",),
    # IAM cannot limit these to a resource.
    "ReadTheAccount": ("lambda:GetAccountSettings", "lambda:ListEventSourceMappings"),
}
"""The actions of each statement, by its Sid."""


class OperatorPolicy(Construct):
    """The managed policy `policy`, which reads everything of one environment, messages and answers included."""

    def __init__(self, scope: Construct, *, names: Names) -> None:
        super().__init__(scope, "Operator")
        resources = _resources(Stack.of(self), names)
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=f"{names.prefix}-operator",
            # Must not change: CloudFormation would have to replace the policy, and cannot because it has a name.
            description="May read everything of the pipeline, and may change nothing.",
            statements=[
                iam.PolicyStatement(sid=sid, actions=list(actions), resources=resources[sid])
                for sid, actions in READS.items()
            ],
        )
        for arn in {arn for arns in resources.values() for arn in arns if "*" in arn}:
            acknowledge(
                self.policy,
                f"AwsSolutions-IAM5[Resource::{_shown(arn, Stack.of(self))}]",
                "An operator reads all resources of the environment; IAM cannot limit alarms, mappings and settings.",
            )


def _resources(stack: Stack, names: Names) -> dict[str, list[str]]:
    """Return the resources of each statement, by its Sid."""

    def arn(service: str, resource: str, name: str, separator: ArnFormat) -> str:
        return stack.format_arn(service=service, resource=resource, resource_name=name, arn_format=separator)

    slash, colon = ArnFormat.SLASH_RESOURCE_NAME, ArnFormat.COLON_RESOURCE_NAME
    own = f"{names.prefix}-*"
    queues = stack.format_arn(service="sqs", resource=own)
    root = names.parameter("").strip("/")
    machine = names.state_machine_arn(stack)
    return {
        "ReadAddresses": [arn("ssm", "parameter", path, slash) for path in (root, f"{root}/*")],
        "ReadRecords": [names.table_arn(stack)],
        "ReadTheAudit": [arn("dynamodb", "table", names.operations_table, slash)],
        "ReadTheBudget": [arn("dynamodb", "table", names.budget_table, slash)],
        "ReadRuns": [machine, names.executions_arn(stack)],
        "ReadLogs": [arn("logs", "log-group", f"/aws/lambda/{own}", colon)],
        "ReadQueues": [queues],
        "ReadParkedMessages": [f"{queues}-dlq"],
        "ReadFunctions": [arn("lambda", "function", own, colon)],
        "ReadRules": [arn("events", "rule", path, slash) for path in (own, f"{names.bus}/{own}")],
        "ReadStacks": [arn("cloudformation", "stack", f"{own}/*", slash)],
        "ReadAlarms": [arn("cloudwatch", "alarm", "*", colon)],
        "ReadTheAccount": ["*"],
    }


def _shown(arn: str, stack: Stack) -> str:
    """Return an ARN as cdk-nag writes it, with pseudo parameters in angle brackets."""
    for token, name in (
        (stack.partition, "Partition"),
        (stack.region, "Region"),
        (stack.account, "AccountId"),
    ):
        arn = arn.replace(token, f"<AWS::{name}>")
    return arn
