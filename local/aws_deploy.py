"""Deploys the CDK app to AWS, with the real CDK CLI and the user's own credentials."""

import os
from dataclasses import dataclass

from infra.environments import UnknownEnvironmentError
from infra.options import OptionError, read_file
from infra.parts import PARTS
from local import cdk
from local.deploy import by_part, part_of, require_known, stack_name
from local.errors import AwsAccessError, DeployError
from local.paths import STATE
from operations.progress import Progress, silent, step


@dataclass(frozen=True, kw_only=True)
class AwsTarget:
    """The account, region and stacks of a deployment to AWS. Show them and ask before calling `deploy_to_aws`."""

    env: str
    account: str
    region: str
    caller: str
    """The ARN of the caller's identity."""
    stacks: tuple[str, ...]
    """Names of the stacks, e.g. `ai-pipeline-dev-analyzer`; without a `service`, those of all parts."""
    service: str | None = None
    profile: str | None = None


def aws_target(
    env: str, service: str | None = None, *, profile: str | None = None, region: str | None = None
) -> AwsTarget:
    """Return the account and region of the user's AWS credentials. Raises AwsAccessError, UnknownServiceError."""
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    require_known(service)
    if url := os.environ.get("AWS_ENDPOINT_URL"):
        raise AwsAccessError(
            f"AWS_ENDPOINT_URL is set to {url}, so this command would not reach AWS. Unset it, then try again."
        )
    try:
        # boto3 itself reads AWS_DEFAULT_REGION alone; the AWS CLI and the CDK prefer AWS_REGION.
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
        if not session.region_name:
            raise AwsAccessError(
                "No AWS region is chosen. Set AWS_REGION, or set a region in your AWS profile, then try again."
            )
        caller = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise AwsAccessError(
            f"AWS can't be reached with your credentials: {error}. Sign in (for example: aws sso login) or choose a "
            "profile with AWS_PROFILE, then try again."
        ) from error
    account = _only_account(env)
    if account not in (None, caller["Account"]):
        raise AwsAccessError(
            f"Your AWS credentials lead to account {caller['Account']}, but environments/{env}.toml allows account "
            f"{account} only. Choose the profile of that account, or correct the file."
        )
    return AwsTarget(
        env=env,
        account=str(caller["Account"]),
        region=str(session.region_name),
        caller=str(caller["Arn"]),
        stacks=tuple(stack_name(env, part) for part in ([service] if service else PARTS)),
        service=service,
        profile=profile,
    )


def deploy_to_aws(target: AwsTarget, progress: Progress = silent) -> tuple[str, ...]:
    """Deploy to AWS and return the deployed parts.

    Raises AwsAccessError, also if the credentials now belong to another account, and DeployError.
    """
    now = aws_target(target.env, target.service, profile=target.profile, region=target.region)
    if now.account != target.account:
        raise AwsAccessError(
            f"Nothing was deployed: your AWS credentials now lead to account {now.account}, not to "
            f"{target.account}, which was confirmed. Check your profile, then start again."
        )
    only = ["-c", f"only={target.service}", "--exclusively"] if target.service else []
    selection = [*target.stacks, *only] if target.service else ["--all"]
    assembly = STATE / f"cdk.out-{target.env}"
    run = cdk.Run(
        environment={**os.environ, "AWS_REGION": target.region, "AWS_DEFAULT_REGION": target.region},
        log=STATE / f"deploy-{target.env}.log",
    )
    arguments = ["deploy", *selection, "-c", f"env={target.env}", "--output", str(assembly)]
    # The caller has confirmed account and stacks, and the CLI has no terminal on which to ask again.
    arguments += ["--require-approval", "never"]
    arguments += ["--profile", target.profile] if target.profile else []
    with step(progress, "deploy", f"deploying to account {target.account} in {target.region}"):
        try:
            run(arguments, by_part(target.env, progress))
        except DeployError as error:
            if "bootstrap" in str(error):
                raise DeployError(
                    f"{error}\nIf this account and region have no CDK bootstrap stack yet, create it: "
                    f".venv/bin/python -m local.cdk bootstrap aws://{target.account}/{target.region}"
                ) from error
            raise
    names = target.stacks if target.service else cdk.stack_names(assembly)
    return tuple(part_of(target.env, name) for name in names)


def _only_account(env: str) -> str | None:
    try:
        return read_file(env).account
    except (OptionError, UnknownEnvironmentError) as error:
        raise DeployError(str(error)) from error
