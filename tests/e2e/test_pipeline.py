"""The whole pipeline on the local engine with IAM enforced: what users do, and the mistakes they make."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from local.model_server import LONG_ANSWER, Reply, echo
from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import BAD_REQUESTS, complete, log_lines, question

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

SLOW_SECONDS = 4
CODE_QUESTION = "Why does this fail?\n```python\nprint(1/0)\n```"


def test_signed_post_ends_in_a_complete_record(pipeline: Deployment):
    """A signed POST is accepted, runs through all stages, and its record has the answer and every meter."""
    accepted = pipeline.call("POST", "/pipeline", {"user_message": CODE_QUESTION})
    assert accepted.status == 202
    assert accepted.body["status_url"].startswith(pipeline.addresses["api/url"])
    record = pipeline.finished(accepted.body["pipeline_id"])
    assert complete(record)
    assert record["analysis"]["has_code"] is True
    assert record["stages"]["chat"]["input_tokens"] > 0
    assert record["enhancement"]["tracking"]["pipeline_id"] == record["pipeline_id"]


def test_model_is_asked_with_the_configured_prompt(pipeline: Deployment):
    """The chatbot sends the configured prompt to the model, and records the model's answer and tokens."""
    (event_id,) = pipeline.publish({"data": {"user_message": "Who are you, echo?"}})
    record = pipeline.finished(event_id)
    assert record["final_response"] == "You asked: Who are you, echo?"
    assert record["chat"]["model_id"] == "echo"
    assert (record["stages"]["chat"]["input_tokens"], record["stages"]["chat"]["output_tokens"]) == (11, 7)
    asked = next(asked for asked in pipeline.model.requests if "Who are you, echo?" in str(asked["messages"]))
    assert asked["model"] == "echo"
    assert asked["messages"][0]["role"] == "system"


def test_long_answer_is_kept_whole(pipeline: Deployment):
    """An answer that is too long for the state of an execution arrives whole, with each function's own rights."""
    (event_id,) = pipeline.publish({"data": {"user_message": "LONG please"}})
    record = pipeline.finished(event_id)
    assert complete(record)
    assert record["chat"]["truncated"] is False
    assert record["final_response"] == LONG_ANSWER.strip()
    assert record["degraded"] == []


def slowly(asked: str) -> Reply:
    return replace(echo(asked), delay_seconds=SLOW_SECONDS)


def test_answer_that_takes_longer_than_its_message_is_hidden_is_paid_for_once(pipeline: Deployment):
    """While the model is at work, further deliveries of the message wait for its answer and ask for none."""
    text = question()
    before, pipeline.model.behaviour = pipeline.model.behaviour, slowly
    try:
        with pipeline.visible_after("chatbot", SLOW_SECONDS // 2):
            (event_id,) = pipeline.publish({"data": {"user_message": text}})
            record = pipeline.finished(event_id)
    finally:
        pipeline.model.behaviour = before
    assert complete(record)
    assert record["stages"]["chat"]["work_ms"] >= 1_000 * SLOW_SECONDS
    assert pipeline.asked(text) == 1


def test_published_event_runs_under_its_event_id(pipeline: Deployment):
    """An event with data alone starts a run under the id that PutEvents returned."""
    (event_id,) = pipeline.publish({"data": {"user_message": "Hello from the bus"}})
    assert complete(pipeline.finished(event_id))


def test_published_event_keeps_its_own_id(pipeline: Deployment):
    """A pipeline id chosen by the publisher is used, and publishing it twice starts one run."""
    name = f"own-{uuid.uuid4().hex}"
    detail = {"metadata": {"pipeline_id": name}, "data": {"user_message": "Once, please"}}
    pipeline.publish(detail, detail)
    assert complete(pipeline.finished(name))
    executions = pipeline.client("stepfunctions").list_executions(
        stateMachineArn=pipeline.addresses["state-machine/arn"]
    )["executions"]
    assert [run["name"] for run in executions].count(name) == 1


@pytest.mark.parametrize(
    "message", ["你好,这是什么?", "مرحبا، كيف حالك؟", "\N{GRINNING FACE}" * 300, '"quoted" \\ back\nslash\t<tag>'],
    ids=["chinese", "arabic", "emoji", "escapes"],
)  # fmt: skip
def test_every_script_survives_the_journey(pipeline: Deployment, message: str):
    """A message in any script is unchanged in the record."""
    accepted = pipeline.call("POST", "/pipeline", {"user_message": message})
    record = pipeline.finished(accepted.body["pipeline_id"])
    assert record["status"] == "SUCCEEDED"
    assert record["user_message"] == message


def test_longest_message_runs(pipeline: Deployment):
    """A message of the maximum size (65,536 bytes of UTF-8) completes."""
    (event_id,) = pipeline.publish(json.dumps({"data": {"user_message": "é" * 32_768}}, ensure_ascii=False))
    assert complete(pipeline.finished(event_id))


def test_idempotency_key_names_one_pipeline(pipeline: Deployment):
    """The same idempotency key and body give the same pipeline; the key with another body gets 409."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = pipeline.call("POST", "/pipeline", {"user_message": "Once"}, key)
    again = pipeline.call("POST", "/pipeline", {"user_message": "Once"}, key)
    other = pipeline.call("POST", "/pipeline", {"user_message": "Twice"}, key)
    assert (first.status, again.status, other.status) == (202, 202, 409)
    assert first.body["pipeline_id"] == again.body["pipeline_id"]
    assert complete(pipeline.finished(first.body["pipeline_id"]))


@pytest.mark.parametrize(("body", "headers", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_are_answered(pipeline: Deployment, body: Any, headers: dict[str, str], status: int):
    """Each kind of bad request gets its status, a machine-readable code and a sentence."""
    answer = pipeline.call("POST", "/pipeline", body, headers)
    assert answer.status == status
    assert answer.body["error"]["code"]
    assert answer.body["error"]["message"]


def test_unknown_id_is_404(pipeline: Deployment):
    """A request for an unknown pipeline gets 404."""
    answer = pipeline.call("GET", "/pipeline/nobody")
    assert (answer.status, answer.body["error"]["code"]) == (404, "not_found")


def test_unsigned_requests_are_refused(pipeline: Deployment):
    """Unsigned requests get 403 for both methods."""
    assert pipeline.call("POST", "/pipeline", {"user_message": "x"}, signed_by=False).status == 403
    assert pipeline.call("GET", "/pipeline/x", signed_by=False).status == 403


def test_preflight_needs_no_signature(pipeline: Deployment):
    """A browser's preflight request is answered unsigned, with the headers and methods that the API needs."""
    answer = pipeline.call("OPTIONS", "/pipeline", headers={"Origin": "https://x.example"}, signed_by=False)
    assert answer.status in (200, 204)
    allowed = {name.lower(): value for name, value in answer.headers.items()}
    assert "POST" in allowed["access-control-allow-methods"]
    assert "Idempotency-Key" in allowed["access-control-allow-headers"]


def test_iam_decides_who_may_call(pipeline: Deployment, user):
    """A caller with execute-api:Invoke is accepted, and one without it is refused."""
    may = user({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"})
    assert pipeline.call("POST", "/pipeline", {"user_message": "x"}, signed_by=may).status == 202
    assert pipeline.call("POST", "/pipeline", {"user_message": "x"}, signed_by=user()).status == 403


def test_malformed_event_is_parked_and_its_siblings_run(pipeline: Deployment):
    """A malformed event is parked with the reason, and the valid events of the same call complete."""
    good_before, _, good_after = pipeline.publish(
        {"data": {"user_message": "good"}}, {"data": {"user_message": 5}}, {"data": {"user_message": "good"}}
    )
    assert complete(pipeline.finished(good_before))
    assert complete(pipeline.finished(good_after))
    (message,) = eventually(lambda: pipeline.parked("trigger"))
    note = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert note["error_type"] == "Pipeline.ContractViolation"
    assert "$.detail.data.user_message" in note["error"]


def test_event_of_another_source_starts_nothing(pipeline: Deployment):
    """A valid-looking request event from another source is not delivered."""
    (stranger,) = pipeline.publish({"data": {"user_message": "x"}}, source="someone.else")
    (friend,) = pipeline.publish({"data": {"user_message": "x"}})
    pipeline.finished(friend)
    assert pipeline.record(stranger) == {}
    assert pipeline.parked("trigger") == []


def test_denied_model_fails_the_run_and_says_so(pipeline: Deployment):
    """Without the right to call the model, a run is FAILED at the chat stage and its message is parked."""
    with pipeline.denied("chatbot", "bedrock:*"):
        (event_id,) = pipeline.publish({"data": {"user_message": "May I?"}})
        record = pipeline.finished(event_id)
    assert (record["status"], record["error"]) == ("FAILED", "Pipeline.Permanent")
    assert "AccessDenied" in record["cause"]
    (message,) = eventually(lambda: pipeline.parked("chatbot"))
    assert message["MessageAttributes"]["pipeline_id"]["StringValue"] == event_id
    (again,) = pipeline.publish({"data": {"user_message": "And now?"}})
    assert complete(pipeline.finished(again))


def test_burst_completes_without_loss(pipeline: Deployment):
    """A hundred events published at once all complete, and no queue keeps a message."""
    ids = pipeline.publish(*({"data": {"user_message": f"Question {n}?"}} for n in range(100)))
    records = [pipeline.finished(event_id) for event_id in ids]
    assert all(complete(record) for record in records)
    sqs = pipeline.client("sqs")
    waiting = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def drained() -> bool:
        return all(
            value == "0"
            for path, url in pipeline.addresses.items()
            if path.startswith("services/")
            for value in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=waiting)["Attributes"].values()
        )

    assert eventually(drained)


def test_nothing_secret_is_logged(pipeline: Deployment):
    """The functions' logs contain neither message texts nor task tokens."""
    secret = f"secret-{uuid.uuid4().hex}"
    (event_id,) = pipeline.publish({"data": {"user_message": secret}})
    pipeline.finished(event_id)
    eventually(lambda: log_lines(pipeline, "logger", event_id))  # written after the record
    logs = pipeline.client("logs")
    seen = ""
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            seen += "".join(event["message"] for event in page["events"])
    assert event_id in seen
    assert secret not in seen
    assert "task_token" not in seen
    assert "taskToken" not in seen
