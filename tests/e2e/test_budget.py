"""A daily budget on the engine: it is spent, the starter pauses, nothing is lost, and the starter resumes."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.deploy import deploy
from local.targets import local_target
from operations.money import budget
from operations.money.budget import look_now, read_budget
from tests.e2e.conftest import DEPLOYS, eventually

pytestmark = [pytest.mark.engine, DEPLOYS]

USD = "0.001"
RUNS = 8
"""More than the budget pays for: a run costs about $0.00015 with no price for its model."""
NEAR_SECONDS = 120
"""Longer than the test of a spent budget takes."""


@pytest.fixture(scope="module")
def budgeted(pipeline):
    """Yield the deployment with a daily budget, which is removed after the test while it pauses the starter."""
    with pipeline.another_app():
        deploy(pipeline.engine, context={"budget_usd_per_day": USD})
        target = local_target(pipeline.connection)
        yield target
        assert budget.hold(target).standing == "paused by an operator"
        (kept,) = pipeline.publish({"data": {"user_message": "Who waits when the budget goes?"}})
        eventually(lambda: waiting(pipeline) == 1)
    deploy(pipeline.engine)
    assert pipeline.finished(kept)["status"] == "SUCCEEDED"
    indexes = pipeline.client("dynamodb").describe_table(TableName="PipelineLogs")["Table"]
    assert [index["IndexName"] for index in indexes["GlobalSecondaryIndexes"]] == ["by-owner"]
    pipeline.finished(pipeline.publish({"data": {"user_message": "And without a budget?"}})[0])


@pytest.fixture
def same_day() -> None:
    """Wait for midnight (UTC) if it is near: a budget is spent within one day, whose clock the functions read."""
    now = datetime.now(UTC)
    left = (now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now).total_seconds()
    if left < NEAR_SECONDS:
        time.sleep(left)


def waiting(pipeline: Any) -> int:
    answer = pipeline.client("sqs").get_queue_attributes(
        QueueUrl=pipeline.addresses["services/trigger/queue-url"],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )
    return sum(int(count) for count in answer["Attributes"].values())


def asked(pipeline: Any, what: str, count: int) -> list[str]:
    ids: list[str] = pipeline.publish(*({"data": {"user_message": f"{what} {n}?"}} for n in range(count)))
    return ids


@pytest.mark.usefixtures("same_day")
def test_a_spent_budget_pauses_and_nothing_is_lost(pipeline, budgeted):
    """Messages that arrive when the budget is spent are accepted and wait, and a raised budget lets each be answered
    once.

    The guard runs with its own rights only. Its schedule is checked but not waited for: the tests invoke the guard.
    """
    assert read_budget(budgeted).standing == "running"
    for name in asked(pipeline, "What is spent by", RUNS):
        pipeline.finished(name)
    spent = look_now(budgeted)
    assert (spent.why, spent.spent.runs) == ("budget", RUNS)
    records = [record for record in _records(pipeline) if "spent_nano_usd" in record]
    assert spent.spent.nano_usd == sum(int(record["spent_nano_usd"]["N"]) for record in records)
    state = read_budget(budgeted)
    assert state.standing == "paused by the budget"
    assert state.unknown_runs == RUNS
    assert budget.notice(budgeted)

    late = asked(pipeline, "What waits until midnight, number", 5)
    accepted = pipeline.call("POST", "/pipeline", {"user_message": "What waits until midnight, at the API?"})
    assert (accepted.status, accepted.body["status"]) == (202, "ACCEPTED")
    late.append(accepted.body["pipeline_id"])
    eventually(lambda: waiting(pipeline) == len(late))
    assert look_now(budgeted).starter == "Disabled"
    assert waiting(pipeline) == len(late)
    assert pipeline.record(late[-1])["status"] == "ACCEPTED"
    assert pipeline.asked("What waits until midnight") == 0

    assert budget.resume(budgeted, for_today=True).standing == "running"
    answered = [pipeline.finished(name) for name in late]
    assert [record["status"] for record in answered] == ["SUCCEEDED"] * len(late)
    assert pipeline.asked("What waits until midnight") == len(late)
    assert waiting(pipeline) == 0
    after = look_now(budgeted)
    assert (after.starter, after.spent.runs) == ("Enabled", RUNS + len(late))


def test_a_pause_by_hand_is_left_alone_and_an_order_is_obeyed(pipeline, budgeted):
    """The guard resumes only the starter that it paused itself, and its rule is enabled and invokes it."""
    budget.resume(budgeted, for_today=True)
    functions = pipeline.client("lambda")
    (mapping,) = functions.list_event_source_mappings(FunctionName="ai-pipeline-local-starter")[
        "EventSourceMappings"
    ]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    assert look_now(budgeted).starter == "Disabled"
    assert read_budget(budgeted).standing == "disabled by hand"
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    assert budget.hold(budgeted).standing == "paused by an operator"
    assert functions.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Disabled"
    assert budget.resume(budgeted).standing == "running"
    assert functions.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Enabled"

    rule = pipeline.client("events").describe_rule(Name="ai-pipeline-local-trigger-budget")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    (target,) = pipeline.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(":ai-pipeline-local-guard")
    policy = json.loads(functions.get_policy(FunctionName="ai-pipeline-local-guard")["Policy"])
    assert any(
        statement["Principal"] == {"Service": "events.amazonaws.com"} for statement in policy["Statement"]
    )


def _records(pipeline: Any) -> list[dict[str, Any]]:
    pages = pipeline.client("dynamodb").get_paginator("scan").paginate(TableName="PipelineLogs")
    return [item for page in pages for item in page["Items"]]
