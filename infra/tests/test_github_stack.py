"""Who may take the roles for GitHub Actions: one environment of one repository, and nobody else."""

import re

import pytest

from infra.doctor.references import resolved
from infra.rules import resources, statements
from infra.toolchain import use_bundled_node

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

ISSUER = "token.actions.githubusercontent.com"
REPOSITORY = "octo-org@123456/octo-repo@456789"
STAGING = f"repo:{REPOSITORY}:environment:staging"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function that returns the stack's template for `-c` options."""
    use_bundled_node()
    from infra.github_stack import STACK, read_options, synthesise  # noqa: PLC0415 -- starts Node
    from infra.synthesis import templates  # noqa: PLC0415

    def make(**context):
        folder = tmp_path_factory.mktemp("github")
        synthesise(read_options({"repository": REPOSITORY, **context}), folder)
        return templates(folder)[STACK]

    return make


@pytest.fixture(scope="module")
def template(made):
    return made()


def trust(template, environment):
    """Return the only statement of a role's trust policy."""
    (role,) = [
        properties
        for logical, kind, properties in resolved("github", template)
        if kind == "AWS::IAM::Role" and logical.startswith(f"Role{environment.capitalize()}")
    ]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    return statement


def accepts(statement, *, sub, aud="sts.amazonaws.com"):
    """Evaluate the statement on the claims of a token of GitHub, as IAM does: all keys of all conditions hold."""
    assert set(statement["Condition"]) == {"StringEquals"}  # the only operator this knows
    claims = {f"{ISSUER}:sub": sub, f"{ISSUER}:aud": aud}
    return all(claims.get(key) == value for key, value in statement["Condition"]["StringEquals"].items())


def test_a_job_of_the_environment_is_accepted(template):
    """A token of the repository's job in the GitHub environment takes that environment's role."""
    assert accepts(trust(template, "staging"), sub=STAGING)
    assert accepts(trust(template, "prod"), sub=STAGING.replace("staging", "prod"))
    assert trust(template, "prod")["Action"] == "sts:AssumeRoleWithWebIdentity"


@pytest.mark.parametrize(
    "sub",
    [
        "repo:octo-org@123456/other@1:environment:staging",
        "repo:someone@9/octo-repo@456789:environment:staging",
        "repo:octo-org@123456/octo-repo@7:environment:staging",  # the same name, taken again after a deletion
        "repo:octo-org/octo-repo:environment:staging",
        f"repo:{REPOSITORY}:environment:prod",
        f"repo:{REPOSITORY}:environment:staging-2",
        f"repo:{REPOSITORY}:environment:Staging",
        f"repo:{REPOSITORY}:pull_request",  # also a fork's
        f"repo:{REPOSITORY}:ref:refs/heads/main",
        f"repo:{REPOSITORY}:ref:refs/heads/environment:staging",
        f"x{STAGING}",
        "",
        None,
    ],
)
def test_any_other_token_is_refused(template, sub):
    """Another repository, a pull request, a branch or another environment does not take the role."""
    assert not accepts(trust(template, "staging"), sub=sub)


@pytest.mark.parametrize("aud", ["https://github.com/octo-org", "", None])
def test_a_token_for_another_audience_is_refused(template, aud):
    """A token that was not asked for AWS does not take the role."""
    assert not accepts(trust(template, "staging"), sub=STAGING, aud=aud)


def test_an_existing_provider_is_used(made):
    """With `-c provider=existing` the account's provider is trusted and none is made: an account has one at most."""
    own, existing = made(), made(provider="existing")
    assert len(resources(own, "AWS::IAM::OIDCProvider")) == 1
    assert not resources(existing, "AWS::IAM::OIDCProvider")
    assert trust(existing, "prod")["Principal"] == {
        "Federated": f"arn:aws:iam::account:oidc-provider/{ISSUER}"
    }


def test_a_role_takes_only_bootstrap_roles(template):
    """Each role takes the roles that `cdk bootstrap` made in its account and region, and no role by a pattern."""
    policies = [
        properties for _, kind, properties in resolved("github", template) if kind == "AWS::IAM::Policy"
    ]
    assert len(policies) == 2
    for policy in policies:
        (assuming,) = [
            statement
            for statement in policy["PolicyDocument"]["Statement"]
            if "sts:AssumeRole" in statement["Action"]
        ]
        assert assuming["Resource"] == [
            f"arn:aws:iam::account:role/cdk-hnb659fds-{role}-account-region"
            for role in ("deploy-role", "file-publishing-role", "lookup-role")
        ]
    assert not [s for s in statements(template) if any("*" in action for action in s["Action"])]


def test_what_the_account_demands_holds_for_the_roles(made, folder):
    """The roles carry the boundary of their environment's file, and take the bootstrap roles of its qualifier."""
    for name in ("staging", "prod"):
        (folder / f"{name}.toml").write_text('bootstrap_qualifier = "team"\npermissions_boundary = "Limit"\n')
    stack = made()
    boundaries = [role["PermissionsBoundary"] for role in resources(stack, "AWS::IAM::Role").values()]
    assert len(boundaries) == 2
    assert all(":policy/Limit" in str(boundary) for boundary in boundaries)
    assert "role/cdk-team-deploy-role-" in str(stack)
    assert "hnb659fds" not in str(stack)


def test_roles_of_different_bootstraps_are_refused(made, folder):
    """Environments with different qualifiers do not share a stack, which has one."""
    from infra.github_stack import GithubOptionError  # noqa: PLC0415 -- starts Node

    (folder / "staging.toml").write_text('bootstrap_qualifier = "team"\n')
    with pytest.raises(GithubOptionError, match="of its own"):
        made()
    assert "cdk-team-" in str(made(environments="staging"))


CHANGING = (
    "events:PutEvents",
    "events:PutRule",
    "sqs:SendMessage",
    "sqs:DeleteMessage",
    "states:StopExecution",
)


def granted(template, environment):
    """Return the actions that an environment's role may do."""
    (policy,) = [
        properties
        for logical, properties in resources(template, "AWS::IAM::Policy").items()
        if logical.startswith(f"Role{environment.capitalize()}")
    ]
    listed = [statement["Action"] for statement in policy["PolicyDocument"]["Statement"]]
    return {action for entry in listed for action in ([entry] if isinstance(entry, str) else entry)}


def test_only_where_the_smoke_test_runs_may_messages_be_sent(template, made):
    """A role sends, deletes and stops nothing unless `-c smoke` names its environment."""
    assert granted(template, "staging") >= set(CHANGING)
    assert not granted(template, "prod") & set(CHANGING)
    both = made(smoke="staging,prod")
    assert granted(both, "prod") == granted(both, "staging") == granted(template, "staging")


def test_no_role_deletes_a_deployment(made):
    """Roles read what a removed stage still needs, and delete no stack and no table: a person does that."""
    prod = granted(made(environments="prod", smoke="prod"), "prod")
    assert {"cloudformation:ListStackResources", "states:DescribeStateMachine", "dynamodb:Query"} <= prod
    assert not [
        action for action in prod if re.fullmatch(r"(cloudformation|dynamodb|lambda):Delete\w+", action)
    ]
    assert "cloudformation:UpdateTerminationProtection" not in prod


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({}, "sub_claim_prefix"),
        ({"repository": "octo-repo"}, "OWNER/NAME"),
        ({"repository": "octo-org/*"}, "OWNER/NAME"),
        ({"repository": "octo-org/octo-repo:environment:prod"}, "OWNER/NAME"),
        ({"repository": "octo-org@1/octo-repo"}, "OWNER@NUMBER/NAME@NUMBER"),
        ({"repository": "../octo-repo"}, "OWNER/NAME"),
        ({"repository": "octo-org/octo-repo\n"}, "OWNER/NAME"),
        ({"repository": "o/r", "environments": "staging,production"}, "'production'"),
        ({"repository": "o/r", "environments": "local"}, "'local'"),
        ({"repository": "o/r", "smoke": "local"}, "-c smoke"),
        ({"repository": "o/r", "provider": "mine"}, "new or existing"),
    ],
)
def test_an_invalid_option_is_refused(context, said):
    """An option that is missing or invalid is refused with what to pass instead."""
    use_bundled_node()
    from infra.github_stack import GithubOptionError, read_options  # noqa: PLC0415 -- starts Node

    with pytest.raises(GithubOptionError, match=said.replace("/", r"\/")):
        read_options(context)


def test_options_are_read():
    """Options default to staging and prod; environments are listed once, in the given order."""
    use_bundled_node()
    from infra.github_stack import GithubOptions, read_options  # noqa: PLC0415 -- starts Node

    assert read_options({"repository": "o/r"}) == GithubOptions(repository="o/r")
    chosen = read_options({"repository": REPOSITORY, "environments": "prod,dev,prod"})
    assert (chosen.repository, chosen.environments) == (REPOSITORY, ("prod", "dev"))
