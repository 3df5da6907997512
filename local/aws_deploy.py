"""Deploys the CDK app to AWS, with the real CDK CLI and the user's own credentials."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.environments import UnknownEnvironmentError
from infra.option_kinds import OptionError
from infra.options import demanded, read_file
from infra.parts import OPTIONAL, PARTS
from local import cdk
from local.deploy import by_part, part_of, require_known, stack_name
from local.errors import AwsAccessError, BusyError, DeployError
from local.paths import STATE
from operations.deployment.changes import Changes, find_changes
from operations.deployment.removed import context_of_removed
from operations.deployment.stacks import (
    NEVER_CREATED,
    Stack,
    read_stacks,
    release,
    require_free_names,
    require_ready,
)
from operations.preflight.account import bootstrap_command
from operations.progress import Progress, silent, step
from operations.target import aws_target as operations_target


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
    except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: a setting that can't be read
        raise AwsAccessError(
            f"AWS can't be reached with your credentials: {error}. Sign in (for example: aws sso login) or choose a "
            "profile with AWS_PROFILE, then try again."
        ) from error
    require_account(env, str(caller["Account"]))
    return AwsTarget(
        env=env,
        account=str(caller["Account"]),
        region=str(session.region_name),
        caller=str(caller["Arn"]),
        stacks=tuple(stack_name(env, part) for part in ([service] if service else PARTS)),
        service=service,
        profile=profile,
    )


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A deployment that was synthesised and compared with what is deployed. Nothing has been changed so far."""

    goal: AwsTarget
    assembly: Path
    """The folder of the synthesised app. What is deployed is this app."""
    changes: Changes
    failed: tuple[Stack, ...]
    """Stacks that are left of a failed creation, without resources. They are deleted and created again."""
    first: Mapping[str, tuple[str, ...]]
    """What is created now and is to be protected from deletion once that has succeeded, by part: the part itself if
    its stack is new, else the new tables.
    """


@contextmanager
def exclusive(env: str) -> Iterator[None]:
    """Hold the environment's synthesised app, so that what was compared is what is deployed.

    Raises BusyError if another command in this checkout deploys the same environment.
    """
    # filelock is slow to import, and most commands lock nothing.
    from filelock import FileLock, Timeout  # noqa: PLC0415

    STATE.mkdir(parents=True, exist_ok=True)
    lock = FileLock(STATE / f"deploy-{env}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise BusyError(
            f"Nothing was deployed: another command in this folder is deploying {env}. Wait until it ends, or answer "
            "its question, then try again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def prepare(goal: AwsTarget, progress: Progress = silent) -> Prepared:
    """Synthesise the app and compare it with what is deployed.

    Raises NotDeployedError or RefusedError if the deployment can't begin, AwsAccessError and DeployError.
    """
    target = operations_target(goal.env, region=goal.region, profile=goal.profile)
    stacks = read_stacks(target)
    always = [part for part in PARTS if part not in OPTIONAL]
    require_ready(goal.env, [goal.service] if goal.service else always, stacks)
    assembly = _synthesise(goal, progress, "")
    templates, protected = cdk.templates(assembly), set(cdk.protected_stacks(assembly))
    by_name = {part_of(goal.env, name): template for name, template in templates.items()}
    require_ready(goal.env, by_name, stacks)  # also the optional parts, if they are deployed
    guarded = {part_of(goal.env, name) for name in protected}
    absent = [part for part in by_name if part not in stacks or stacks[part].status in NEVER_CREATED]
    require_free_names(target, {part: by_name[part] for part in absent})
    with step(progress, "compare", "comparing with what is deployed"):
        changes = find_changes(target, by_name, stacks, protected=guarded, alone=goal.service is not None)
    return Prepared(
        goal=goal,
        assembly=assembly,
        changes=changes,
        failed=tuple(stacks[part] for part in absent if part in stacks),
        first=_first(changes, by_name, guarded),
    )


def _first(
    changes: Changes, templates: Mapping[str, Mapping[str, Any]], guarded: Collection[str]
) -> Mapping[str, tuple[str, ...]]:
    first: dict[str, tuple[str, ...]] = {}
    for stack in changes.stacks:
        tables = _protected_tables(templates[stack.part])
        added = tuple(
            change.name for change in stack.resources if change.kind != "changed" and change.name in tables
        )
        if stack.status == "new" and (tables or stack.part in guarded):
            first[stack.part] = (stack.part,)
        elif stack.status == "changed" and added:
            first[stack.part] = added
    return first


def deploy_to_aws(prepared: Prepared, progress: Progress = silent) -> tuple[str, ...]:
    """Deploy to AWS what was prepared, and return the deployed parts.

    A stack that is created is protected from deletion only after that has succeeded: a protected one could not be
    deleted after a failure. Raises AwsAccessError, also if the credentials now belong to another account, and
    DeployError.
    """
    goal = prepared.goal
    now = aws_target(goal.env, goal.service, profile=goal.profile, region=goal.region)
    if now.account != goal.account:
        raise AwsAccessError(
            f"Nothing was deployed: your AWS credentials now lead to account {now.account}, not to "
            f"{goal.account}, which was confirmed. Check your profile, then start again."
        )
    if prepared.failed:
        target = operations_target(goal.env, region=goal.region, profile=goal.profile)
        for stack in prepared.failed:
            release(target, stack)  # the CDK CLI then deletes it
    unprotected = ",".join(name for names in prepared.first.values() for name in names)
    assembly = _synthesise(goal, progress, unprotected) if unprotected else prepared.assembly
    with step(progress, "deploy", f"deploying to account {goal.account} in {goal.region}"):
        _deploy(goal, assembly, goal.stacks if goal.service else (), progress)
    if prepared.first:
        with step(progress, "protect", f"protecting {', '.join(prepared.first)} from deletion"):
            try:
                _deploy(
                    goal, prepared.assembly, [stack_name(goal.env, part) for part in prepared.first], silent
                )
            except DeployError as error:
                raise DeployError(
                    f"{error}\nEverything is deployed, but not protected from deletion yet: "
                    f"{', '.join(prepared.first)}. The same command does that."
                ) from error
    names = goal.stacks if goal.service else cdk.stack_names(prepared.assembly)
    return tuple(part_of(goal.env, name) for name in names)


def _synthesise(goal: AwsTarget, progress: Progress, unprotected: str) -> Path:
    """Return the folder of the app, synthesised with the parts and tables in `unprotected` without protection."""
    folder = STATE / f"cdk.out-{goal.env}{'-first' if unprotected else ''}"
    context = {
        "env": goal.env,
        "region": goal.region,
        **({"only": goal.service} if goal.service else {}),
        **context_of_removed(operations_target(goal.env, region=goal.region, profile=goal.profile)),
        **({"unprotected": unprotected, "nag": "off"} if unprotected else {}),
    }
    arguments = ["synth", "--quiet", "--output", str(folder)]
    arguments += [word for name, value in context.items() for word in ("-c", f"{name}={value}")]
    why = " for a first deployment, without protection from deletion" if unprotected else ""
    with step(progress, "synth", f"synthesising the CDK app{why}"):
        _run(goal)([*arguments, *_profile(goal)])
    return folder


def _deploy(goal: AwsTarget, assembly: Path, stacks: Sequence[str], progress: Progress) -> None:
    """Deploy these stacks of a synthesised app alone, or all if none is named."""
    selection = [*stacks, "--exclusively"] if stacks else ["--all"]
    # The caller has confirmed account and stacks, and the CLI has no terminal on which to ask again.
    arguments = ["deploy", *selection, "--app", str(assembly), "--require-approval", "never", *_profile(goal)]
    try:
        _run(goal)(arguments, by_part(goal.env, progress))
    except DeployError as error:
        if "bootstrap" in str(error):
            qualifier = demanded(goal.env, goal.region).bootstrap_qualifier
            raise DeployError(
                f"{error}\nIf this account and region have no CDK bootstrap stack yet, create it: "
                f"{bootstrap_command(goal.account, goal.region, qualifier)}"
            ) from error
        raise


def _run(goal: AwsTarget) -> cdk.Run:
    return cdk.Run(
        environment={**os.environ, "AWS_REGION": goal.region, "AWS_DEFAULT_REGION": goal.region},
        log=STATE / f"deploy-{goal.env}.log",
    )


def _profile(goal: AwsTarget) -> list[str]:
    return ["--profile", goal.profile] if goal.profile else []


def _protected_tables(template: Mapping[str, Any]) -> set[str]:
    return {
        resource["Properties"]["TableName"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::GlobalTable"
        and any(replica.get("DeletionProtectionEnabled") for replica in resource["Properties"]["Replicas"])
    }


def require_account(env: str, account: str) -> None:
    """Raise AwsAccessError if the environment's file allows another account only, DeployError if it is invalid."""
    try:
        allowed = read_file(env).account
    except (OptionError, UnknownEnvironmentError) as error:
        raise DeployError(str(error)) from error
    if allowed not in (None, account):
        raise AwsAccessError(
            f"Your AWS credentials lead to account {account}, but environments/{env}.toml allows account "
            f"{allowed} only. Choose the profile of that account, or correct the file."
        )
