"""The in-flight check on the engine: a version that can't read waiting messages is not deployed."""

import json
import uuid
from typing import Any

import pytest

from tests.e2e.conftest import DEPLOYS, Deployment, eventually
from tests.e2e.support import Shell, complete, shell

__all__ = ["shell"]  # a fixture

pytestmark = [pytest.mark.engine, DEPLOYS, pytest.mark.timeout(300)]

UNREADABLE = "pipeline.requested.v9"


@pytest.fixture
def gate(shell: Shell, pipeline: Deployment, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a shell for `pipeline deploy` and `deploy-check`, without results of earlier checks."""
    monkeypatch.setattr("cli.commands.deploy.Engine", lambda: pipeline.engine)
    forget(pipeline)
    return shell


def forget(pipeline: Deployment) -> None:
    for service in ("trigger", "analyzer"):
        pipeline.client("dynamodb").delete_item(
            TableName=pipeline.addresses["operations/table"],
            Key={"pipeline_id": {"S": f"deploy-check#{service}"}, "entry": {"S": "look"}},
        )


def sent(pipeline: Deployment, url: str, detail_type: str) -> str:
    """Send an event to a queue as EventBridge delivers it; its id is the pipeline's."""
    event_id = uuid.uuid4().hex
    body = {
        "id": event_id,
        "source": "ai.pipeline",
        "detail-type": detail_type,
        "detail": {"data": {"user_message": "Still readable?"}},
    }
    pipeline.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))
    return event_id


def blocking(checks: Any) -> list[dict[str, Any]]:
    return [
        finding
        for check in checks
        for look in check["looks"]
        for finding in look["findings"]
        if finding["blocks"]
    ]


def test_a_deployment_that_could_not_read_its_queue_is_refused(gate: Shell, pipeline: Deployment):
    """A deployment that can't read a waiting message is refused by name unless `--force` is given.

    A readable message passes the check and is then handled as usual.
    """
    with pipeline.stopped("trigger") as url:
        good = sent(pipeline, url, "pipeline.requested.v1")
        assert blocking(gate.json("deploy-check", "trigger")) == []
        forget(pipeline)
        sent(pipeline, url, UNREADABLE)
        (finding,) = blocking(gate.json("deploy-check", "trigger", code=1))
        assert finding["detail_type"] == UNREADABLE
        refused = gate("deploy", "--service", "trigger", code=1)
        assert UNREADABLE in refused.stdout
        assert finding["name"] in refused.stdout
        assert "nothing was deployed" in refused.stderr
        assert "--force" in gate("deploy", "--service", "trigger", "--force").stderr
        gate("deploy", "--service", "enhancer")
    assert complete(pipeline.finished(good))
    # Parked by the version that is deployed, which does not read it either: in the way until it is archived.
    (message,) = eventually(lambda: gate.json("dlq", "list") and parked(gate))
    assert message["error_type"] == "Pipeline.ContractViolation"
    assert blocking(gate.json("deploy-check", "trigger", code=1))[0]["place"] == "dlq"
    gate("dlq", "archive", "--reason", "a test", "--yes")
    assert blocking(gate.json("deploy-check", "trigger")) == []


def parked(gate: Shell) -> list[dict[str, Any]]:
    return list(gate.json("dlq", "replay", "--dry-run"))


def test_looking_at_a_stage_does_not_wear_its_messages_out(gate: Shell, pipeline: Deployment):
    """A stage's waiting request is handled at its next delivery, however often it was checked."""
    with pipeline.stopped("analyzer"):
        (event_id,) = pipeline.publish({"data": {"user_message": "How often was I looked at?"}})
        eventually(lambda: looked_at(gate) == 1)
        for _ in range(5):
            assert looked_at(gate) == 1
    record = pipeline.finished(event_id)
    assert complete(record)
    assert record["stages"]["analysis"]["receives"] == 2  # the look, and the delivery
    assert record["stages"]["analysis"]["attempt"] == 0


def looked_at(gate: Shell) -> int:
    (check,) = gate.json("deploy-check", "analyzer")
    return sum(look["looked"] for look in check["looks"] if look["place"] == "queue")


def test_all_parts_are_in_order_together(gate: Shell, pipeline: Deployment):
    """Every service and the workflow pass the check when nothing unreadable is in flight."""
    assert blocking(gate.json("deploy-check")) == []
    assert {check["service"] for check in gate.json("deploy-check")} >= {"trigger", "chatbot", "workflow"}
