"""Acknowledges findings of cdk-nag, always with a reason and next to the construct that they concern."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

from infra.names import Names


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Acknowledge one finding, by its full id, on `construct` and the constructs in it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def acknowledge_executions(construct: IConstruct, names: Names) -> None:
    """Acknowledge a right on all executions of the state machine."""
    acknowledge(
        construct,
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:"
        f"{names.state_machine}:*]",
        "Only executions of this state machine, whose names are not known beforehand.",
    )
