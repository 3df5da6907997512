"""Replay on the engine with the user's commands: settled tokens, live tokens, and messages that can't be replayed."""

import json
import uuid
from typing import Any

import pytest

from local import targets
from shared.tests.fakes import client_error
from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import DENIED, Shell, complete, failed_runs, kill_workers, parked, question, shell

__all__ = ["shell"]  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def executions(pipeline: Deployment, pipeline_id: str) -> dict[str, str]:
    """Return the statuses of a pipeline's executions by name."""
    pages = pipeline.client("stepfunctions").get_paginator("list_executions")
    listing = pages.paginate(stateMachineArn=pipeline.addresses["state-machine/arn"])
    return {
        run["name"]: run["status"]
        for page in listing
        for run in page["executions"]
        if run["name"].startswith(pipeline_id)
    }


def test_a_queue_of_dead_tokens_is_emptied_by_one_replay(pipeline: Deployment, shell: Shell):
    """A replay restarts every failed run once, each succeeds, and no message is parked again."""
    runs = failed_runs(pipeline, 25)
    (view,) = [view for view in shell.json("dlq", "list") if view["count"]]
    assert (view["service"], view["count"]) == ("chatbot", 25)
    assert [group["error_type"] for group in view["errors"]] == ["Pipeline.Permanent"]
    plan = shell.json("dlq", "replay", "--dry-run")
    assert {line["action"] for line in plan} == {"restart"}
    assert parked(shell) == 25
    shell("dlq", "replay", "--yes", "--rate", "100", "--wait")
    for event_id, text in runs.items():
        assert complete(pipeline.record(event_id))
        assert executions(pipeline, event_id) == {
            event_id: "FAILED", f"{event_id}-restart-1": "SUCCEEDED"
        }  # fmt: skip
        assert pipeline.asked(text) == 1
    assert parked(shell) == 0
    shell("dlq", "replay", "--yes")


def test_a_canary_that_fails_again_stops_the_replay(pipeline: Deployment, shell: Shell):
    """When the cause is not fixed, the canary's run fails and the other messages are not touched."""
    runs = failed_runs(pipeline, 4)
    with pipeline.denied("chatbot", DENIED):
        result = shell("dlq", "replay", "--yes", "--canary", "1", code=1)
        assert "The canary failed" in result.output
        assert eventually(lambda: parked(shell) == 4)  # three untouched, and the canary's new message
    started = [name for event_id in runs for name in executions(pipeline, event_id) if "restart" in name]
    assert len(started) == 1
    shell("dlq", "replay", "--yes", "--canary", "1", "--wait")
    assert all(complete(pipeline.record(event_id)) for event_id in runs)


def test_a_living_token_goes_back_to_its_queue(pipeline: Deployment, shell: Shell):
    """A message whose function could not start is moved back while its task waits, and the execution completes."""
    functions, name = pipeline.client("lambda"), "ai-pipeline-local-enhancer"
    handler = functions.get_function_configuration(FunctionName=name)["Handler"]
    functions.update_function_configuration(FunctionName=name, Handler="services.enhancer.nowhere.handler")
    try:
        with pipeline.visible_after("enhancer", 1):
            (event_id,) = pipeline.publish({"data": {"user_message": question()}})
            assert eventually(lambda: parked(shell) == 1)
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=handler)
    (line,) = shell.json("dlq", "replay", "--dry-run")
    assert (line["action"], line["service"]) == ("move back", "enhancer")
    shell("dlq", "replay", "--yes", "--wait")
    assert complete(pipeline.record(event_id))
    assert executions(pipeline, event_id) == {event_id: "SUCCEEDED"}


def test_messages_of_finished_runs_are_archived(pipeline: Deployment, shell: Shell):
    """A degraded run's message is archived without its token, and with --restart the run is repeated and complete."""
    with pipeline.stopped("enhancer") as queue:
        (event_id,) = pipeline.publish({"data": {"user_message": question()}})
        kill_workers(pipeline, "enhancer", queue)
    assert pipeline.finished(event_id)["degraded"] == ["enhancement"]
    shell("dlq", "replay", "--restart", "--yes", "--wait")
    assert complete(pipeline.record(event_id))
    (kept,) = [
        json.loads(line)
        for line in shell("dlq", "export", "--archived", "--pipeline", event_id).stdout.splitlines()
    ]
    assert kept["event"]["detail"]["data"]["chat"]["text"]
    assert "task_token" not in json.dumps(kept)


def test_what_breaks_its_contract_is_left_then_corrected(pipeline: Deployment, shell: Shell, tmp_path: Any):
    """An unreadable event is left with its reason; corrected with valid data, exactly one copy is sent and runs."""
    (event_id,) = pipeline.publish({"data": {"user_message": 5}})
    eventually(lambda: parked(shell) == 1)
    result = shell("dlq", "replay", "--yes", code=1)
    assert "user_message" in result.output
    (message,) = shell("dlq", "export").stdout.splitlines()
    fixed = tmp_path / "data.json"
    fixed.write_text(json.dumps({"user_message": 6}))
    shell("dlq", "replay", "--id", json.loads(message)["id"], "--data", str(fixed), "--yes", code=2)
    fixed.write_text(json.dumps({"user_message": question()}))
    shell("dlq", "replay", "--id", json.loads(message)["id"], "--data", str(fixed), "--yes", "--wait")
    assert complete(pipeline.record(event_id))
    assert list(executions(pipeline, event_id)) == [event_id]


def test_undelivered_events_are_replayed(pipeline: Deployment, shell: Shell):
    """An event in a rule DLQ is moved to the queue that it was meant for.

    The engine's rules have no DLQ, so the test puts the message there as EventBridge would.
    """
    event_id = uuid.uuid4().hex
    event = {
        "version": "0", "id": event_id, "source": "ai.pipeline", "detail-type": "pipeline.requested.v1",
        "time": "2026-11-23T10:00:00Z", "resources": [], "detail": {"data": {"user_message": question()}},
    }  # fmt: skip
    pipeline.client("sqs").send_message(
        QueueUrl=pipeline.addresses["services/trigger/rule-dlq-url"],
        MessageBody=json.dumps(event),
        MessageAttributes={
            "ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"},
            "ERROR_MESSAGE": {"DataType": "String", "StringValue": "Lack of permissions"},
        },
    )
    (view,) = [view for view in shell.json("dlq", "list") if view["count"]]
    assert (view["kind"], view["errors"][0]["error_type"]) == ("rule-dlq", "NO_PERMISSIONS")
    shell("dlq", "replay", "--yes", "--wait")
    assert complete(pipeline.record(event_id))


def test_failed_runs_without_a_message_are_started_again(pipeline: Deployment, shell: Shell):
    """`redrive` restarts a stopped run, which has no parked message, and leaves runs that have one."""
    with pipeline.stopped("chatbot") as queue:
        (stopped,) = pipeline.publish({"data": {"user_message": question()}})
        arn = f"{pipeline.addresses['state-machine/arn'].replace('stateMachine', 'execution')}:{stopped}"
        step_functions = pipeline.client("stepfunctions")
        eventually(
            lambda: (
                step_functions.describe_execution(executionArn=arn) if started(pipeline, stopped) else None
            )
        )
        step_functions.stop_execution(executionArn=arn)
        assert pipeline.finished(stopped)["error"] == "Execution.Aborted"
    eventually(
        lambda: is_empty(pipeline, queue)
    )  # a late request is over before the model is denied to others
    (parked_run,) = failed_runs(pipeline, 1)
    plan = {
        line["pipeline_id"]: line["action"] for line in shell.json("redrive", "--since", "10m", "--dry-run")
    }
    assert plan[stopped] == "restart"
    assert plan[parked_run] == "leave"
    shell("redrive", "--since", "10m", "--yes", "--wait", code=1)  # one was left
    assert complete(pipeline.record(stopped))
    shell("dlq", "replay", "--yes", "--wait")
    assert complete(pipeline.record(parked_run))


def test_a_redrive_that_is_refused_is_offered_again(pipeline: Deployment, shell: Shell):
    """If StartExecution is throttled, the run stays FAILED with its error, and the same command then restarts it."""
    with pipeline.stopped("chatbot"):
        (stopped,) = pipeline.publish({"data": {"user_message": question()}})
        eventually(lambda: started(pipeline, stopped))
        arn = f"{pipeline.addresses['state-machine/arn'].replace('stateMachine', 'execution')}:{stopped}"
        pipeline.client("stepfunctions").stop_execution(executionArn=arn)
        before = pipeline.finished(stopped)
    redrive = ("redrive", "--since", "10m", "--status", "ABORTED")
    events = targets.find_target("local").client("stepfunctions").meta.events

    def refuse(**_: Any) -> None:
        raise client_error("ThrottlingException", "StartExecution")

    events.register("before-call.stepfunctions.StartExecution", refuse, unique_id="refuse")
    try:
        shell(*redrive, "--yes", code=1)
    finally:
        events.unregister("before-call.stepfunctions.StartExecution", unique_id="refuse")
    assert pipeline.record(stopped) == before
    plan = {line["pipeline_id"] for line in shell.json(*redrive, "--dry-run")}
    assert stopped in plan
    shell(*redrive, "--yes")
    assert eventually(lambda: complete(pipeline.record(stopped)))


def started(pipeline: Deployment, pipeline_id: str) -> bool:
    return pipeline_id in executions(pipeline, pipeline_id)


def is_empty(pipeline: Deployment, queue_url: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = pipeline.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)[
        "Attributes"
    ]
    return set(counts.values()) == {"0"}
