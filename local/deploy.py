"""Deploys the CDK app with the real CDK CLI: to the local engine, or to AWS with the user's own credentials."""

from dataclasses import dataclass

from local.engine import Engine, Running
from local.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class AwsTarget:
    """Where `deploy_to_aws` is about to go; show it and ask before calling."""

    env: str
    account: str
    region: str
    stacks: tuple[str, ...]
    """Names of the stacks, e.g. `ai-pipeline-dev-analyzer`; all of them if no service was named."""


def up(engine: Engine, progress: Progress = silent) -> Running:
    """Starts the engine and deploys all stacks to it; does nothing that is done already.

    Raises what Engine.start and deploy raise.
    """
    raise NotImplementedError


def deploy(engine: Engine, service: str | None = None, progress: Progress = silent) -> tuple[str, ...]:
    """Deploys all stacks, or one service's alone, to the running engine. Returns the parts that were deployed.

    Nothing is deployed (an empty tuple) if this very engine has these sources already. `service` is a part's name:
    a service, or `platform`, `workflow`, `monitoring`. Raises EngineNotRunningError, UnknownServiceError,
    DeployError, BusyError.
    """
    raise NotImplementedError


def aws_target(env: str, service: str | None = None) -> AwsTarget:
    """The account and region the user's own AWS credentials lead to. Raises AwsAccessError, UnknownServiceError."""
    raise NotImplementedError


def deploy_to_aws(target: AwsTarget, progress: Progress = silent) -> tuple[str, ...]:
    """Deploys to AWS. Refuses if the credentials now lead to another account. Returns the deployed parts.

    Raises AwsAccessError, DeployError.
    """
    raise NotImplementedError
