"""The role with which GitHub Actions runs the smoke test has every right that the smoke test needs."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.names import Names
from infra.toolchain import use_bundled_node
from operations.smoke.steps import STEPS, smoke
from operations.smoke.trial import Trial
from operations.tests.smoke_world import API_RUN, NAME, Client, replace
from operations.tests.world import client, finish
from shared.contracts.stages import SERVICES
from shared.records import Records

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

PREFIXES = {"stepfunctions": "states"}
"""Services whose actions have another prefix than botocore's name of the service."""
DECIDED = {"EvaluationResults": [{"EvalDecision": "implicitDeny"}]}
ROLE = {"Role": "arn:aws:iam::1:role/chatbot", "Environment": {"Variables": {}}}
ALARM = {"AlarmName": "a", "ActionsEnabled": True, "AlarmActions": ["topic"], "StateValue": "OK"}
POLICY = {"ResourceType": "AWS::IAM::ManagedPolicy", "PhysicalResourceId": "arn:aws:iam::1:policy/publisher"}


def action(service: str, operation: str) -> str:
    """Return the right that a call needs; `operation` is spelt as in the API, or as a client's method.

    A call for a batch of messages needs the right for one.
    """
    name = re.sub(r"(?:^|_)([a-z])", lambda match: match[1].upper(), operation)
    return f"{PREFIXES.get(service, service)}:{name.removesuffix('Batch')}"


def stopped(executionArn: str) -> dict[str, Any]:
    name = executionArn.rpartition(":")[2]
    return {"name": name, "status": "ABORTED", "startDate": datetime.now(UTC), "redriveStatus": "REDRIVABLE"}


def test_every_call_of_the_smoke_test_is_allowed(trial: Trial, monkeypatch: pytest.MonkeyPatch):
    """Every AWS operation that any step calls is an action of the role, in DynamoDB on the very table."""
    use_bundled_node()
    from infra.github_rights import deploying, trying  # noqa: PLC0415 -- starts Node

    called: set[str] = set()
    target, records = trial.target, Records(client("dynamodb"), trial.target.addresses.table_name)
    finish(records, API_RUN, cost={"nano_usd": 1})
    finish(records, f"{NAME}-bus", cost={"nano_usd": 1})
    finish(records, f"{NAME}-stopped-1", status="FAILED", execution_status="ABORTED")
    for service in SERVICES:
        client("sqs").send_message(QueueUrl=target.addresses.dlq_url(service), MessageBody="of others")

    tables: set[tuple[str, str]] = set()

    def note(model: Any, params: Any, **_more: Any) -> None:
        called.add(right := action(str(model.service_model.service_name), model.name))
        if right.startswith("dynamodb:"):
            tables.add((right, json.loads(params["body"])["TableName"]))

    for name in ("dynamodb", "events", "sqs"):
        client(name).meta.events.register(f"before-call.{name}", note, unique_id="rights")
    fakes = {
        "stepfunctions": Client(
            stop_execution={},
            describe_execution=stopped,
            redrive_execution={},
            describe_state_machine={"roleArn": "arn:aws:iam::1:role/workflow"},
        ),
        "iam": Client(
            get_policy={"Policy": {"DefaultVersionId": "v1"}},
            get_policy_version={"PolicyVersion": {"Document": {"Action": "events:PutEvents"}}},
            simulate_custom_policy=DECIDED,
            simulate_principal_policy=DECIDED,
        ),
        "lambda": Client(get_function_configuration=ROLE),
        "cloudformation": Client(describe_stack_resources={"StackResources": [POLICY]}),
        "cloudwatch": Client(
            describe_alarms={"MetricAlarms": [ALARM]},
            set_alarm_state={},
            describe_alarm_history={"AlarmHistoryItems": []},
        ),
        "sns": Client(list_subscriptions_by_topic={"Subscriptions": []}),
    }
    for name, fake in fakes.items():
        replace(target, name, fake)
    try:
        assert len(list(smoke(trial))) == len(STEPS) + 1
    finally:
        for name in ("dynamodb", "events", "sqs"):
            client(name).meta.events.unregister(f"before-call.{name}", unique_id="rights")
    for name, fake in fakes.items():
        assert {operation for operation, _ in fake.calls} == fake._operations.keys()
        called |= {action(name, operation) for operation, _ in fake.calls}
    rights = (*deploying(Names("dev"), "q"), *trying(Names("dev")))
    assert called - {allowed for right in rights for allowed in right.actions} == set()
    on_tables = {
        (allowed, resource.rpartition("/")[2])
        for right in rights
        for allowed in right.actions
        for resource in right.resources
    }
    assert {
        (right, table.replace("PipelineLogs", "PipelineLogs-dev")) for right, table in tables
    } <= on_tables
    assert called >= {"events:PutRule", "sqs:ChangeMessageVisibility", "dynamodb:UpdateItem"}
