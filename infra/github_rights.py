"""The rights of the roles with which GitHub Actions deploys: what a deployment does besides taking bootstrap roles.

A deployment reads what is in flight and what is deployed. The smoke test makes runs, stops one, and hears the bus.
Neither deletes a stack: a deployment from GitHub says which stages' stacks are left, and a person deletes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import Aws

from infra.environments import API_STAGE
from infra.names import Names
from shared.contracts.stages import EVERY
from shared.waiting import OPEN_INDEX

BOOTSTRAP_ROLES: Final = ("deploy-role", "file-publishing-role", "lookup-role")
"""The roles of `cdk bootstrap` that the CDK CLI takes; the app has no images to publish."""
PREFLIGHT: Final = (
    "account:GetRegionOptStatus",
    "bedrock:GetFoundationModel",
    "bedrock:GetFoundationModelAvailability",
    "bedrock:GetInferenceProfile",
    "iam:GetPolicy",
    "lambda:GetAccountSettings",
    "lambda:GetFunctionConfiguration",
    "servicequotas:GetServiceQuota",
    "servicequotas:ListServiceQuotas",
)
"""What preflight asks about an account, besides its CDK bootstrap; it asks a model only on request."""
NO_RESOURCE: Final = "AWS knows no resource for this action."


@dataclass(frozen=True, kw_only=True)
class Right:
    """A statement of a role's policy. `why` says why a resource is a pattern."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str = ""
    conditions: Mapping[str, Any] | None = None


def deploying(names: Names, qualifier: str) -> tuple[Right, ...]:
    """Return what a deployment of one environment does. `qualifier` is that of the account's bootstrap roles."""
    addresses = _arn("ssm", f"parameter{names.parameter('').rstrip('/')}")
    stacks = _arn("cloudformation", f"stack/{names.stack('*')}")
    return (
        Right(
            sid="DeployAsBootstrapRoles",
            actions=("sts:AssumeRole",),
            resources=tuple(
                _arn("iam", f"role/cdk-{qualifier}-{role}-{Aws.ACCOUNT_ID}-{Aws.REGION}", region="")
                for role in BOOTSTRAP_ROLES
            ),
        ),
        Right(
            sid="ReadAddresses",
            actions=("ssm:GetParametersByPath",),
            resources=(addresses, f"{addresses}/*"),
            why="All addresses of one environment, which are read at once.",
        ),
        Right(
            sid="ReadMessagesInFlight",
            actions=("sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"),
            resources=(_arn("sqs", names.queue("*")),),
            why="Every queue of one environment is read before a deployment; no message is deleted.",
        ),
        Right(
            sid="RememberMessagesRead",
            actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
            resources=(_arn("dynamodb", f"table/{names.operations_table}"),),
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["deploy-check#*"]}},
        ),
        Right(
            sid="ListExecutionsInFlight",
            actions=("states:DescribeStateMachine", "states:ListExecutions"),
            resources=(_machine(names),),
        ),
        Right(
            sid="ReadExecutionsInFlight",
            actions=("states:DescribeStateMachineForExecution", "states:GetExecutionHistory"),
            resources=(_executions(names),),
            why="The executions of one state machine, whose names are not known beforehand.",
        ),
        Right(sid="ReadRules", actions=("events:ListRules",), resources=("*",), why=NO_RESOURCE),
        Right(
            sid="CompareStacks",
            actions=(
                "cloudformation:DescribeStacks",
                "cloudformation:GetTemplate",
                "cloudformation:ListStackResources",
            ),
            resources=(f"{stacks}/*",),
            why="The stacks of one environment; an id that is not known beforehand ends a stack's ARN.",
        ),
        Right(
            sid="CheckTheAccount",
            actions=PREFLIGHT,
            resources=("*",),
            why="Facts about the account and the region, and models of which AWS may be asked by any name.",
        ),
        Right(
            sid="ReadTheRoleForLogs",
            actions=("apigateway:GET",),
            resources=(f"arn:{Aws.PARTITION}:apigateway:{Aws.REGION}::/account",),
        ),
        Right(
            sid="ReadTheBootstrap",
            actions=("ssm:GetParameter", "cloudformation:DescribeStacks"),
            resources=(
                _arn("ssm", f"parameter/cdk-bootstrap/{qualifier}/version"),
                _arn("cloudformation", "stack/CDKToolkit/*"),
            ),
            why="An id that is not known beforehand ends a stack's ARN.",
        ),
        Right(
            # The index has neither task tokens nor answers. A count of all items would need the right to read them.
            sid="CountWaitingAnswers",
            actions=("dynamodb:Query",),
            resources=(_arn("dynamodb", f"table/{names.approvals_table}/index/{OPEN_INDEX}"),),
        ),
        Right(
            sid="LookUpTables",
            actions=("dynamodb:DescribeTable",),
            resources=tuple(_arn("dynamodb", f"table/{table}") for table in names.tables),
        ),
    )


def trying(names: Names) -> tuple[Right, ...]:
    """Return what the smoke test of one environment does, besides what a deployment does."""
    bus = _arn("events", f"event-bus/{names.bus}")
    subscriber = f"{names.prefix}-smoke-*"
    api = _arn("execute-api", f"*/{API_STAGE}")
    return (
        Right(
            sid="SubmitRuns",
            actions=("execute-api:Invoke",),
            resources=(f"{api}/POST/pipeline", f"{api}/GET/pipeline/*"),
            why="Submitting and reading runs; the API's id is not known beforehand.",
        ),
        Right(sid="PublishEvents", actions=("events:PutEvents", "events:DescribeEventBus"), resources=(bus,)),
        Right(
            sid="ListenToTheBus",
            actions=("events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule"),
            resources=(_arn("events", f"rule/{names.bus}/{subscriber}"),),
            why="Temporary rules of the smoke test, by their prefix.",
        ),
        Right(
            sid="KeepWhatIsHeard",
            actions=("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:DeleteQueue", "sqs:DeleteMessage"),
            resources=(_arn("sqs", subscriber),),
            why="Temporary queues of the smoke test, by their prefix.",
        ),
        Right(sid="FindQueues", actions=("sqs:ListQueues",), resources=(_arn("sqs", "*"),), why=NO_RESOURCE),
        Right(
            sid="SendInvalidEvents",
            actions=("sqs:SendMessage",),
            resources=tuple(
                _arn("sqs", names.queue(stage.service)) for stage in EVERY if stage.via == "queue"
            ),
        ),
        Right(
            sid="DeleteInvalidEvents",
            actions=("sqs:DeleteMessage",),
            resources=(_arn("sqs", names.dlq("*")),),
            why="Every service of one environment parks the event that it rejected.",
        ),
        Right(
            sid="ReadRecords",
            actions=("dynamodb:GetItem",),
            resources=tuple(
                _arn("dynamodb", f"table/{table}") for table in (names.table, names.budget_table)
            ),
        ),
        Right(
            sid="ReopenRecords",
            actions=("dynamodb:UpdateItem",),
            resources=(_arn("dynamodb", f"table/{names.table}"),),
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["smoke-*"]}},
        ),
        Right(
            sid="StopAndRedriveRuns",
            actions=("states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"),
            resources=(_executions(names),),
            why="The executions of one state machine, whose names are not known beforehand.",
        ),
        Right(
            sid="ReadFunctions",
            actions=("lambda:GetFunctionConfiguration",),
            resources=(_arn("lambda", f"function:{names.function('*')}"),),
            why="Every function of one environment is read for its role.",
        ),
        Right(
            sid="ReadPolicies",
            actions=("iam:GetPolicy", "iam:GetPolicyVersion"),
            resources=(_arn("iam", f"policy/{names.prefix}-*", region=""),),
            why="The managed policies of one environment.",
        ),
        Right(
            sid="FindPolicies",
            actions=("cloudformation:DescribeStackResources",),
            resources=(_arn("cloudformation", f"stack/{names.stack('platform')}/*"),),
            why="An id that is not known beforehand ends the stack's ARN.",
        ),
        Right(
            sid="SimulateRoles",
            actions=("iam:SimulatePrincipalPolicy",),
            resources=(_arn("iam", f"role/{names.prefix}-*", region=""),),
            why="The roles of one environment, whose names end with a hash.",
        ),
        Right(
            sid="SimulatePolicies", actions=("iam:SimulateCustomPolicy",), resources=("*",), why=NO_RESOURCE
        ),
        Right(
            sid="ReadAlarms",
            actions=("cloudwatch:DescribeAlarms",),
            resources=(_arn("cloudwatch", "alarm:*"),),
            why="Alarms are listed by a prefix, which needs the right on all of them.",
        ),
        Right(
            sid="SetAlarms",
            actions=("cloudwatch:SetAlarmState", "cloudwatch:DescribeAlarmHistory"),
            resources=(_arn("cloudwatch", f"alarm:{names.alarm('*')}"),),
            why="An alarm of one environment; which one depends on their states.",
        ),
        Right(
            sid="ReadSubscribers",
            actions=("sns:ListSubscriptionsByTopic",),
            resources=(_arn("sns", names.alarm_topic),),
        ),
    )


def _machine(names: Names) -> str:
    return _arn("states", f"stateMachine:{names.state_machine}")


def _executions(names: Names) -> str:
    return _arn("states", f"execution:{names.state_machine}:*")


def _arn(service: str, resource: str, *, region: str = Aws.REGION) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{region}:{Aws.ACCOUNT_ID}:{resource}"


def shown(resource: str) -> str:
    """Return a resource as cdk-nag prints it."""
    for value, name in ((Aws.PARTITION, "Partition"), (Aws.REGION, "Region"), (Aws.ACCOUNT_ID, "AccountId")):
        resource = resource.replace(value, f"<AWS::{name}>")
    return resource
