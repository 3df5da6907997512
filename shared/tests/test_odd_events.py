"""Events that are valid by their types and would fail at first use: parked at once, and their publisher told."""

import json
from typing import Any

import pytest

from shared.bus import Bus
from shared.contracts import v1
from shared.contracts.envelope import Metadata
from shared.contracts.limits import ID_CHARS
from shared.contracts.reading import read
from shared.errors import ContractViolation
from shared.parking import ParkingLot
from shared.runtime import stage_route
from shared.tests.fakes import FakeEvents, FakeSqs, FakeStepFunctions, sqs_record, stage_event
from shared.worker import Route, Worker
from shared.worker.outcome import Callback

NINES = "9" * 5_000
EARLY, LATE = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"
DEEP = "[" * 100_000 + "]" * 100_000


ANSWER = v1.ChatAnswer(text="Hello", backend="bedrock", model_id="m", stop_reason="end_turn")


class Bench:
    """A worker on doubles that starts runs and answers chat requests with `outcome`."""

    def __init__(self, outcome: v1.ChatAnswer = ANSWER) -> None:
        self.step_functions, self.dlq, self.events = FakeStepFunctions(), FakeSqs(), FakeEvents()
        self.started: list[str] = []
        self.worker = Worker(
            service="chatbot",
            routes={
                **stage_route("chatbot", lambda *_: outcome),
                "pipeline.requested.v1": Route(
                    request=v1.PipelineRequested, run=lambda _, run: self.started.append(run.pipeline_id)
                ),
            },
            callback=Callback(self.step_functions),
            parking=ParkingLot(lambda: self.dlq, dlq_url="https://queue/dlq", service="chatbot"),
            bus=Bus(lambda: self.events, "bus"),
        )

    def left(self, body: Any) -> list[Any]:
        """Deliver a message; return what is to be delivered again."""
        failures: list[Any] = self.worker.handle({"Records": [sqs_record(body)]}, None)["batchItemFailures"]
        return failures


def request(metadata: Any = None, **event: Any) -> str:
    """Return the body of an event that starts a run."""
    detail = {"data": {"user_message": "hi"}, **({} if metadata is None else {"metadata": metadata})}
    whole = {"source": "ai.pipeline", "detail-type": "pipeline.requested.v1", "id": "e-1", "detail": detail}
    return json.dumps({**whole, **event})


BROKEN = [
    (request({"occurred_at": EARLY}), "$.detail.metadata.occurred_at"),
    (request({"occurred_at": LATE}), "$.detail.metadata.occurred_at"),
    (request({"occurred_at": "2016-12-31T23:59:60Z"}), "$.detail.metadata.occurred_at"),
    (request(time=EARLY), "$.time"),
    (request(time="2016-12-31T23:59:60Z"), "$.time"),
    (request({"pipeline_id": "order-7\n"}), "$.detail.metadata.pipeline_id"),
    (request({"pipeline_id": "order 7"}), "$.detail.metadata.pipeline_id"),
    (request({"correlation_id": "c" * (ID_CHARS + 1)}), "$.detail.metadata.correlation_id"),
    (request(id="i" * 300), "$.id"),
    (request(id=""), "$.id"),
    (request({"pipeline_id": "p"}, id="i" * 300), "$.id"),
    (request({"attempt": 1}).replace('"attempt": 1', f'"attempt": {NINES}'), "$.detail.metadata.attempt"),
    (request({"traceparent": 1}).replace('"traceparent": 1', f'"traceparent": {NINES}'), "$.detail.metadata"),
    (request({"x": 1}).replace('"x": 1', f'"x": {DEEP}'), "$"),
    (request({"x": 1}).replace('"x": 1', '"x": "\\ud83d"'), "$"),
    (request({"x": 1}).replace('"x": 1', '"x": NaN'), "$"),
    (request().replace('"hi"', '"\\u200b"'), "$.detail.data.user_message"),
    (request().replace('"hi"', '"\\u0000"'), "$.detail.data"),
    (request().replace('"hi"', '"a\\uffff"'), "$.detail.data.user_message"),
]


@pytest.mark.parametrize(("body", "path"), BROKEN)
def test_an_odd_event_is_parked_at_once_and_told(body, path):
    """It is parked with path and reason at its first delivery, and contract.rejected tells its publisher."""
    bench = Bench()
    assert bench.left(body) == []
    assert bench.dlq.sent[0]["MessageBody"] == body
    assert not bench.started
    noted = bench.dlq.attributes()
    assert noted["error_type"] == ContractViolation.NAME
    (told,) = bench.events.details("contract.rejected.v1")
    assert told["data"]["path"].startswith(path)
    assert noted["error"].startswith(told["data"]["reason"])


@pytest.mark.parametrize("event_id", ["i" * 300, "i" * 100_000, "p\n", "é x", "\u202e", "", "e" * 64])
def test_a_rejection_keeps_its_own_contract(event_id):
    """Whatever id the rejected event has, the rejection is an event with a possible pipeline id, and is published."""
    bench = Bench()
    assert bench.left(request(id=event_id, detail={"data": {}})) == []
    (told,) = bench.events.details("contract.rejected.v1")
    assert len(bench.dlq.sent) == 1
    assert len(json.dumps(told)) < 4_000
    metadata = read(json.dumps(told["metadata"]), Metadata)
    assert metadata.pipeline_id in (event_id, "unknown")


@pytest.mark.parametrize("moment", [EARLY, LATE])
def test_a_log_request_with_an_impossible_time_is_a_violation(moment):
    """The logger is asked for times only that have a date in UTC; the reason names the field."""
    data = {"user_message": "hi", "started_at": moment, "accepted_at": "2026-11-22T10:00:00Z"}
    rest: dict[str, Any] = {
        "results": {name: {} for name in ("analysis", "chat", "enhancement")},
        "errors": {},
    }
    with pytest.raises(ContractViolation, match="`started_at` must be in the years"):
        read(json.dumps({**data, **rest}), v1.LogRequested)


def test_a_result_is_carried_to_the_next_stage():
    """A character in a result that SQS would not carry is replaced, so that no later stage lacks its message."""
    answer = v1.ChatAnswer(
        text="a\ufffe\uffffb", backend="function", model_id="m\uffff", stop_reason="end_turn"
    )
    bench = Bench(answer)
    assert bench.left(stage_event("chat.requested.v1", {"user_message": "Hi"})) == []
    (output,) = bench.step_functions.successes.values()
    assert output["data"]["text"] == "a\ufffd\ufffdb"
    assert output["data"]["model_id"] == "m\ufffd"
