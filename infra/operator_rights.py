"""The rights of operators, who watch over the pipeline: what the reading commands of `pipeline` call, and no more."""

from collections.abc import Mapping
from typing import Final

BUDGET: Final = "ReadTheBudget"
"""The statement that only a deployment with a budget has."""
APPROVAL: Final = "ListWaitingAnswers"
"""The statement that only a deployment has in which people approve answers."""
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "ReadAddresses": ("ssm:GetParametersByPath",),
    "ReadRecords": ("dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Scan"),
    "ReadTheAudit": ("dynamodb:Query", "dynamodb:Scan"),
    BUDGET: ("dynamodb:GetItem",),
    # The index has neither task tokens nor whole texts.
    APPROVAL: ("dynamodb:Query",),
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
    "ReadRoles": (
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
    ),
    "ReadPolicies": ("iam:GetPolicyVersion", "iam:ListPolicyVersions"),
    "ReadAlarms": ("cloudwatch:DescribeAlarms",),
    # IAM cannot limit these to a resource.
    "ReadTheAccount": ("lambda:GetAccountSettings", "lambda:ListEventSourceMappings"),
}
"""The actions of each statement, by its Sid."""
BATCHES: Final = ("sqs:ChangeMessageVisibilityBatch",)
"""What the local engine's IAM expects in addition: there, a call in batches is an action of its own."""
