"""What an account demands is met by options: its bootstrap, a permissions boundary, few concurrent executions."""

import json
import re

import pytest
from aws_cdk import App

from infra.app import QUALIFIER, build
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.option_kinds import OptionError
from infra.options import demanded, load
from infra.rules import resources

BOUNDARY = "team/Boundary"


def roles(templates):
    return [
        role for template in templates.values() for role in resources(template, "AWS::IAM::Role").values()
    ]


DEMANDS = {
    "bootstrap_qualifier": "team",
    "permissions_boundary": BOUNDARY,
    "api_account_role": "false",
    "approval": "true",
    "budget_usd_per_day": "5",
    # what environments/README.md says of an account with ten concurrent executions
    **{f"max_concurrency_{name}": "2" for name in ("starter", "analyzer", "enhancer", "approval", "logger")},
    "max_concurrency_chatbot": "4",
    "requests_per_second": "1",
    "max_waiting": "0",
}


@pytest.fixture
def strict(synthesised):
    """The templates of an account that demands all of it."""
    return synthesised("dev", **DEMANDS)


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_each_role_carries_the_boundary(strict):
    """Every role that a deployment makes has the boundary, because the account refuses others."""
    own = ["arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "AWS::AccountId"}, f":policy/{BOUNDARY}"]
    boundaries = [role.get("PermissionsBoundary") for role in roles(strict)]
    assert len(boundaries) > 8
    assert all(boundary == {"Fn::Join": ["", own]} for boundary in boundaries)


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_the_doctor_has_nothing_to_say(strict):
    """The parts fit together, and a boundary whose content only the account has is not called too narrow."""
    assert [
        finding for checked in examine(read(strict, load("dev", DEMANDS))) for finding in checked.findings
    ] == []


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_nothing_uses_another_bootstrap(strict):
    """Bucket, version and roles of the bootstrap are those of the account's qualifier."""
    text = json.dumps(strict)
    assert set(re.findall(r"cdk-([a-z0-9]+)-assets", text)) == {"team"}
    assert set(re.findall(r"/cdk-bootstrap/([a-z0-9]+)/version", text)) == {"team"}


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_the_role_for_the_logs_of_all_apis_is_left_alone(strict, synthesised):
    """Without `api_account_role`, a deployment makes no role for API Gateway and does not change the account's."""
    trigger = strict["ai-pipeline-dev-trigger"]
    assert not resources(trigger, "AWS::ApiGateway::Account")
    assert "apigateway.amazonaws.com" not in json.dumps(roles(strict))
    assert resources(synthesised("dev")["ai-pipeline-dev-trigger"], "AWS::ApiGateway::Account")


def test_a_boundary_may_be_an_arn():
    """A boundary may also be given as an ARN, and `off` takes a general one away for a region."""
    arn = "arn:aws-us-gov:iam::111122223333:policy/Boundary"
    assert load("dev", {"permissions_boundary": arn}).permissions_boundary == arn
    assert load("dev", {"permissions_boundary": "off"}).permissions_boundary is None


@pytest.mark.parametrize(
    "options",
    [
        {"bootstrap_qualifier": "much-too-long"},
        {"bootstrap_qualifier": "a/b"},
        {"permissions_boundary": "a boundary"},
        {"permissions_boundary": "arn:aws:iam::1:policy/Boundary"},
        {"api_account_role": "arn:aws:iam::111122223333:role/logs"},
        {"max_concurrency_chatbot": "1"},
        {"max_concurrency_chatbot": "1001"},
    ],
)
def test_a_wrong_demand_is_refused(options):
    """A value that AWS would refuse in the middle of a deployment is refused before it."""
    with pytest.raises(OptionError, match=next(iter(options))):
        load("dev", options)


def test_demands_hold_where_other_options_do_not_fit(folder):
    """What is deployed beside an environment follows its account's demands, whatever else the file says."""
    (folder / "dev.toml").write_text(
        'bootstrap_qualifier = "team"\nmax_tokens = 5\n[regions.eu-central-2]\npermissions_boundary = "Boundary"\n'
    )
    here = demanded("dev", "eu-central-2")
    assert (here.bootstrap_qualifier, here.permissions_boundary) == ("team", "Boundary")
    assert here.chatbot.max_tokens != 5
    assert demanded("dev", "us-east-1").permissions_boundary is None


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
@pytest.mark.parametrize(
    ("part", "option", "text"),
    [
        ("chatbot", "system_prompt", "é" * 1_800),
        ("trigger", "allowed_origin", f"https://{'x' * 4_000}.example"),
        ("approval", "approval_rejected_text", "🙂" * 1_000),
    ],
)
def test_settings_that_lambda_would_refuse_are_refused(synthesised, part, option, text):
    """Variables of a function beyond Lambda's 4 KB are refused before a deployment, and the largest is named."""
    named = option.removeprefix("approval_").upper()
    with pytest.raises(OptionError, match=rf"bytes, but Lambda allows 4,096\. The largest is {named}"):
        synthesised("dev", only=part, approval="true", **{option: text})


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_a_qualifier_in_the_context_is_refused():
    """The CDK's own setting of a qualifier, which would have no effect, leads to the option."""

    def add_platform(**options):
        build(App(context={QUALIFIER: "team"}), load("dev", options), {}, only="platform")

    with pytest.raises(OptionError, match=r'bootstrap_qualifier = "team" in environments/dev\.toml'):
        add_platform()
    add_platform(bootstrap_qualifier="team")
