"""Chooses the credentials with which a stack is deployed, and the boundary of the roles that it makes."""

from aws_cdk import CliCredentialsStackSynthesizer, DefaultStackSynthesizer, IStackSynthesizer
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.environments import Environment


def synthesizer(environment: Environment) -> IStackSynthesizer:
    """Return a synthesizer for one stack, which uses the roles of `cdk bootstrap` or the caller's credentials."""
    if not environment.bootstrap_roles:
        return CliCredentialsStackSynthesizer()
    return DefaultStackSynthesizer(qualifier=environment.bootstrap_qualifier)


def bind(scope: Construct, boundary: str | None) -> None:
    """Give all roles in `scope` this permissions boundary, a managed policy's name or ARN, if there is one."""
    if boundary is None:
        return
    named = (
        iam.ManagedPolicy.from_managed_policy_arn
        if boundary.startswith("arn:")
        else iam.ManagedPolicy.from_managed_policy_name
    )
    iam.PermissionsBoundary.of(scope).apply(named(scope, "Boundary", boundary))
