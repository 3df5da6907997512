"""The cost of real runs: records agree with what the engine did, and `pipeline cost` agrees with the records."""

import json
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from local import targets
from local.targets import local_target
from operations.money.run_ledger import read_ledger
from operations.target import Target
from shared.dynamodb import from_item
from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import complete, history, kill_workers, question

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

TRANSITION = 25_000
"""Nano-dollars."""


@pytest.fixture
def target(pipeline: Deployment) -> Target:
    return local_target(pipeline.connection)


def records(target: Target) -> list[dict[str, Any]]:
    """Return every complete record of the table."""
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=target.addresses.table_name)
    return [
        {name: from_item(value) for name, value in item.items()} for page in pages for item in page["Items"]
    ]


def record(target: Target, pipeline_id: str) -> dict[str, Any]:
    (item,) = (item for item in records(target) if item["pipeline_id"] == pipeline_id)
    return item


def transitions(pipeline: Deployment, item: dict[str, Any]) -> int:
    """Count an execution's transitions in its history: its start, each state entered, each further attempt."""
    events = history(pipeline, item["execution_arn"])
    tries = events.count("TaskScheduled") - events.count("TaskStateEntered")
    return 1 + events.count("TaskStateEntered") + tries


def test_a_run_says_what_it_cost(pipeline: Deployment, target: Target):
    """The record of a run through the API has its cost for each hop, and names the one price that is unknown."""
    accepted = pipeline.call("POST", "/pipeline", {"user_message": question()})
    pipeline_id = accepted.body["pipeline_id"]
    assert complete(pipeline.finished(pipeline_id))
    stored = record(target, pipeline_id)
    cost = stored["cost"]
    assert cost["services"]["Step Functions"] == transitions(pipeline, stored) * TRANSITION == 5 * TRANSITION
    assert cost["services"]["API Gateway"] == 3_500
    assert cost["services"]["EventBridge"] == 5 * 1_000
    assert cost["nano_usd"] == sum(cost["services"].values()) == sum(cost["stages"].values())
    assert (cost["waste_nano_usd"], cost["unmetered"]) == (0, [])
    assert cost["unknown"] == [f"tokens of {stored['chat']['model_id']} in us-east-1"]
    assert "Model" not in cost["services"]
    assert read_ledger(target, pipeline_id).ledger.summary() == cost
    meter = stored["stages"]["chat"]
    assert (meter["memory_mb"], meter["batch"]) == (128, 1)
    assert meter["output_tokens"] > 0


def test_failed_tries_are_in_the_cost_as_waste(pipeline: Deployment, target: Target):
    """The cost of a retried run has as many transitions as its history, with the retries as waste."""
    with pipeline.denied("chatbot", "dynamodb:PutItem"):
        (event_id,) = pipeline.publish({"data": {"user_message": question()}})
        arn = f"{pipeline.addresses['state-machine/arn'].replace('stateMachine', 'execution')}:{event_id}"
        eventually(lambda: "TaskFailed" in history(pipeline, arn))
    assert complete(pipeline.finished(event_id))
    stored = record(target, event_id)
    retries = stored["stages"]["chat"]["attempt"]
    assert retries >= 1
    assert stored["cost"]["services"]["Step Functions"] == transitions(pipeline, stored) * TRANSITION
    assert stored["cost"]["waste_nano_usd"] >= retries * TRANSITION
    assert "API Gateway" not in stored["cost"]["services"]


def test_the_report_agrees_with_the_records(pipeline: Deployment, target: Target, monkeypatch):
    """`pipeline cost --json` is the sum over all records: answered, degraded, failed, stored by the workflow."""
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: target)
    ids = pipeline.publish(*({"data": {"user_message": question()}} for _ in range(5)))
    assert all(complete(pipeline.finished(event_id)) for event_id in ids)
    with pipeline.stopped("enhancer") as queue:
        ids += pipeline.publish({"data": {"user_message": question()}})
        kill_workers(pipeline, "enhancer", queue)
    assert pipeline.finished(ids[-1])["degraded"] == ["enhancement"]
    with pipeline.denied("logger", "dynamodb:*"):
        ids += pipeline.publish({"data": {"user_message": question()}})
        assert pipeline.finished(ids[-1])["degraded"] == ["log"]
    with pipeline.stopped("chatbot") as queue:
        ids += pipeline.publish({"data": {"user_message": question()}})
        kill_workers(pipeline, "chatbot", queue)
    assert pipeline.finished(ids[-1])["status"] == "FAILED"
    for service in ("enhancer", "logger", "chatbot"):
        eventually(partial(pipeline.parked, service))

    report = json.loads(CliRunner().invoke(cli, ["cost", "--json"]).stdout)

    items = {item["pipeline_id"]: item for item in records(target)}
    stored = sum(item["cost"]["nano_usd"] for item in items.values() if "cost" in item)
    bare = [pipeline_id for pipeline_id, item in items.items() if "cost" not in item]
    counted = sum(read_ledger(target, pipeline_id).ledger.total or 0 for pipeline_id in bare)
    # Other tests on this engine may have restarted runs.
    earlier = sum(item.get("earlier_nano_usd", 0) for item in items.values())
    assert ids[-2] in bare
    assert report["all"]["nano_usd"] == stored + counted + earlier
    assert report["not_recorded"] == len(bare)
    assert report["all"]["runs"] == report["read"] == len(items)
    assert report["all"]["failed"] >= 1
    assert sum(row["nano_usd"] for row in report["rows"]) == report["all"]["nano_usd"]
    tokens = sum(item.get("stages", {}).get("chat", {}).get("output_tokens", 0) for item in items.values())
    assert sum(missing["output_tokens"] for missing in report["unknown"]) >= tokens > 0
    degraded = items[ids[-3]]
    assert degraded["cost"]["waste_nano_usd"] >= degraded["cost"]["stages"]["enhancement"] > TRANSITION
