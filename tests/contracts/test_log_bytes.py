"""The bytes that the real handlers log in one run, compared with the sizes that the ledger assumes."""

import json
import logging
from typing import Any

import pytest

from shared import observability
from shared.contracts.stages import STAGES
from shared.costs.ledger import LOG_BYTES_INVOCATION, LOG_BYTES_MESSAGE
from shared.tests.fakes import sqs_record, stage_event
from tests.contracts.handlers import DATA, METER, REQUESTS, RESULTS

PIPELINE_ID = "0b61f2bf-5c2e-4a14-9a0e-3d0b8f2f6c11"
TRACE = "Root=1-69254bff-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1"
CHAT_METER = {**METER, "model_id": "amazon.nova-lite-v1:0"}
SUCCEEDED = {
    **DATA["logger"],
    "results": {**RESULTS, "chat": {"data": RESULTS["chat"]["data"], "meter": CHAT_METER}},
    "errors": {},
}
TOLERANCE = 0.1


def delivered(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event as SQS delivers it on AWS, where each id is a UUID."""
    record = sqs_record({**event, "id": PIPELINE_ID})
    record["messageId"] = PIPELINE_ID
    return record


def request(state: str, service: str) -> dict[str, Any]:
    data = SUCCEEDED if service == "logger" else DATA[service]
    event = stage_event(REQUESTS[service], data, token=state, pipeline_id=PIPELINE_ID)
    event["detail"]["metadata"]["event_id"] = f"{PIPELINE_ID}-{state}-0"
    return delivered(event)


def started() -> dict[str, Any]:
    data = {"user_message": "Hi"}
    return delivered(
        {"source": "ai.pipeline", "detail-type": "pipeline.requested.v1", "detail": {"data": data}}
    )


POST = {
    "httpMethod": "POST",
    "resource": "/pipeline",
    "headers": {"Content-Type": "application/json"},
    "requestContext": {"identity": {"userArn": "arn:aws:iam::000000000000:user/alice"}, "path": "/v1"},
    "body": '{"user_message": "Hi"}',
}


@pytest.fixture
def bytes_of_a_run(stand, capsys, caplog, monkeypatch):
    """The bytes of log lines and of lines of metrics that the six functions write for one run."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)
    calls = [
        ("trigger", "services.trigger.api.handler", POST),
        ("trigger", "services.trigger.starter.handler", {"Records": [started()]}),
        *(
            (
                stage.service,
                f"services.{stage.service}.handler",
                {"Records": [request(stage.state, stage.service)]},
            )
            for stage in STAGES
        ),
    ]
    logged = counted = 0
    for service, module, event in calls:
        worker = stand(service, module)
        observability.logger.cache_clear()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            worker.call(event, None)
        lines = [observability.logger().registered_formatter.format(record) for record in caplog.records]
        assert len(lines) == 1
        assert json.loads(lines[0])["xray_trace_id"] in TRACE
        logged += len(lines[0].encode())
        counted += sum(
            len(line.encode()) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
        )
    return logged / len(calls), counted / len(calls)


def test_the_ledger_assumes_the_bytes_that_a_run_logs(bytes_of_a_run):
    """The ledger's sizes of a message's log line and of an invocation's metrics are a run's, within a tenth."""
    message, invocation = bytes_of_a_run
    assert message == pytest.approx(LOG_BYTES_MESSAGE, rel=TOLERANCE)
    assert invocation == pytest.approx(LOG_BYTES_INVOCATION, rel=TOLERANCE)
