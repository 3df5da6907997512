"""Chooses the credentials with which a stack is deployed."""

from aws_cdk import CliCredentialsStackSynthesizer, DefaultStackSynthesizer, IStackSynthesizer

from infra.environments import Environment


def synthesizer(environment: Environment) -> IStackSynthesizer:
    """Return a synthesizer for one stack, which uses the roles of `cdk bootstrap` or the caller's credentials."""
    return DefaultStackSynthesizer() if environment.bootstrap_roles else CliCredentialsStackSynthesizer()
