"""Helpers with which faults are planted in a copy of the templates."""

import json

from infra.rules import resources

ENV = "dev"


def stack(templates, part):
    return templates[f"ai-pipeline-{ENV}-{part}"]


def only(templates, part, kind, **having):
    """Return the only resource of this type in a stack that has these properties."""
    (resource,) = [
        properties
        for properties in resources(stack(templates, part), kind).values()
        if all(properties.get(key) == value for key, value in having.items())
    ]
    return resource


def queue(templates, part, suffix=""):
    return only(templates, part, "AWS::SQS::Queue", QueueName=f"ai-pipeline-{ENV}-{part}{suffix}")


def mapping(templates, part):
    return only(templates, part, "AWS::Lambda::EventSourceMapping")


def rule(templates, part):
    return only(templates, part, "AWS::Events::Rule", Name=f"ai-pipeline-{ENV}-{part}-requests")


def function(templates, part, name=None):
    return only(templates, part, "AWS::Lambda::Function", FunctionName=f"ai-pipeline-{ENV}-{name or part}")


def statement(templates, part, sid):
    """Return a stack's first statement with this Sid."""
    allowed, *_ = [
        allowed
        for policy in resources(stack(templates, part), "AWS::IAM::Policy").values()
        for allowed in policy["PolicyDocument"]["Statement"]
        if allowed.get("Sid") == sid
    ]
    return allowed


def grant(templates, part, **more):
    (policy,) = resources(stack(templates, part), "AWS::IAM::Policy").values()
    policy["PolicyDocument"]["Statement"].append({"Effect": "Allow", "Sid": "Planted", **more})


def deny(templates, part, **more):
    grant(templates, part, **more, Effect="Deny")


def rewrite(templates, old, new):
    """Replace a text in the state machine's definition, which the template joins from pieces."""
    machine = only(templates, "workflow", "AWS::StepFunctions::StateMachine")
    before = json.dumps(machine["DefinitionString"])
    after = before.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1], 1)
    assert after != before
    machine["DefinitionString"] = json.loads(after)
