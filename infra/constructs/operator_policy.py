"""The managed policy of operators, who watch over the pipeline."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.environments import Environment
from infra.nag import acknowledge
from infra.names import Names
from infra.operator_rights import APPROVAL, BATCHES, BUDGET, READS
from shared.waiting import OPEN_INDEX


class OperatorPolicy(Construct):
    """The managed policy `policy`, which reads everything of one environment, messages and answers included."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, "Operator")
        names = Names(environment.name)
        resources = (
            _resources(Stack.of(self), names)
            if environment.iam.operators_by_resource
            else {sid: ["*"] for sid in READS}
        )
        left_out = {
            *(() if environment.budget_usd_per_day else (BUDGET,)),
            *(() if environment.decides else (APPROVAL,)),
        }
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=names.operator_policy(Stack.of(self).region),
            # Must not change: CloudFormation would have to replace the policy, and cannot because it has a name.
            description="May read everything of the pipeline, and may change nothing.",
            statements=[
                iam.PolicyStatement(sid=sid, actions=list(actions), resources=resources[sid])
                for sid, actions in READS.items()
                if sid not in left_out
            ],
        )
        if not environment.iam.operators_by_resource:
            self.policy.add_statements(
                iam.PolicyStatement(sid="ReadInBatches", actions=list(BATCHES), resources=["*"])
            )
        for arn in dict.fromkeys(arn for arns in resources.values() for arn in arns if "*" in arn):
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
        BUDGET: [arn("dynamodb", "table", names.budget_table, slash)],
        APPROVAL: [arn("dynamodb", "table", f"{names.approvals_table}/index/{OPEN_INDEX}", slash)],
        "ReadRuns": [machine, names.executions_arn(stack)],
        "ReadLogs": [arn("logs", "log-group", f"/aws/lambda/{own}", colon)],
        "ReadQueues": [queues],
        "ReadParkedMessages": [f"{queues}-dlq"],
        "ReadFunctions": [arn("lambda", "function", own, colon)],
        "ReadRules": [arn("events", "rule", path, slash) for path in (own, f"{names.bus}/{own}")],
        "ReadStacks": [arn("cloudformation", "stack", f"{own}/*", slash)],
        "ReadRoles": [_iam(stack, f"role/{own}")],
        "ReadPolicies": [_iam(stack, "policy/*"), f"arn:{stack.partition}:iam::aws:policy/*"],
        "ReadAlarms": [arn("cloudwatch", "alarm", "*", colon)],
        "ReadTheAccount": ["*"],
    }


def _iam(stack: Stack, resource: str) -> str:
    """Return the ARN of what IAM has in all regions."""
    return stack.format_arn(service="iam", region="", resource=resource)


def _shown(arn: str, stack: Stack) -> str:
    """Return an ARN as cdk-nag writes it, with pseudo parameters in angle brackets."""
    for token, name in (
        (stack.partition, "Partition"),
        (stack.region, "Region"),
        (stack.account, "AccountId"),
    ):
        arn = arn.replace(token, f"<AWS::{name}>")
    return arn
