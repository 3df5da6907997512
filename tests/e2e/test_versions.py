"""Versions of events on the engine: two at the same time, and services that are deployed at different times."""

import json
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from local import targets
from services.trigger.starter.core import execution_input
from shared.contracts.envelope import Metadata
from shared.contracts.upcasting import as_conversation
from shared.contracts.v1 import PipelineRequested
from tests.e2e.conftest import DEPLOYS, Deployment, eventually
from tests.e2e.next_release import releases
from tests.e2e.support import complete, log_lines

pytestmark = [pytest.mark.engine, DEPLOYS, pytest.mark.timeout(400)]

V1, V2 = "pipeline.requested.v1", "pipeline.requested.v2"
PER_BEAT = 2
MOST = 400


def conversation(question: str, *before: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[index % 2], "text": text} for index, text in enumerate((*before, question))]


def asked_with(pipeline: Deployment, question: str) -> list[tuple[str, str]]:
    """Return the conversation of the model request that ends with `question`."""
    (request,) = [
        request for request in pipeline.model.requests if question in str(request["messages"][-1]["content"])
    ]
    return [(turn["role"], str(turn["content"])) for turn in request["messages"] if turn["role"] != "system"]


def test_both_versions_run_at_the_same_time(pipeline: Deployment):
    """Events of both versions complete side by side, and the model gets the conversation of the newer one."""
    name = uuid.uuid4().hex
    old = pipeline.publish(
        *({"data": {"user_message": f"Old {name} {n}?"}} for n in range(5)), detail_type=V1
    )
    new = pipeline.publish(
        *(
            {"data": {"messages": conversation(f"New {name} {n}?", "Who are you?", "A pipeline.")}}
            for n in range(5)
        ),
        detail_type=V2,
    )
    records = [pipeline.finished(event_id) for event_id in (*old, *new)]
    assert all(complete(record) for record in records)
    assert [record["user_message"] for record in records[5:]] == [f"New {name} {n}?" for n in range(5)]
    assert asked_with(pipeline, f"Old {name} 3?") == [("user", f"Old {name} 3?")]
    assert asked_with(pipeline, f"New {name} 3?") == [
        ("user", "Who are you?"),
        ("assistant", "A pipeline."),
        ("user", f"New {name} 3?"),
    ]


def test_a_follow_up_is_asked_through_the_api(pipeline: Deployment):
    """A caller that posts its last answer with the next question gets an answer to the whole conversation."""
    first = f"First {uuid.uuid4().hex}?"
    accepted = pipeline.call("POST", "/pipeline", {"user_message": first})
    answer = pipeline.finished(accepted.body["pipeline_id"])["final_response"]
    then = f"Then {uuid.uuid4().hex}?"
    accepted = pipeline.call("POST", "/pipeline", {"messages": conversation(then, first, answer)})
    assert accepted.status == 202
    record = pipeline.finished(accepted.body["pipeline_id"])
    assert complete(record)
    assert record["user_message"] == then
    assert asked_with(pipeline, then) == [("user", first), ("assistant", answer), ("user", then)]


def test_a_conversation_is_published_with_the_command(
    pipeline: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """`pipeline publish` checks an event of version 2 against its contract, publishes it and prints the run's id."""
    target = targets.local_target(pipeline.connection)
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: target)
    question = f"Typed {uuid.uuid4().hex}?"
    file = tmp_path / "conversation.json"
    file.write_text(json.dumps({"data": {"messages": conversation(question, "Who?", "Me.")}}))
    done = CliRunner().invoke(cli, ["publish", "--detail-type", V2, str(file)])
    assert done.exit_code == 0, done.output
    assert complete(pipeline.finished(done.stdout.strip()))
    assert asked_with(pipeline, question) == [("user", "Who?"), ("assistant", "Me."), ("user", question)]


def test_wrong_versions_are_refused_side_by_side(pipeline: Deployment):
    """Events with contradictory versions or broken contracts are parked with the reason, and their siblings run."""
    turns = conversation("Good?", "Who?", "Me.")
    (good,) = pipeline.publish({"data": {"messages": turns}}, detail_type=V2)
    pipeline.publish({"data": {"messages": turns[:2]}}, detail_type=V2)
    pipeline.publish({"data": {"user_message": "Hi"}, "metadata": {"schema_version": 2}}, detail_type=V1)
    assert complete(pipeline.finished(good))
    parked: list[dict[str, Any]] = []

    def both() -> bool:
        parked.extend(pipeline.parked("trigger"))
        return len(parked) == 2

    eventually(both)
    reasons = sorted(message["MessageAttributes"]["error"]["StringValue"] for message in parked)
    assert "$.detail.metadata.schema_version" in reasons[0]
    assert "must end with a message of the user" in reasons[1]


def test_an_older_starters_execution_runs_in_a_newer_workflow(pipeline: Deployment):
    """An execution input without a history, from an older starter or an old restart, runs like any other."""
    name = f"old-{uuid.uuid4().hex}"
    metadata = Metadata(
        event_id=name,
        pipeline_id=name,
        schema="pipeline.requested",
        schema_version=1,
        occurred_at=datetime.now(UTC),
        correlation_id=name,
    )
    state = json.loads(execution_input(as_conversation(PipelineRequested(user_message=f"{name}?")), metadata))
    del state["request"]["history"]
    pipeline.client("stepfunctions").start_execution(
        stateMachineArn=pipeline.addresses["state-machine/arn"], name=name, input=json.dumps(state)
    )
    assert complete(pipeline.finished(name))
    assert asked_with(pipeline, f"{name}?") == [("user", f"{name}?")]


def test_a_breaking_change_is_rolled_out_and_back_under_load(pipeline: Deployment):
    """A breaking version of a stage's request is rolled out and back under load without a lost, failed or degraded
    run.

    The consumer is deployed first, part by part, and rolled back in reverse order.
    """
    ids: list[str] = []
    done = threading.Event()

    def load() -> None:
        number = 0
        while not done.wait(0.5) and number < MOST:
            ids.extend(pipeline.publish({"data": {"user_message": f"Old {number}?"}}, detail_type=V1))
            turns = conversation(f"New {number}?", "Who are you?", "A pipeline.")
            ids.extend(pipeline.publish({"data": {"messages": turns}}, detail_type=V2))
            number += PER_BEAT

    with releases(pipeline.engine) as both:
        publisher = threading.Thread(target=load)
        publisher.start()
        try:
            for part in ("analyzer", "trigger", "workflow"):
                both.deploy(both.after, part)
            (late,) = pipeline.publish({"data": {"user_message": "With the new version?"}})
            assert complete(pipeline.finished(late))
            for part in ("workflow", "trigger", "analyzer"):
                both.deploy(both.before, part)
        finally:
            done.set()
            publisher.join()
    ids += pipeline.publish(*({"data": {"user_message": f"After {n}?"}} for n in range(5)))
    unwell = [record for record in map(pipeline.finished, ids) if not complete(record)]
    assert unwell == []
    assert read_by(pipeline, "analyzer") >= {"analysis.requested.v1", "analysis.requested.v2"}
    assert pipeline.parked("analyzer") == []


def read_by(pipeline: Deployment, function: str) -> set[str]:
    """Return the detail-types of the messages that a function has handled, from its log."""
    lines = log_lines(pipeline, function, "detail_type")
    said = (json.loads(line) for line in lines if '"outcome":"Succeeded"' in line)
    return {line["detail_type"] for line in said}
