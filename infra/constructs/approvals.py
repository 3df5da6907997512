"""The table of the runs that wait for a person, and the rights on it."""

from collections.abc import Iterator

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.constructs.data_table import data_table
from infra.constructs.service_function import ServiceFunction
from infra.environments import Environment
from infra.nag import acknowledge
from infra.names import Names
from shared.waiting import EXPIRES, LISTED, OPEN_INDEX


class Approvals(Construct):
    """The table `table`, its SSM parameter, and the policy of those who decide with the command or the console.

    The items hold task tokens: nobody else may read the table.
    """

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, "Approvals")
        names = Names(environment.name)
        stack = Stack.of(self)
        self._environment = environment
        self.table = data_table(
            self,
            "Table",
            name=names.approvals_table,
            key="pipeline_id",
            expires=EXPIRES,
            environment=environment,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=OPEN_INDEX,
                    partition_key=dynamodb.Attribute(name="open", type=dynamodb.AttributeType.STRING),
                    sort_key=dynamodb.Attribute(name="asked_at", type=dynamodb.AttributeType.STRING),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=list(LISTED),
                )
            ],
        )
        for path, value in (
            ("approvals/table", names.approvals_table),
            ("approvals/rejected-text", environment.approval_rejected_text),
        ):
            ssm.StringParameter(self, path, parameter_name=names.parameter(path), string_value=value)
        self.approvers = iam.ManagedPolicy(
            self,
            "Approvers",
            managed_policy_name=names.approver_policy(stack.region),
            # Must not change: CloudFormation would have to replace the policy, and cannot because it has a name.
            description="May decide on answers that wait for approval.",
            statements=list(self._rights(names, stack)),
        )
        if not environment.iam.callbacks_by_machine:
            acknowledge(
                self.approvers,
                "AwsSolutions-IAM5[Resource::*]",
                "This environment's IAM checks callbacks on every resource only.",
            )

    def _rights(self, names: Names, stack: Stack) -> Iterator[iam.PolicyStatement]:
        root = f"ai-pipeline/{self._environment.name}"
        machine = names.state_machine_arn(stack) if self._environment.iam.callbacks_by_machine else "*"
        for sid, actions, resources in (
            ("ReadAndDecide", ["dynamodb:GetItem", "dynamodb:UpdateItem"], [self._arn]),
            ("List", ["dynamodb:Query"], [f"{self._arn}/index/{OPEN_INDEX}"]),
            ("AnswerTasks", ["states:SendTaskSuccess"], [machine]),
            (
                "FindTheDeployment",
                ["ssm:GetParametersByPath"],
                [
                    stack.format_arn(service="ssm", resource="parameter", resource_name=f"{root}{slash}")
                    for slash in ("", "/")
                ],
            ),
        ):
            yield iam.PolicyStatement(sid=sid, actions=actions, resources=resources)

    @property
    def _arn(self) -> str:
        names = Names(self._environment.name)
        return Stack.of(self).format_arn(
            service="dynamodb", resource="table", resource_name=names.approvals_table
        )

    def let_decide(self, function: ServiceFunction) -> None:
        """Let a function hold runs and take decisions, by the environment's deadline and policy."""
        environment = self._environment
        function.set(
            {
                "APPROVALS_TABLE": Names(environment.name).approvals_table,
                "APPROVAL_SECONDS": str(environment.approval_hours * 3_600),
                "AT_DEADLINE": environment.approval_at_deadline,
                "REMINDER_SECONDS": str(environment.approval_reminder_hours * 3_600),
                "REJECTED_TEXT": environment.approval_rejected_text,
            }
        )
        function.allow(
            "HoldRunsAndDecide",
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            [self._arn],
        )
        function.allow("ListWaitingRuns", ["dynamodb:Query"], [f"{self._arn}/index/{OPEN_INDEX}"])


def let_api_decide(function: ServiceFunction, environment: Environment) -> None:
    """Let the API's function read waiting answers and send the decisions on them."""
    names, stack = Names(environment.name), Stack.of(function)
    table = stack.format_arn(service="dynamodb", resource="table", resource_name=names.approvals_table)
    function.set(
        {"APPROVALS_TABLE": names.approvals_table, "REJECTED_TEXT": environment.approval_rejected_text}
    )
    function.allow("ReadAndDecide", ["dynamodb:GetItem", "dynamodb:UpdateItem"], [table])
    function.allow("ListWaitingRuns", ["dynamodb:Query"], [f"{table}/index/{OPEN_INDEX}"])
    function.allow_callbacks()
