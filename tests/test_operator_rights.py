"""The operators' policy grants what the reading commands call; a new call in `operations` is noticed."""

import ast
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name

from infra.operator_rights import READS

ROOT = Path(__file__).resolve().parents[1]
OTHERS = {"tests", "smoke", "preflight", "deployment"}
"""The folders whose calls need the rights of those who deploy."""
PREFIXES = {"stepfunctions": "states"}
"""The services whose actions have another prefix in IAM than botocore's name of the service."""
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sts:GetCallerIdentity": None,  # needs no right
}
"""The operations that need another right than one of their own name."""
ACTING = {
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "events:PutEvents",
    "lambda:InvokeFunction",
    "sqs:DeleteMessage",
    "sqs:SendMessage",
    "states:RedriveExecution",
    "states:SendTaskHeartbeat",
    "states:StartExecution",
}
"""What commands need that change something, or plan a change: submit, cancel, replay, redrive, archive, budget."""
DEPLOYING = {"events:ListRules", "states:DescribeStateMachineForExecution"}
"""What only `deploy-check` needs, which also notes what it has read."""


@cache
def operations_of(service: str) -> dict[str, str]:
    """Return the operations of a service by the name of the client's method, as actions of IAM."""
    prefix = PREFIXES.get(service, service)
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): f"{prefix}:{name}" for name in model.operation_names}


def called() -> set[str]:
    """Return the actions for every call of AWS in the source of `operations`."""
    files = [path for path in (ROOT / "operations").rglob("*.py") if OTHERS.isdisjoint(path.parts)]
    trees = [ast.parse(path.read_text("utf-8")) for path in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    services = sorted(words & set(botocore.session.get_session().get_available_services()))
    methods = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:  # methods that are named by a text
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in ("get_paginator", "_pages", "ask"):
                methods |= {
                    argument.value
                    for argument in node.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                }
    known = {method: action for service in services for method, action in operations_of(service).items()}
    actions = {known[method] for method in methods & known.keys()}
    return {right for action in actions if (right := ACTIONS.get(action, action))}


def test_every_call_of_aws_is_a_right_of_operators_or_of_those_who_act():
    """Each call in `operations` is a right of the operators' policy, or listed here as needed by others only."""
    reading = {action for actions in READS.values() for action in actions}
    assert reading.isdisjoint(ACTING | DEPLOYING)
    assert called() == reading | ACTING | DEPLOYING
