"""Each rule finds the mistake it is for, and the project's templates break no rule."""

import copy

import pytest

from infra.environments import ENVIRONMENTS
from infra.rules import broken_rules, resources

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


@pytest.mark.parametrize("name", ["dev", "prod", "local"])
def test_no_template_breaks_a_rule(synthesised, name):
    """The project's templates break no rule about encryption, TLS, authorisation or references between stacks."""
    assert broken_rules(synthesised(name), ENVIRONMENTS[name]) == []


def export(templates):
    templates["ai-pipeline-dev-platform"]["Outputs"] = {"Bus": {"Value": "x", "Export": {"Name": "bus"}}}


def open_the_api(templates):
    methods = resources(templates["ai-pipeline-dev-trigger"], "AWS::ApiGateway::Method").values()
    next(method for method in methods if method["HttpMethod"] == "POST")["AuthorizationType"] = "NONE"


def accept_plain_http(templates):
    template = templates["ai-pipeline-dev-enhancer"]
    template["Resources"] = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] != "AWS::SQS::QueuePolicy"
    }


@pytest.mark.parametrize(
    ("break_it", "finding"),
    [
        (export, "exports an output"),
        (open_the_api, "POST is authorised by NONE"),
        (accept_plain_http, "accepts calls without TLS"),
    ],
)
def test_a_broken_rule_is_found(synthesised, break_it, finding):
    """A mistake in a template is found by its rule."""
    templates = copy.deepcopy(dict(synthesised("dev")))
    break_it(templates)
    assert any(finding in problem for problem in broken_rules(templates, ENVIRONMENTS["dev"]))
