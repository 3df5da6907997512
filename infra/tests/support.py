"""Helpers that several tests of alarms and templates share."""

import re

from infra.rules import resources, statements

ALARM = "AWS::CloudWatch::Alarm"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub forms them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


NOVA = "amazon.nova-lite-v1:0"
BEDROCK = "arn:aws:bedrock:us-east-1:111122223333"
APPLICATION = f"{BEDROCK}:application-inference-profile/abc123def456"
"""Models as an option may name them."""


def allowed(template, action):
    """Return the only statement of a template that allows an action."""
    (allowing,) = [statement for statement in statements(template) if action in statement["Action"]]
    return allowing


def policy(template, name):
    """Return the statements of a managed policy."""
    (document,) = [
        policy["PolicyDocument"]
        for policy in resources(template, "AWS::IAM::ManagedPolicy").values()
        if policy["ManagedPolicyName"]["Fn::Join"] == ["", [f"{name}-", {"Ref": "AWS::Region"}]]
    ]
    return document["Statement"]


def variables(template, function):
    for properties in resources(template, "AWS::Lambda::Function").values():
        if properties["FunctionName"] == function:
            return properties["Environment"]["Variables"]
    raise AssertionError(f"no function {function}")
