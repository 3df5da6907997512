"""Whose rights a stack is deployed with."""

from aws_cdk import CliCredentialsStackSynthesizer, DefaultStackSynthesizer, IStackSynthesizer

from infra.environments import Environment


def synthesizer(environment: Environment) -> IStackSynthesizer:
    """The roles `cdk bootstrap` made, or the caller's own credentials. A new one for every stack."""
    return DefaultStackSynthesizer() if environment.bootstrap_roles else CliCredentialsStackSynthesizer()
