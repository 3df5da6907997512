"""The roles with which GitHub Actions deploys, one for each environment: an app of its own, deployed once by hand.

    .venv/bin/python -m local.cdk deploy --app ".venv/bin/python -m infra.github_stack" -c repository=OWNER/NAME

A job of the GitHub environment `staging` may take the role for `staging`, and nobody else. The role deploys through
the roles of `cdk bootstrap`; its own rights are those of the checks before a deployment and of the smoke test.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.toolchain import use_bundled_node

use_bundled_node()

from aws_cdk import App, CfnOutput, DefaultStackSynthesizer, Duration, Stack, Tags, Validations  # noqa: E402
from aws_cdk import aws_iam as iam  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402
from constructs import Construct  # noqa: E402

from infra.app import feature_flags  # noqa: E402
from infra.environments import DEFAULT_REGION, ENVIRONMENTS, Environment  # noqa: E402
from infra.github_rights import deploying, shown, trying  # noqa: E402
from infra.nag import acknowledge  # noqa: E402
from infra.names import Names  # noqa: E402
from infra.option_kinds import OptionError  # noqa: E402
from infra.options import demanded  # noqa: E402
from infra.synthesizer import bind  # noqa: E402

STACK: Final = "ai-pipeline-github"
ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
SESSION: Final = Duration.hours(2)
"""How long the credentials of a deployment last: a first one takes up to half an hour, and its smoke test waits."""
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
    smoke: tuple[str, ...] = ("staging",)
    """The environments that the smoke test may make runs in."""
    region: str = DEFAULT_REGION
    """The region that the roles deploy to."""
    own_provider: bool = True
    """Whether the stack makes the account's OpenID provider for GitHub. An account has one at most."""


def read_options(context: Mapping[str, object]) -> GithubOptions:
    """Read the options `repository`, `environments`, `smoke` and `provider`. Raises GithubOptionError."""
    repository = str(context.get("repository") or "")
    parts = _REPOSITORY.fullmatch(repository)
    if not parts or (parts[2] is None) != (parts[4] is None) or {".", ".."} & {parts["owner"], parts["name"]}:
        raise GithubOptionError(
            f"`-c repository` must be OWNER/NAME or OWNER@NUMBER/NAME@NUMBER, as GitHub's tokens spell it, not "
            f"{repository!r}. `gh api repos/OWNER/NAME/actions/oidc/customization/sub` prints it as sub_claim_prefix."
        )
    environments = _environments("environments", context, GithubOptions.environments)
    provider = str(context.get("provider") or "new")
    if provider not in {"new", "existing"}:
        raise GithubOptionError(f"`-c provider` must be new or existing, not {provider!r}.")
    return GithubOptions(
        repository=repository,
        environments=environments,
        smoke=_environments("smoke", context, GithubOptions.smoke),
        region=str(context.get("region") or os.environ.get("CDK_DEFAULT_REGION") or DEFAULT_REGION),
        own_provider=provider == "new",
    )


def _environments(option: str, context: Mapping[str, object], default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the environments that an option lists, each once."""
    listed = dict.fromkeys(str(context.get(option) or ",".join(default)).split(","))
    if unknown := sorted(set(listed) - set(DEPLOYABLE)):
        raise GithubOptionError(
            f"`-c {option}` names {', '.join(map(repr, unknown))}. List some of: {','.join(DEPLOYABLE)}."
        )
    return tuple(listed)


class GithubStack(Stack):
    """A role for each environment that GitHub Actions deploys to, and GitHub as an OpenID provider of the account."""

    def __init__(self, scope: Construct, *, chosen: GithubOptions) -> None:
        demands = {name: demanded(name, chosen.region) for name in chosen.environments}
        qualifier, *others = {demand.bootstrap_qualifier for demand in demands.values()}
        if others:
            raise GithubOptionError(
                f"The files of {', '.join(demands)} have different options bootstrap_qualifier, but one stack has "
                "one. Deploy the roles of each with `-c environments` of its own."
            )
        super().__init__(scope, STACK, synthesizer=DefaultStackSynthesizer(qualifier=qualifier))
        if chosen.own_provider:
            provider = iam.CfnOIDCProvider(
                self, "Provider", url=f"https://{ISSUER}", client_id_list=[AUDIENCE]
            ).attr_arn
        else:
            provider = self.format_arn(
                service="iam", region="", resource="oidc-provider", resource_name=ISSUER
            )
        for name in chosen.environments:
            self._role(name, provider, chosen, demands[name])

    def _role(self, environment: str, provider: str, chosen: GithubOptions, demands: Environment) -> None:
        repository = chosen.repository
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
        bind(role, demands.permissions_boundary)
        names = Names(environment)
        rights = deploying(names, demands.bootstrap_qualifier)
        for right in (*rights, *(trying(names) if environment in chosen.smoke else ())):
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
                    acknowledge(role, f"AwsSolutions-IAM5[Resource::{shown(resource)}]", right.why)
        CfnOutput(self, f"RoleArn{environment.capitalize()}", value=role.role_arn)


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
    except (GithubOptionError, OptionError) as problem:
        sys.exit(f"error: {problem}")
