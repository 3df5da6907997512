"""The cost of real runs: records agree with what the engine did, and `pipeline cost` agrees with the records."""

import json
import uuid
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from local import targets
from local.targets import local_target
from operations.money.costs import read_ledger
from operations.target import Target
from shared.dynamodb import from_item
from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import complete, deliver_twice, history

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

TRANSITION = 25_000
"""Nano-dollars."""


@pytest.fixture
def target(pipeline: Deployment) -> Target:
    return local_target(pipeline.connection)


def question() -> str:
    return f"Question {uuid.uuid4().hex}?"


def records(target: Target) -> list[dict[str, Any]]:
    """Return every complete record of the table."""
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=target.addresses.table_name)
    return [
        {name: from_item(value) for name, value in item.items()} for page in pages for item in page["Items"]
    ]


def record(target: Target, pipeline_id: str) -> dict[str, Any]:
    (found,) = (found for found in records(target) if found["pipeline_id"] == pipeline_id)
    return found


def transitions(pipeline: Deployment, found: dict[str, Any]) -> int:
    """Count an execution's transitions in its history: its start, each state entered, each further attempt."""
    events = history(pipeline, found["execution_arn"])
    tries = events.count("TaskScheduled") - events.count("TaskStateEntered")
    return 1 + events.count("TaskStateEntered") + tries


def test_a_run_says_what_it_cost(pipeline: Deployment, target: Target):
    """The record of a run through the API has its cost for each hop, and names the one price that is unknown."""
    accepted = pipeline.call("POST", "/pipeline", {"user_message": question()})
    pipeline_id = accepted.body["pipeline_id"]
    assert complete(pipeline.finished(pipeline_id))
    found = record(target, pipeline_id)
    cost = found["cost"]
    assert cost["services"]["Step Functions"] == transitions(pipeline, found) * TRANSITION == 5 * TRANSITION
    assert cost["services"]["API Gateway"] == 3_500
    assert cost["services"]["EventBridge"] == 5 * 1_000
    assert cost["nano_usd"] == sum(cost["services"].values()) == sum(cost["stages"].values())
    assert (cost["waste_nano_usd"], cost["unmetered"]) == (0, [])
    assert cost["unknown"] == [f"tokens of {found['chat']['model_id']} in us-east-1"]
    assert "Model" not in cost["services"]
    assert read_ledger(target, pipeline_id).ledger.summary() == cost
    meter = found["stages"]["chat"]
    assert (meter["memory_mb"], meter["batch"]) == (128, 1)
    assert meter["output_tokens"] > 0


def test_failed_tries_are_in_the_cost_as_waste(pipeline: Deployment, target: Target):
    """The cost of a retried run has as many transitions as its history, with the retries as waste."""
    with pipeline.denied("chatbot", "dynamodb:PutItem"):
        (event_id,) = pipeline.publish({"data": {"user_message": question()}})
        arn = f"{pipeline.addresses['state-machine/arn'].replace('stateMachine', 'execution')}:{event_id}"
        eventually(lambda: "TaskFailed" in history(pipeline, arn))
    assert complete(pipeline.finished(event_id))
    found = record(target, event_id)
    retries = found["stages"]["chat"]["attempt"]
    assert retries >= 1
    assert found["cost"]["services"]["Step Functions"] == transitions(pipeline, found) * TRANSITION
    assert found["cost"]["waste_nano_usd"] >= retries * TRANSITION
    assert "API Gateway" not in found["cost"]["services"]


def test_the_report_agrees_with_the_records(pipeline: Deployment, target: Target, monkeypatch):
    """`pipeline cost --json` is the sum over all records: answered, degraded, failed, stored by the workflow."""
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: target)
    ids = pipeline.publish(*({"data": {"user_message": question()}} for _ in range(5)))
    assert all(complete(pipeline.finished(event_id)) for event_id in ids)
    with pipeline.stopped("enhancer") as queue:
        ids += pipeline.publish({"data": {"user_message": question()}})
        deliver_twice(pipeline, queue)
    assert pipeline.finished(ids[-1])["degraded"] == ["enhancement"]
    with pipeline.denied("logger", "dynamodb:*"):
        ids += pipeline.publish({"data": {"user_message": question()}})
        assert pipeline.finished(ids[-1])["degraded"] == ["log"]
    with pipeline.stopped("chatbot") as queue:
        ids += pipeline.publish({"data": {"user_message": question()}})
        deliver_twice(pipeline, queue)
    assert pipeline.finished(ids[-1])["status"] == "FAILED"
    for service in ("enhancer", "logger", "chatbot"):
        eventually(partial(pipeline.parked, service))

    told = json.loads(CliRunner().invoke(cli, ["cost", "--json"]).stdout)

    found = {found["pipeline_id"]: found for found in records(target)}
    stored = sum(found["cost"]["nano_usd"] for found in found.values() if "cost" in found)
    bare = [pipeline_id for pipeline_id, found in found.items() if "cost" not in found]
    counted = sum(read_ledger(target, pipeline_id).ledger.total or 0 for pipeline_id in bare)
    assert ids[-2] in bare
    assert told["all"]["nano_usd"] == stored + counted
    assert told["not_recorded"] == len(bare)
    assert told["all"]["runs"] == told["read"] == len(found)
    assert told["all"]["failed"] >= 1
    assert sum(row["nano_usd"] for row in told["rows"]) == told["all"]["nano_usd"]
    tokens = sum(it.get("stages", {}).get("chat", {}).get("output_tokens", 0) for it in found.values())
    assert sum(missing["output_tokens"] for missing in told["unknown"]) >= tokens > 0
    degraded = found[ids[-3]]
    assert degraded["cost"]["waste_nano_usd"] >= degraded["cost"]["stages"]["enhancement"] > TRANSITION
