"""The rules find what they are for, and the project's templates break none of them."""

import copy
from dataclasses import replace

import pytest

from infra.environments import ENVIRONMENTS
from infra.rules import broken_rules, resources

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


@pytest.mark.parametrize("name", ["dev", "prod", "local"])
def test_no_template_breaks_a_rule(synthesised, name):
    """Queues, clocks, rights, methods and rules are as the design says, in what CloudFormation gets."""
    assert broken_rules(synthesised(name), ENVIRONMENTS[name]) == []


def first(template, kind):
    return next(iter(resources(template, kind).values()))


def export(templates):
    templates["ai-pipeline-dev-platform"]["Outputs"] = {"Bus": {"Value": "x", "Export": {"Name": "bus"}}}


def shorten_visibility(templates):
    for queue in resources(templates["ai-pipeline-dev-analyzer"], "AWS::SQS::Queue").values():
        if "VisibilityTimeout" in queue:
            queue["VisibilityTimeout"] = 60


def lengthen_visibility(templates):
    for queue in resources(templates["ai-pipeline-dev-analyzer"], "AWS::SQS::Queue").values():
        if "VisibilityTimeout" in queue:
            queue["VisibilityTimeout"] = 600


def allow_everything(templates):
    policy = first(templates["ai-pipeline-dev-chatbot"], "AWS::IAM::Policy")
    policy["PolicyDocument"]["Statement"].append(
        {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    )


def publish_anything(templates):
    policy = first(templates["ai-pipeline-dev-workflow"], "AWS::IAM::Policy")
    for statement in policy["PolicyDocument"]["Statement"]:
        statement.pop("Condition", None)


def open_the_api(templates):
    methods = resources(templates["ai-pipeline-dev-trigger"], "AWS::ApiGateway::Method").values()
    next(method for method in methods if method["HttpMethod"] == "POST")["AuthorizationType"] = "NONE"


def drop_a_dlq(templates):
    first(templates["ai-pipeline-dev-logger"], "AWS::Events::Rule")["Targets"][0].pop("DeadLetterConfig")


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
        (shorten_visibility, "visibility 60 s is below 180 s"),
        (lengthen_visibility, "AnalyzeInput times out after 960 s, its message lives 3000 s"),
        (allow_everything, "allows bedrock:InvokeModel on everything"),
        (publish_anything, "may publish any event"),
        (open_the_api, "POST is authorised by NONE"),
        (drop_a_dlq, "loses events it can't deliver"),
        (accept_plain_http, "takes calls without TLS"),
    ],
)
def test_a_broken_rule_is_found(synthesised, break_it, finding):
    """Each rule notices the mistake it is there for."""
    templates = copy.deepcopy(dict(synthesised("dev")))
    break_it(templates)
    assert any(finding in problem for problem in broken_rules(templates, ENVIRONMENTS["dev"]))


def test_callbacks_on_everything_are_the_engines_alone(synthesised):
    """What is allowed on the local engine because of its IAM is not allowed on AWS."""
    aws_like = replace(ENVIRONMENTS["local"], iam=ENVIRONMENTS["dev"].iam)
    assert any("SendTask" in problem for problem in broken_rules(synthesised("local"), aws_like))
