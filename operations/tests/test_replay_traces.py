"""A replayed run keeps its trace, whether its message is moved back or it is restarted or redriven."""

import json
from datetime import timedelta
from typing import Any

import pytest

from operations.dlq.plan import Action
from operations.dlq.redrive import find, run_again
from operations.tests.dead_letters import StepFunctions, replay, url
from operations.tests.world import client, finish
from shared.contracts.envelope import Delivery, Detail, traceparent_of
from shared.contracts.reading import read, read_metadata
from shared.contracts.v1 import ChatRequested, PipelineRequested
from shared.tests.fakes import stage_event

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def park(body: dict[str, Any], service: str) -> None:
    client("sqs").send_message(QueueUrl=url(service), MessageBody=json.dumps(body))


def trace_in_queue(service: str, kind: type[Any]) -> str | None:
    """Return the trace id that a worker reads from the only message in a service's queue."""
    (message,) = client("sqs").receive_message(QueueUrl=url(service, ""))["Messages"]
    delivery = read(message["Body"], Delivery)
    return read_metadata(delivery, read(delivery.detail, Detail), kind).traceparent


@pytest.mark.parametrize("given", [{"traceparent": GIVEN}, None], ids=["the publisher's", "its own"])
def test_a_start_event_moved_back_starts_the_same_trace(target, machine, given):
    """A start event that is moved back has the same trace as before, with or without the publisher's traceparent."""
    event = stage_event("pipeline.requested.v1", {"user_message": "Hi"}, token=None)
    event["detail"]["metadata"] = given
    park(event, "trigger")
    assert [result.action for result in replay(target)] == [Action.MOVE]
    assert trace_in_queue("trigger", PipelineRequested) == (GIVEN if given else traceparent_of("delivery-1"))


def test_a_stages_message_moved_back_keeps_its_trace(target, machine):
    """A message whose task still waits is moved back with its trace."""
    machine.alive = {"alive"}
    park(
        stage_event("chat.requested.v1", {"user_message": "Hi"}, token="alive", traceparent=GIVEN), "chatbot"
    )
    assert [result.action for result in replay(target)] == [Action.MOVE]
    assert trace_in_queue("chatbot", ChatRequested) == GIVEN


def failed(machine: StepFunctions, pipeline_id: str) -> str:
    arn = machine.fail(pipeline_id)
    state = json.loads(machine.runs[pipeline_id]["input"])
    state["metadata"]["traceparent"] = GIVEN
    machine.runs[pipeline_id]["input"] = json.dumps(state)
    return arn


def test_a_restart_goes_on_in_the_trace(target, machine, records):
    """A restart from the DLQ, corrected or not, has the traceparent of the first execution."""
    for number, data in enumerate((None, {"user_message": "Corrected"})):
        name = f"p-{number}"
        arn = failed(machine, name)
        finish(records, name, status="FAILED")
        park(
            stage_event(
                "chat.requested.v1", {"user_message": "Hi"}, token="dead", pipeline_id=name, execution_arn=arn
            ),
            "chatbot",
        )
        assert [result.action for result in replay(target, data=data)] == [Action.RESTART]
        again = json.loads(machine.runs[f"{name}-restart-1"]["input"])
        assert again["metadata"]["traceparent"] == GIVEN


@pytest.mark.parametrize("redrivable", [True, False])
def test_redrive_goes_on_in_the_trace(target, machine, records, redrivable):
    """`pipeline redrive` keeps the trace, whether it redrives the execution or starts a new one."""
    machine.redrivable = redrivable
    failed(machine, "p-1")
    finish(records, "p-1", status="FAILED", stage="chat")
    (result,) = run_again(target, find(target, since=timedelta(hours=1)), who="arn:me")
    assert result.outcome == "done"
    running = [run for run in machine.runs.values() if run["status"] == "RUNNING"]
    assert [json.loads(run["input"])["metadata"]["traceparent"] for run in running] == [GIVEN]
