"""The roles with which GitHub Actions deploys, one for each environment: an app of its own, deployed once by hand.

    .venv/bin/python -m local.cdk deploy --app ".venv/bin/python -m infra.github_stack" -c repository=OWNER/NAME

A job of the GitHub environment `staging` may take the role for `staging`, and nobody else. The role deploys through
the roles of `cdk bootstrap`; its own rights are those of the checks before a deployment.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.toolchain import use_bundled_node

use_bundled_node()

from aws_cdk import App, Aws, CfnOutput, DefaultStackSynthesizer, Duration, Stack, Tags, Validations  # noqa: E402
from aws_cdk import aws_iam as iam  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402
from constructs import Construct  # noqa: E402

from infra.app import feature_flags  # noqa: E402
from infra.environments import ENVIRONMENTS  # noqa: E402
from infra.nag import acknowledge  # noqa: E402
from infra.names import Names  # noqa: E402

STACK: Final = "ai-pipeline-github"
ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
SESSION: Final = Duration.hours(2)
"""How long the credentials of a deployment last: a first one takes up to half an hour, and its smoke test waits."""
BOOTSTRAP_ROLES: Final = ("deploy-role", "file-publishing-role", "lookup-role")
"""The roles of `cdk bootstrap` that the CDK CLI takes; the app has no images to publish."""
DEPLOYABLE: Final = tuple(name for name, environment in ENVIRONMENTS.items() if environment.engine is None)
_NAME: Final = r"[A-Za-z0-9._-]{1,100}"
_REPOSITORY: Final = re.compile(rf"(?P<owner>{_NAME})(@[0-9]+)?/(?P<name>{_NAME})(@[0-9]+)?")


class GithubOptionError(Exception):
    """An option `-c name=value` is missing or has an invalid value. The text says what to pass."""


@dataclass(frozen=True, kw_only=True)
class GithubOptions:
    """The options of this app.

    `repository` is spelled as in GitHub's tokens: `owner/name`, or `owner@1/name@2` with the numbers of both.
    """

    repository: str
    environments: tuple[str, ...] = ("staging", "prod")
    own_provider: bool = True
    """Whether the stack makes the account's OpenID provider for GitHub. An account has one at most."""


def read_options(context: Mapping[str, object]) -> GithubOptions:
    """Read the options `repository`, `environments` and `provider`. Raises GithubOptionError."""
    repository = str(context.get("repository") or "")
    parts = _REPOSITORY.fullmatch(repository)
    if not parts or (parts[2] is None) != (parts[4] is None) or {".", ".."} & {parts["owner"], parts["name"]}:
        raise GithubOptionError(
            f"`-c repository` must be OWNER/NAME or OWNER@NUMBER/NAME@NUMBER, as GitHub's tokens spell it, not "
            f"{repository!r}. `gh api repos/OWNER/NAME/actions/oidc/customization/sub` prints it as sub_claim_prefix."
        )
    environments = tuple(str(context.get("environments") or "staging,prod").split(","))
    if unknown := sorted(set(environments) - set(DEPLOYABLE)):
        raise GithubOptionError(
            f"`-c environments` names {', '.join(map(repr, unknown))}. List some of: {','.join(DEPLOYABLE)}."
        )
    provider = str(context.get("provider") or "new")
    if provider not in {"new", "existing"}:
        raise GithubOptionError(f"`-c provider` must be new or existing, not {provider!r}.")
    return GithubOptions(
        repository=repository,
        environments=tuple(dict.fromkeys(environments)),
        own_provider=provider == "new",
    )


@dataclass(frozen=True, kw_only=True)
class Right:
    """A statement of a role's policy. `why` says why a resource is a pattern."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str = ""
    conditions: Mapping[str, Any] | None = None


def rights(names: Names, qualifier: str) -> tuple[Right, ...]:
    """Return what a deployment of one environment does. `qualifier` is that of the account's bootstrap roles."""
    queues = _arn("sqs", f"{names.prefix}-*")
    executions = _arn("states", f"execution:{names.state_machine}:*")
    addresses = _arn("ssm", f"parameter{names.parameter('').rstrip('/')}")
    return (
        Right(
            sid="DeployAsBootstrapRoles",
            actions=("sts:AssumeRole",),
            resources=tuple(
                _arn("iam", f"role/cdk-{qualifier}-{role}-{Aws.ACCOUNT_ID}-{Aws.REGION}", region="")
                for role in BOOTSTRAP_ROLES
            ),
        ),
        Right(
            sid="ReadAddresses",
            actions=("ssm:GetParametersByPath",),
            resources=(addresses, f"{addresses}/*"),
            why="All addresses of one environment, which are read at once.",
        ),
        Right(
            sid="ReadMessagesInFlight",
            actions=("sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"),
            resources=(queues,),
            why="Every queue of one environment is read before a deployment; no message is deleted.",
        ),
        Right(
            sid="RememberMessagesRead",
            actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
            resources=(_arn("dynamodb", f"table/{names.operations_table}"),),
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["deploy-check#*"]}},
        ),
        Right(
            sid="ListExecutionsInFlight",
            actions=("states:ListExecutions",),
            resources=(_arn("states", f"stateMachine:{names.state_machine}"),),
        ),
        Right(
            sid="ReadExecutionsInFlight",
            actions=("states:DescribeStateMachineForExecution", "states:GetExecutionHistory"),
            resources=(executions,),
            why="The executions of one state machine, whose names are not known beforehand.",
        ),
        Right(
            sid="ReadRules",
            actions=("events:ListRules",),
            resources=("*",),
            why="AWS knows no resource for this action.",
        ),
    )


def _arn(service: str, resource: str, *, region: str = Aws.REGION) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{region}:{Aws.ACCOUNT_ID}:{resource}"


class GithubStack(Stack):
    """A role for each environment that GitHub Actions deploys to, and GitHub as an OpenID provider of the account."""

    def __init__(self, scope: Construct, *, chosen: GithubOptions) -> None:
        super().__init__(scope, STACK)
        if chosen.own_provider:
            provider = iam.CfnOIDCProvider(
                self, "Provider", url=f"https://{ISSUER}", client_id_list=[AUDIENCE]
            ).attr_arn
        else:
            provider = _arn("iam", f"oidc-provider/{ISSUER}", region="")
        for name in chosen.environments:
            self._role(name, provider, chosen.repository)

    def _role(self, environment: str, provider: str, repository: str) -> None:
        role = iam.Role(
            self,
            f"Role{environment.capitalize()}",
            description=f"Taken by GitHub Actions of {repository} to deploy the environment {environment}.",
            max_session_duration=SESSION,
            assumed_by=iam.WebIdentityPrincipal(
                provider,
                {
                    # Equal, not like: no pattern, so no branch, tag, pull request or other environment.
                    "StringEquals": {
                        f"{ISSUER}:aud": AUDIENCE,
                        f"{ISSUER}:sub": f"repo:{repository}:environment:{environment}",
                    }
                },
            ),
        )
        qualifier = self.node.try_get_context("@aws-cdk/core:bootstrapQualifier")
        for right in rights(Names(environment), str(qualifier or DefaultStackSynthesizer.DEFAULT_QUALIFIER)):
            role.add_to_policy(
                iam.PolicyStatement(
                    sid=right.sid,
                    actions=list(right.actions),
                    resources=list(right.resources),
                    conditions=right.conditions,
                )
            )
            for resource in right.resources:
                if "*" in resource:
                    acknowledge(role, f"AwsSolutions-IAM5[Resource::{_shown(resource)}]", right.why)
        CfnOutput(self, f"RoleArn{environment.capitalize()}", value=role.role_arn)


def _shown(resource: str) -> str:
    """Return a resource as cdk-nag prints it."""
    for value, name in ((Aws.PARTITION, "Partition"), (Aws.REGION, "Region"), (Aws.ACCOUNT_ID, "AccountId")):
        resource = resource.replace(value, f"<AWS::{name}>")
    return resource


def synthesise(chosen: GithubOptions, folder: Path) -> None:
    """Write the app's cloud assembly into `folder`. Raises RuntimeError if cdk-nag has findings."""
    _synthesise(App(outdir=str(folder), context=feature_flags()), chosen)


def _synthesise(app: App, chosen: GithubOptions) -> None:
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    Tags.of(GithubStack(app, chosen=chosen)).add("application", "ai-pipeline")
    app.synth()


def main() -> None:
    app = App()
    context = {name: app.node.try_get_context(name) for name in app.node.get_all_context()}
    _synthesise(app, read_options(context))


if __name__ == "__main__":
    try:
        main()
    except GithubOptionError as problem:
        sys.exit(f"error: {problem}")
