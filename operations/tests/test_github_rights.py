"""The role for GitHub Actions (`infra/github_stack.py`) has the rights of the in-flight gate, and no others."""

import json
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.toolchain import use_bundled_node
from operations.inflight import looking
from operations.target import Target
from operations.tests.dead_letters import StepFunctions, park, url
from operations.tests.world import client
from shared.tests.fakes import stage_event

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

Call = tuple[str, str, Mapping[str, Any]]
"""An action of IAM, the resource, and the call's parameters."""

RESOURCES: Mapping[str, Callable[[str], str]] = {
    "QueueUrl": lambda url: f"arn:aws:sqs:region:account:{url.rpartition('/')[2]}",
    "TableName": lambda name: f"arn:aws:dynamodb:region:account:table/{name}",
    "Path": lambda path: f"arn:aws:ssm:region:account:parameter{path}",
    "stateMachineArn": lambda arn: f"arn:aws:states:region:account:{arn.split(':', 5)[5]}",
    "executionArn": lambda arn: f"arn:aws:states:region:account:{arn.split(':', 5)[5]}",
}
"""The resource of a call by the parameter that names it, as the policy names it."""


class Recorded:
    """A client that notes each call before it makes it."""

    def __init__(self, service: str, real: Any, calls: list[Call]) -> None:
        self._prefix = {"stepfunctions": "states"}.get(service, service)
        self._real = real
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._real, name)
        if name in {"meta", "exceptions"}:
            return attribute
        if name == "get_paginator":
            return lambda operation: SimpleNamespace(
                paginate=self._noting(operation, attribute(operation).paginate)
            )
        return self._noting(name, attribute)

    def _noting(self, operation: str, make: Callable[..., Any]) -> Callable[..., Any]:
        action = "".join(word.title() for word in operation.split("_")).removesuffix("Batch")

        def call(**parameters: Any) -> Any:
            resource = next(
                (RESOURCES[name](parameters[name]) for name in RESOURCES if name in parameters), "*"
            )
            self._calls.append((f"{self._prefix}:{action}", resource, parameters))
            return make(**parameters)

        return call


@pytest.fixture
def calls(target: Target, machine: StepFunctions, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The calls of a gate that finds a waiting message, a parked one and an open run."""
    machine.fail("p-1", status="RUNNING")
    monkeypatch.setattr(
        StepFunctions, "exceptions", type("_", (), {"ExecutionDoesNotExist": KeyError}), raising=False
    )
    definition = json.dumps(
        {"States": {"CallExistingChatbot": {"Parameters": {"Entries": [{"DetailType": "x"}]}}}}
    )
    answers = {
        "describe_state_machine_for_execution": {"definition": definition},
        "get_execution_history": {"events": []},
    }
    for name, answer in answers.items():
        monkeypatch.setattr(StepFunctions, name, lambda *_, answer=answer, **__: answer, raising=False)
    event = stage_event("chat.requested.v1", {"user_message": "Hi"}, token="t")
    client("sqs").send_message(QueueUrl=url("chatbot", ""), MessageBody=json.dumps(event))
    park("p-2")
    made: list[Call] = []
    real = target.client
    monkeypatch.setattr(target, "client", lambda service: Recorded(service, real(service), made))
    checks = [*looking.check(target), *looking.check(target)]  # the second one reads its memory
    assert {look.place for check in checks for look in check.looks if look.looked} == {
        "queue",
        "dlq",
        "execution",
    }
    return made


@pytest.fixture
def statements(tmp_path: Path) -> list[Mapping[str, Any]]:
    """The statements of the role's policy, with placeholders for region and account."""
    use_bundled_node()
    from infra.doctor.references import resolved  # noqa: PLC0415
    from infra.github_stack import STACK, GithubOptions, synthesise  # noqa: PLC0415 -- starts Node
    from infra.synthesis import templates  # noqa: PLC0415

    synthesise(GithubOptions(repository="owner/name", environments=("local",)), tmp_path / "out")
    resources = resolved(STACK, templates(tmp_path / "out")[STACK])
    (policy,) = [properties for _, kind, properties in resources if kind == "AWS::IAM::Policy"]
    return list(policy["PolicyDocument"]["Statement"])


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def allows(statement: Mapping[str, Any], call: Call) -> bool:
    action, resource, parameters = call
    keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
    key = (parameters.get("Key") or parameters.get("Item") or {}).get("pipeline_id", {}).get("S", "")
    return (
        action in listed(statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        and (keys is None or any(fnmatchcase(key, pattern) for pattern in keys))
    )


def test_the_gate_may_do_what_it_does(calls: list[Call], statements: list[Mapping[str, Any]]) -> None:
    """Each call of the in-flight gate is allowed to the role that deploys from GitHub Actions."""
    assert [call for call in calls if not any(allows(statement, call) for statement in statements)] == []


def test_the_role_may_do_nothing_else(calls: list[Call], statements: list[Mapping[str, Any]]) -> None:
    """The role has no right that the gate does not use, but to take bootstrap roles and look at what is deployed."""
    from infra.github_rights import PREFLIGHT  # noqa: PLC0415 -- starts Node

    granted = {action for statement in statements for action in listed(statement["Action"])}
    assert granted - {action for action, *_ in calls} == {
        "sts:AssumeRole",
        "apigateway:GET",
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplate",
        "cloudformation:ListStackResources",
        "dynamodb:DescribeTable",
        "dynamodb:Query",
        "ssm:GetParameter",
        "states:DescribeStateMachine",
        *PREFLIGHT,
    }


def test_the_role_may_ask_what_preflight_asks() -> None:
    """The role has exactly the rights for the calls in preflight's source, but not to ask a model, which costs."""
    from infra.github_rights import PREFLIGHT  # noqa: PLC0415 -- starts Node

    source = Path(__file__).resolve().parents[1] / "preflight"
    asked = {
        (service, operation)
        for path in source.glob("*.py")
        for service, operation in re.findall(
            r"""ask\(\s*[\w.]+,\s*"([\w-]+)",\s*"(\w+)\"""", path.read_text("utf-8")
        )
    }
    actions = {
        f"{service.replace('-', '')}:{''.join(word.title() for word in operation.split('_'))}"
        for service, operation in asked
    }
    assert actions - {"bedrockruntime:Converse"} == {
        *PREFLIGHT,
        "apigateway:GetAccount",  # IAM calls it apigateway:GET on /account
        "ssm:GetParameter",
        "cloudformation:DescribeStacks",
    }


def test_the_role_reads_and_deletes_no_message_of_others(statements: list[Mapping[str, Any]]) -> None:
    """The role may not delete a message, read another environment's queues, or write other items of the table."""
    queue = "arn:aws:sqs:region:account:ai-pipeline-{}-chatbot"
    table = "arn:aws:dynamodb:region:account:table/ai-pipeline-local-operations"
    refused: list[Call] = [
        ("sqs:DeleteMessage", queue.format("local"), {}),
        ("sqs:ReceiveMessage", queue.format("prod"), {}),
        ("dynamodb:PutItem", table, {"Item": {"pipeline_id": {"S": "p-1"}}}),
    ]
    assert [call for call in refused if any(allows(statement, call) for statement in statements)] == []
    allowed: Call = ("sqs:ReceiveMessage", queue.format("local"), {})
    assert any(allows(statement, allowed) for statement in statements)
