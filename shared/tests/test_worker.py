"""The worker: the outcome of a message for every way in which a stage can end."""

import json
import time

import pytest

from shared.contracts import v1
from shared.contracts.envelope import Metadata
from shared.errors import PermanentError, TransientError
from shared.runtime import stage_route
from shared.tests.fakes import (
    client_error,
    sqs_record,
    stage_event,
)
from shared.tests.worker_bench import ANSWER, LAST_ATTEMPT, SECRET, Bench, bench

__all__ = ["bench"]


def test_success_is_called_back_with_result_and_meter(bench):
    """A stage's result is sent with its token and meter: time, deliveries, tokens and model."""
    assert bench.handle(bench.chat(attempt=1, sent_ms=int(time.time() * 1000) - 2_000)) == []
    output = bench.step_functions.successes["token-1"]
    assert output["data"]["text"] == "Hello"
    meter = output["meter"]
    assert (meter["attempt"], meter["receives"], meter["input_tokens"], meter["output_tokens"]) == (
        1,
        1,
        3,
        5,
    )
    assert meter["queue_wait_ms"] >= 2_000
    assert bench.dlq.sent == []


def test_meter_says_what_a_message_is_billed_by(bench, monkeypatch):
    """The meter holds the function's memory and architecture, the message's size and the size of its batch."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
    monkeypatch.setattr("shared.worker.outcome.platform.machine", lambda: "aarch64")
    record = bench.chat(token="a")
    bench.handle(record, bench.chat(token="b"))
    meter = bench.step_functions.successes["a"]["meter"]
    assert (meter["memory_mb"], meter["architecture"], meter["batch"]) == (256, "arm64", 2)
    assert meter["message_bytes"] == len(record["body"].encode())
    bench.handle(bench.chat(token="c"))
    assert bench.step_functions.successes["c"]["meter"]["batch"] == 1


def test_meter_tells_the_code_that_ran(bench, monkeypatch):
    """The meter holds the revision that the deployment set, cut to its bound, and none if it set none."""
    bench.handle(bench.chat(token="a"))
    assert "revision" not in bench.step_functions.successes["a"]["meter"]
    monkeypatch.setenv("CODE_REVISION", "0123456789abcdef")
    bench.handle(bench.chat(token="b"))
    assert bench.step_functions.successes["b"]["meter"]["revision"] == "0123456789ab"


def test_a_stage_may_see_its_own_meter():
    """A route with `metered` gets the meter as it is before its result is known."""
    seen: list[v1.Meter] = []

    def run(request: v1.ChatRequested, metadata: Metadata, *, meter: v1.Meter) -> v1.ChatAnswer:
        seen.append(meter)
        return ANSWER

    bench = Bench(stage_route("chatbot", run, metered=True))
    bench.handle(bench.chat(attempt=2, receives=2), bench.chat())
    assert [(meter.attempt, meter.receives, meter.batch) for meter in seen] == [(2, 2, 2), (0, 1, 2)]


def test_output_is_not_ascii_escaped(bench):
    """Text is put into the state as UTF-8: an escaped emoji would take three times the space."""
    bench.outcome = v1.ChatAnswer(text="\N{GRINNING FACE}", backend="bedrock", model_id="m", stop_reason="s")
    sent: list[str] = []
    bench.step_functions.send_task_success = lambda *, taskToken, output: sent.append(output)
    bench.handle(bench.chat())
    assert "\N{GRINNING FACE}" in sent[0]


@pytest.mark.parametrize("attempt", range(LAST_ATTEMPT))
def test_transient_failure_is_reported_and_not_parked(bench, attempt):
    """Step Functions retries a transient failure; before the last attempt nothing is parked."""
    bench.outcome = TransientError("Converse answered ThrottlingException (HTTP 429)")
    assert bench.handle(bench.chat(attempt=attempt)) == []
    assert bench.step_functions.failures["token-1"][0] == "Pipeline.Transient"
    assert bench.dlq.sent == []


def test_last_transient_failure_is_parked_first(bench):
    """At the last attempt the message is parked before the failure is reported."""
    bench.outcome = TransientError("slow")
    order: list[str] = []
    bench.dlq.send_message = lambda **_: order.append("parked")
    bench.step_functions.send_task_failure = lambda **_: order.append("reported")
    bench.handle(bench.chat(attempt=LAST_ATTEMPT))
    assert order == ["parked", "reported"]


def test_permanent_failure_is_parked_with_what_is_known(bench):
    """A permanent failure is parked at once, with run, attempt, error and time as attributes."""
    bench.outcome = PermanentError("Converse answered AccessDeniedException (HTTP 403)")
    assert bench.handle(bench.chat(attempt=2)) == []
    note = bench.dlq.attributes()
    assert note["service"] == "chatbot"
    assert note["pipeline_id"] == "pipeline-1"
    assert note["execution_arn"].endswith(":machine:pipeline-1")
    assert (note["attempt"], note["error_type"]) == ("2", "Pipeline.Permanent")
    assert "AccessDenied" in note["error"]
    assert note["parked_at"].startswith("20")
    assert bench.step_functions.failures["token-1"][0] == "Pipeline.Permanent"


def test_unexpected_exception_is_transient_and_quotes_nothing(bench, capsys):
    """A bug in a stage is retried; neither report nor log repeats the exception's text or the message."""
    bench.outcome = KeyError(SECRET)
    assert bench.handle(bench.chat()) == []
    error, cause = bench.step_functions.failures["token-1"]
    logged = capsys.readouterr().out
    assert error == "Pipeline.Transient"
    assert "KeyError" in cause
    assert "KeyError" in logged
    assert SECRET not in cause + logged


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_settled_token_is_acknowledged(bench, code):
    """An outcome for a task that is over is dropped: neither redelivered nor parked."""
    bench.step_functions.error = client_error(code, "SendTaskSuccess")
    assert bench.handle(bench.chat()) == []
    assert bench.dlq.sent == []


def test_settled_token_at_a_failure_is_acknowledged(bench):
    """A failure for a task that is over is dropped, too; a message parked for it stays parked."""
    bench.outcome = PermanentError("denied")
    bench.step_functions.error = client_error("TaskTimedOut", "SendTaskFailure")
    assert bench.handle(bench.chat()) == []
    assert len(bench.dlq.sent) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalServerError"])
def test_failing_callback_leaves_the_message(bench, code):
    """If the callback fails, the message stays in its queue and the other messages are handled."""
    bad, good = bench.chat(token="bad"), bench.chat(token="good")

    def succeed(*, taskToken: str, output: str) -> None:
        if taskToken == "bad":
            raise client_error(code, "SendTaskSuccess")
        bench.step_functions.successes[taskToken] = json.loads(output)

    bench.step_functions.send_task_success = succeed
    assert bench.handle(bad, good) == [bad["messageId"]]
    assert "good" in bench.step_functions.successes


def test_failing_park_leaves_the_message_unreported(bench):
    """If a message can't be parked, its failure is not reported and the message stays in its queue."""
    bench.outcome = PermanentError("denied")
    bench.dlq.error = client_error("AccessDenied", "SendMessage", 403)
    record = bench.chat()
    assert bench.handle(record) == [record["messageId"]]
    assert bench.step_functions.failures == {}


BROKEN = {
    "not JSON": ("{", "The text is not valid JSON", "$"),
    "wrong shape": ({"hello": 1}, "missing required field", "$"),
    "array": ([1], "Expected `object`", "$"),
    "unknown type": (stage_event("other.requested.v1", {}), "accepts: chat.requested.v1, ", "$.detail-type"),
    "newer version": (stage_event("chat.requested.v2", {}), "accepts: chat.requested.v1, ", "$.detail-type"),
    "other source": (
        {**stage_event("chat.requested.v1", {}), "source": "evil"},
        "Events from this source are not accepted",
        "$.source",
    ),
    "other version inside": (
        stage_event("chat.requested.v1", {"user_message": "x"}, schema_version=2),
        "another schema",
        "$.detail.metadata.schema_version",
    ),
    "no data": (
        {"source": "ai.pipeline", "detail-type": "chat.requested.v1", "detail": {}},
        "missing required field `data`",
        "$.detail",
    ),
    "bad data": (
        stage_event("chat.requested.v1", {"user_message": 1}),
        "Expected `str`",
        "$.detail.data.user_message",
    ),
    "no metadata": (
        {"source": "ai.pipeline", "detail-type": "chat.requested.v1", "detail": {"data": {}}},
        "Expected `object`, got `null`",
        "$.detail.metadata",
    ),
}


@pytest.mark.parametrize(("body", "reason", "path"), BROKEN.values(), ids=BROKEN)
def test_broken_event_is_parked_and_rejected(bench, body, reason, path):
    """An event that breaks its contract is parked with the reason and published as rejected; the others run."""
    raw = body if isinstance(body, str) else json.dumps(body)
    good = bench.chat(token="good")
    assert bench.handle(sqs_record(raw), good) == []
    assert bench.dlq.sent[0]["MessageBody"] == raw
    assert bench.dlq.attributes()["error_type"] == "Pipeline.ContractViolation"
    (rejected,) = bench.events.details("contract.rejected.v1")
    assert reason in rejected["data"]["reason"]
    assert rejected["data"]["path"] == path
    assert "good" in bench.step_functions.successes


def test_rejection_says_which_event_where_and_why_and_not_what(bench):
    """contract.rejected has the id that EventBridge gave the event, path and reason, and no text of the message."""
    text = "somebody's secret"
    event = stage_event("chat.requested.v1", {"user_message": {"text": text}})
    bench.handle(sqs_record({**event, "id": "event-of-eventbridge"}))
    (rejected,) = bench.events.details("contract.rejected.v1")
    assert rejected["data"] == {
        "service": "chatbot",
        "rejected_event_id": "event-of-eventbridge",
        "rejected_detail_type": "chat.requested.v1",
        "path": "$.detail.data.user_message",
        "reason": "Expected `str`, got `object`",
    }
    assert rejected["metadata"]["causation_id"] == "event-of-eventbridge"
    assert text not in json.dumps(bench.events.entries, default=str)
    assert text not in json.dumps(bench.dlq.attributes())


@pytest.mark.parametrize(
    "event",
    [
        stage_event("chat.requested.v1", {"user_message": 1}),
        stage_event("chat.requested.v2", {"user_message": "x"}),
        {
            "source": "ai.pipeline",
            "detail-type": "chat.requested.v1",
            "detail": {"task_token": "token-1"},
        },
    ],
    ids=["data", "version", "envelope"],
)
def test_contract_violation_with_a_readable_token_fails_its_state(bench, event):
    """If an invalid event's token can be read, its task fails at once instead of timing out."""
    bench.handle(sqs_record(event))
    assert bench.step_functions.failures["token-1"][0] == "Pipeline.ContractViolation"


def test_rejection_that_cannot_be_published_still_parks(bench):
    """If the bus is down, contract.rejected is lost, but the message is parked."""
    bench.events.error = client_error("InternalException", "PutEvents", 500)
    assert bench.handle(sqs_record("{")) == []
    assert len(bench.dlq.sent) == 1


def test_message_without_token_is_retried_by_sqs(bench):
    """A start event stays in its queue after a transient failure, as only SQS can retry it."""
    event = {
        "source": "ai.pipeline",
        "detail-type": "pipeline.requested.v1",
        "id": "evt",
        "detail": {"data": {"user_message": "x"}},
    }
    bench.outcome = TransientError("throttled")
    record = sqs_record(event, receives=4)
    assert bench.handle(record) == [record["messageId"]]
    bench.outcome = ANSWER
    assert bench.handle(record) == []
    assert bench.started == ["evt"]


def test_foreign_event_gets_its_own_route(bench):
    """An event of an AWS service is passed on unchanged, and only if its own source sent it."""
    event = {"source": "aws.states", "detail-type": "Something Happened", "id": "1", "detail": {"a": 1}}
    assert bench.handle(sqs_record(event), sqs_record({**event, "source": "ai.pipeline"})) == []
    assert [json.loads(bytes(delivery.detail)) for delivery in bench.foreign] == [{"a": 1}]
    assert len(bench.dlq.sent) == 1


def test_nothing_secret_reaches_logs_or_attributes(bench, capsys):
    """Neither token nor message text is logged, parked as an attribute or published, in any outcome."""
    token = "AAAA-secret-token"
    for outcome in (ANSWER, TransientError("t"), PermanentError("p"), ValueError(SECRET)):
        bench.outcome = outcome
        bench.handle(bench.chat(token=token, attempt=LAST_ATTEMPT))
    bench.handle(sqs_record(stage_event("chat.requested.v1", {"user_message": [SECRET]}, token=token)))
    logged = capsys.readouterr().out
    assert '"outcome":"Parked"' in logged
    assert '"pipeline_id":"pipeline-1"' in logged
    said = logged + json.dumps(bench.events.entries, default=str)
    said += "".join(json.dumps(message["MessageAttributes"]) for message in bench.dlq.sent)
    assert token not in said
    assert SECRET not in said
