"""The events that the pipeline publishes on its outcomes, and the refusals that callers without rights get."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest

from shared.contracts import schemas, v1
from tests.e2e.conftest import Deployment, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

OUTCOMES = (v1.PipelineCompleted, v1.PipelineFailed, v1.ContractRejected)
SCHEMAS = {kind.detail_type(): schemas.event_schema(kind) for kind in OUTCOMES}

Heard = Callable[[str], dict[str, Any]]


@pytest.fixture
def heard(pipeline: Deployment) -> Iterator[Heard]:
    """Yield a function that waits for an event on the bus that contains `text`, and returns it."""
    sqs, events = pipeline.client("sqs"), pipeline.client("events")
    bus = pipeline.addresses["bus/name"]
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    pattern = {"source": ["ai.pipeline"], "detail-type": list(SCHEMAS)}
    events.put_rule(Name="subscriber", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="subscriber", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    seen: list[str] = []

    def wait(text: str) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                seen.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return next((json.loads(body) for body in seen if text in body), None)

        return dict(eventually(probe))

    yield wait
    events.remove_targets(Rule="subscriber", EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name="subscriber", EventBusName=bus)
    sqs.delete_queue(QueueUrl=url)


def test_completion_is_heard_and_the_record_stands(pipeline: Deployment, heard: Heard):
    """A subscriber of pipeline.completed can read the finished record at once, and the event matches its schema."""
    (event_id,) = pipeline.publish({"data": {"user_message": "Tell me when you are done"}})
    event = heard(event_id)
    assert pipeline.record(event_id)["status"] == "SUCCEEDED"
    assert event["detail-type"] == "pipeline.completed.v1"
    jsonschema.validate(event["detail"], SCHEMAS["pipeline.completed.v1"])


def test_aborted_run_is_recorded_and_heard(pipeline: Deployment, heard: Heard):
    """A run that is stopped from outside is recorded as FAILED with a named error, and published."""
    machine = pipeline.addresses["state-machine/arn"]
    state = {
        "metadata": {
            "pipeline_id": "aborted-1",
            "correlation_id": "c",
            "accepted_at": "2026-11-22T10:00:00Z",
        },
        "request": {"user_message": "Never mind"},
    }
    step_functions = pipeline.client("stepfunctions")
    arn = step_functions.start_execution(stateMachineArn=machine, name="aborted-1", input=json.dumps(state))[
        "executionArn"
    ]
    step_functions.stop_execution(executionArn=arn)
    event = heard("aborted-1")
    assert event["detail-type"] == "pipeline.failed.v1"
    jsonschema.validate(event["detail"], SCHEMAS["pipeline.failed.v1"])
    record = pipeline.record("aborted-1")
    assert record["status"] == "FAILED"
    assert record["user_message"] == "Never mind"


@pytest.fixture
def impatient(pipeline: Deployment) -> Iterator[None]:
    """Let the chatbot's task time out after two seconds, because the engine has no timeout of an execution."""
    step_functions, machine = pipeline.client("stepfunctions"), pipeline.addresses["state-machine/arn"]
    before = step_functions.describe_state_machine(stateMachineArn=machine)["definition"]
    shorter = json.loads(before)
    shorter["States"]["CallExistingChatbot"]["TimeoutSeconds"] = 2
    step_functions.update_state_machine(stateMachineArn=machine, definition=json.dumps(shorter))
    yield
    step_functions.update_state_machine(stateMachineArn=machine, definition=before)


@pytest.mark.usefixtures("impatient")
def test_timed_out_run_is_recorded_with_its_stage(pipeline: Deployment, heard: Heard):
    """A run whose stage times out is recorded as FAILED at it and published, and its late answer is ignored."""
    with pipeline.stopped("chatbot"):
        (event_id,) = pipeline.publish({"data": {"user_message": "Hurry up"}})
        record = pipeline.finished(event_id)
    assert (record["status"], record["error"], record["stage"]) == ("FAILED", "States.Timeout", "chat")
    event = heard(f'"{event_id}.')
    assert event["detail-type"] == "pipeline.failed.v1"
    assert event["detail"]["data"]["stage"] == "chat"
    jsonschema.validate(event["detail"], SCHEMAS["pipeline.failed.v1"])
    assert eventually(lambda: pipeline.asked("Hurry up"))
    assert pipeline.parked("chatbot") == []


def test_rejection_names_place_and_reason_to_the_publisher(pipeline: Deployment, heard: Heard):
    """A rejection event names the rejected event's id, the path and the reason, and contains no message text."""
    (event_id,) = pipeline.publish({"data": {"user_message": ["private"]}})
    event = heard(event_id)
    assert event["detail-type"] == "contract.rejected.v1"
    jsonschema.validate(event["detail"], SCHEMAS["contract.rejected.v1"])
    assert event["detail"]["data"]["path"] == "$.detail.data.user_message"
    assert "private" not in json.dumps(event)
    assert pipeline.parked("trigger")


def test_refusals_have_the_shape_of_the_api(pipeline: Deployment):
    """Refusals by API Gateway itself have the shape of the API's errors: a code and a sentence."""
    answer = pipeline.call("POST", "/pipeline", {"user_message": "x"}, signed_by=False)
    assert answer.status == 403
    assert answer.body["error"]["code"]
    assert answer.body["error"]["message"]
