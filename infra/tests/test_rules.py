"""Each rule finds the mistake it is for, and the project's templates break no rule."""

import copy

import pytest

from infra.environments import ENVIRONMENTS
from infra.rules import broken_rules, resources

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


@pytest.mark.parametrize("name", ["dev", "prod", "local"])
def test_no_template_breaks_a_rule(synthesised, name):
    """The project's templates break no rule about encryption, TLS, authorisation or references between
    stacks, and none about logs that are kept for ever.
    """
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


def keep_logs_for_ever(templates):
    next(iter(resources(templates["ai-pipeline-dev-workflow"], "AWS::Logs::LogGroup").values())).pop(
        "RetentionInDays"
    )


def log_somewhere(templates):
    for function in resources(templates["ai-pipeline-dev-analyzer"], "AWS::Lambda::Function").values():
        del function["LoggingConfig"]


def log_the_api_somewhere(templates):
    """Remove the group of the API's execution log, which API Gateway then creates itself."""
    template = templates["ai-pipeline-dev-trigger"]
    (group,) = [name for name in template["Resources"] if "ExecutionLogs" in name]
    del template["Resources"][group]


def add_the_execution_log_too_late(templates):
    """Let the stage be created before the group of its execution log."""
    deployed = templates["ai-pipeline-dev-trigger"]["Resources"]
    (stage,) = [resource for resource in deployed.values() if resource["Type"] == "AWS::ApiGateway::Stage"]
    stage["DependsOn"] = [name for name in stage["DependsOn"] if "ExecutionLogs" not in name]


@pytest.mark.parametrize(
    ("break_it", "finding"),
    [
        (export, "exports an output"),
        (open_the_api, "POST is authorised by NONE"),
        (accept_plain_http, "accepts calls without TLS"),
        (keep_logs_for_ever, "keeps its lines for ever"),
        (log_somewhere, "writes into a log group that is not in its stack"),
        (log_the_api_somewhere, "writes into a log group that is not in its stack"),
        (add_the_execution_log_too_late, "writes into a log group that is not in its stack"),
    ],
)
def test_a_broken_rule_is_found(synthesised, break_it, finding):
    """A mistake in a template is found by its rule."""
    templates = copy.deepcopy(dict(synthesised("dev")))
    break_it(templates)
    assert any(finding in problem for problem in broken_rules(templates, ENVIRONMENTS["dev"]))
