"""Failures on the real engine: for each way a stage can fail, what happens to the message, the run and the answer.

The engine differs from AWS in three ways: its rules have no DLQs (test_replay.py fills one by hand), a late callback
always gets TaskDoesNotExist, and IAM changes take effect at once instead of within seconds.
"""

import json
from typing import Any

import pytest

from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import complete, deliver_unseen, empty, history, kill_workers, log_lines, question

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


def note_of(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


def test_transient_failure_is_retried_by_step_functions(pipeline: Deployment):
    """A stage that fails temporarily is asked again by Step Functions, and the run completes."""
    text = question()
    with pipeline.denied("chatbot", "dynamodb:PutItem"):
        (event_id,) = pipeline.publish({"data": {"user_message": text}})
        arn = f"{pipeline.addresses['state-machine/arn'].replace('stateMachine', 'execution')}:{event_id}"
        eventually(lambda: "TaskFailed" in history(pipeline, arn))
    record = pipeline.finished(event_id)
    assert complete(record)
    assert record["stages"]["chat"]["attempt"] >= 1
    assert pipeline.asked(text) == 1
    assert pipeline.parked("chatbot") == []


def test_last_attempt_is_parked(pipeline: Deployment):
    """A stage that always fails has four attempts and is parked once, and the record names stage and error."""
    with pipeline.denied("chatbot", "dynamodb:PutItem"):
        (event_id,) = pipeline.publish({"data": {"user_message": question()}})
        record = pipeline.finished(event_id)
    assert (record["status"], record["error"], record["stage"]) == ("FAILED", "Pipeline.Transient", "chat")
    (message,) = eventually(lambda: pipeline.parked("chatbot"))
    note = note_of(message)
    assert (note["pipeline_id"], note["attempt"], note["error_type"]) == (event_id, "3", "Pipeline.Transient")
    assert pipeline.parked("chatbot") == []


def test_failed_callback_sends_the_stored_answer(pipeline: Deployment):
    """When a callback fails, the next delivery sends the stored answer without a second model call."""
    text = question()
    with pipeline.visible_after("chatbot", 5):
        with pipeline.denied("chatbot", "states:SendTaskSuccess"):
            (event_id,) = pipeline.publish({"data": {"user_message": text}})
            eventually(
                lambda: any("SendTaskSuccess" in line for line in log_lines(pipeline, "chatbot", event_id))
            )
        record = pipeline.finished(event_id)
    assert complete(record)
    assert record["stages"]["chat"]["receives"] > 1
    assert record["stages"]["chat"]["attempt"] == 0
    assert pipeline.asked(text) == 1


def test_message_that_kills_its_worker_is_not_run_again(pipeline: Deployment):
    """A message with two starts that ended without an outcome is parked as WorkerLost, and its run fails at once."""
    text = question()
    with pipeline.stopped("chatbot") as queue:
        (event_id,) = pipeline.publish({"data": {"user_message": text}})
        kill_workers(pipeline, "chatbot", queue)
    record = pipeline.finished(event_id)
    assert (record["status"], record["error"], record["stage"]) == ("FAILED", "Pipeline.WorkerLost", "chat")
    (message,) = eventually(lambda: pipeline.parked("chatbot"))
    assert note_of(message)["error_type"] == "Pipeline.WorkerLost"
    assert pipeline.asked(text) == 0


def test_message_that_no_function_saw_is_run(pipeline: Deployment):
    """A message that throttled pollers received four times is run at its fifth delivery, and leaves no start open."""
    text = question()
    with pipeline.stopped("chatbot") as queue:
        (event_id,) = pipeline.publish({"data": {"user_message": text}})
        message_id = deliver_unseen(pipeline, queue, 4)
    record = pipeline.finished(event_id)
    assert complete(record)
    assert record["stages"]["chat"]["receives"] == 5
    assert pipeline.asked(text) == 1
    key = {"id": {"S": f"starts#chatbot#{message_id}"}}
    item = pipeline.client("dynamodb").get_item(TableName="ai-pipeline-local-state", Key=key)["Item"]
    assert item.keys() == {"id", "expires_at"}


def test_message_is_run_though_its_starts_cannot_be_counted(pipeline: Deployment):
    """A function that may not write the table of state handles its messages at any delivery."""
    with pipeline.denied("analyzer", "dynamodb:UpdateItem"):
        with pipeline.stopped("analyzer") as queue:
            (event_id,) = pipeline.publish({"data": {"user_message": question()}})
            deliver_unseen(pipeline, queue, 3)
        record = pipeline.finished(event_id)
    assert complete(record)
    assert record["stages"]["analysis"]["receives"] == 4


def test_broken_enhancer_costs_the_decoration_alone(pipeline: Deployment):
    """Without the enhancer, the caller gets the chatbot's text, and the record names stage, error and substitute."""
    text = question()
    with pipeline.stopped("enhancer") as queue:
        (event_id,) = pipeline.publish({"data": {"user_message": text}})
        kill_workers(pipeline, "enhancer", queue)
    record = pipeline.finished(event_id)
    assert record["status"] == "SUCCEEDED"
    assert record["final_response"] == f"You asked: {text}"
    assert record["degraded"] == ["enhancement"]
    assert record["errors"]["enhancement"]["Error"] == "Pipeline.WorkerLost"
    assert record["instead"] == {"enhancement": "The answer was not formatted: it is the chatbot's own text."}
    assert note_of(eventually(lambda: pipeline.parked("enhancer"))[0])["pipeline_id"] == event_id


def test_broken_logger_does_not_cost_the_answer(pipeline: Deployment):
    """When the logger may not write, the workflow stores the answer itself, and the record says so."""
    text = question()
    with pipeline.denied("logger", "dynamodb:*"):
        (event_id,) = pipeline.publish({"data": {"user_message": text}})
        record = pipeline.finished(event_id)
    assert (record["status"], record["final_response"]) == ("SUCCEEDED", f"You asked: {text}")
    assert record["degraded"] == ["log"]
    assert record["errors"]["log"]["Error"] == "Pipeline.Permanent"
    assert record["instead"]["log"]
    assert note_of(eventually(lambda: pipeline.parked("logger"))[0])["pipeline_id"] == event_id


def test_function_that_cannot_start_leaves_its_messages_to_the_queue(pipeline: Deployment):
    """If a function can't start, SQS moves its message to the DLQ after five deliveries, and the task stays open."""
    functions, name = pipeline.client("lambda"), "ai-pipeline-local-analyzer"
    handler = functions.get_function_configuration(FunctionName=name)["Handler"]
    functions.update_function_configuration(FunctionName=name, Handler="services.analyzer.nowhere.handler")
    try:
        with pipeline.visible_after("analyzer", 1) as queue:
            (event_id,) = pipeline.publish({"data": {"user_message": question()}})
            (message,) = eventually(lambda: pipeline.parked("analyzer"))
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=handler)
    assert note_of(message) == {}
    assert event_id in message["Body"]
    pipeline.client("sqs").send_message(QueueUrl=queue, MessageBody=message["Body"])
    assert complete(pipeline.finished(event_id))


def test_late_outcome_changes_nothing(pipeline: Deployment):
    """A request repeated after its run causes no model call, no parked message and no change of the record."""
    text = question()
    with pipeline.stopped("chatbot") as queue:
        (event_id,) = pipeline.publish({"data": {"user_message": text}})
        (message,) = eventually(
            lambda: (
                pipeline.client("sqs").receive_message(QueueUrl=queue, VisibilityTimeout=0).get("Messages")
            )
        )
    before = pipeline.finished(event_id)
    assert complete(before)
    pipeline.client("sqs").send_message(QueueUrl=queue, MessageBody=message["Body"])
    assert eventually(lambda: empty(pipeline, queue))
    assert pipeline.record(event_id) == before
    assert pipeline.asked(text) == 1
    assert pipeline.parked("chatbot") == []


def test_an_end_that_nobody_announced_is_recorded(pipeline: Deployment):
    """The reconciler records a failed run whose status event is lost, and the late event changes nothing."""
    with pipeline.stopped("logger") as queue:
        (event_id,) = pipeline.publish({"data": {"user_message": question()}})
        arn = f"{pipeline.addresses['state-machine/arn'].replace('stateMachine', 'execution')}:{event_id}"
        eventually(lambda: pipeline.record(event_id).get("status") == "RUNNING")
        pipeline.client("stepfunctions").stop_execution(
            executionArn=arn, error="Lost", cause="Nobody heard it."
        )
        (lost,) = eventually(lambda: pipeline.client("sqs").receive_message(QueueUrl=queue).get("Messages"))
        pipeline.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=lost["ReceiptHandle"])
    reports = [reconciled(pipeline) for _ in range(2)]
    record = pipeline.record(event_id)
    assert (record["status"], record["error"], record["execution_arn"]) == ("FAILED", "Lost", arn)
    assert [report["mended"] for report in reports] == [1, 0]
    assert all(report["finished"] for report in reports)
    pipeline.client("sqs").send_message(QueueUrl=queue, MessageBody=lost["Body"])
    assert eventually(lambda: empty(pipeline, queue))
    assert pipeline.record(event_id) == record


def reconciled(pipeline: Deployment) -> dict[str, Any]:
    """Invoke the reconciler, which then leaves no time to the ends' own events, and return its report."""
    answer = pipeline.client("lambda").invoke(
        FunctionName="ai-pipeline-local-reconciler", Payload=json.dumps({"settled_seconds": 0})
    )
    report: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, report
    return report
