"""Parked messages for the tests of pages, and the presses of buttons that begin most of these tests."""

import json
from typing import Any

import pytest

from console.tests.asking import Console
from operations.tests.dead_letters import StepFunctions, machine, park, url
from operations.tests.world import client, finish
from shared.tests.fakes import stage_event

__all__ = ["machine"]


def read(console: Console) -> None:
    """Press the button that reads the queues, and wait for the end of the reading."""
    assert console.post("/parked-reading").status == 303
    console.desk.shelf.wait()


def message_ids(console: Console) -> list[str]:
    snapshot = console.desk.shelf.shown(console.desk.environment.target()).snapshot
    assert snapshot
    return [item.message.id for item in snapshot.planned]


def make(console: Console, **form: str) -> str:
    """Make a plan and return its address."""
    answer = console.post("/plans/make", form)
    assert answer.status == 303, answer.text
    return answer.headers["location"]


@pytest.fixture
def three(machine: StepFunctions, records: Any, monkeypatch: pytest.MonkeyPatch) -> StepFunctions:
    """Park a message of a failed run, one of a task that waits, and one that breaks its contract."""
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    machine.alive.add("a-living-token")
    park("p-1")
    park("p-2", token="a-living-token")
    park("p-3", token="a-living-token", user_message=7)
    monkeypatch.setattr("operations.dlq.plans.ends", lambda *_args, **_options: iter(()))
    return machine


def drain(queue: str) -> None:
    while found := client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def reject(pipeline_id: str) -> None:
    """Park an event that asks for a run and breaks its contract, as the starter does."""
    request(pipeline_id, user_message=7)


def request(pipeline_id: str, **data: Any) -> None:
    """Park an event that asks for a run, which has not started."""
    body = stage_event("pipeline.requested.v1", data, pipeline_id=pipeline_id)
    del body["detail"]["task_token"]
    client("sqs").send_message(QueueUrl=url("trigger"), MessageBody=json.dumps(body))
