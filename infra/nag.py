"""cdk-nag: acknowledging a finding always takes its reason, next to the construct it is about."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

from infra.names import Names


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Accepts one finding, named in full, on `construct` and what is below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def acknowledge_executions(construct: IConstruct, names: Names) -> None:
    """For a right on the executions of the state machine."""
    acknowledge(
        construct,
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:"
        f"{names.state_machine}:*]",
        "Executions of this state machine alone; each has a name of its own.",
    )
