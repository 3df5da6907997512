"""cdk-nag: acknowledging a finding always takes its reason, next to the construct it is about."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Accepts one finding, named in full, on `construct` and what is below it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))
