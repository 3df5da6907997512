"""Properties of the contracts and of the worker that hold for any input."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.bus import Bus
from shared.contracts import schemas, v1, v2
from shared.contracts.envelope import Delivery, Event, Metadata, Outgoing, PartialMetadata
from shared.contracts.reading import read, unknown_fields
from shared.contracts.stages import EVERY
from shared.contracts.upcasting import EVENTS, UPCASTERS
from shared.parking import ParkingLot
from shared.runtime import stage_route
from shared.tests.fakes import FakeEvents, FakeSqs, FakeStepFunctions, sqs_record, stage_event
from shared.tests.strategies import JSON, SAID, TEXT, nearly, turns, values
from shared.worker import ExternalRoute, Route, Worker
from shared.worker.outcome import Callback

pytestmark = pytest.mark.slow

TYPES = (*EVENTS, *(stage.result for stage in EVERY), v1.Meter, Metadata, PartialMetadata)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@given(data=st.data())
def test_every_value_survives_the_journey(kind, data):
    """Any value of any contract type is the same after encoding and decoding, and has no unknown field."""
    value = data.draw(values(kind))
    raw = msgspec.json.encode(value)
    assert read(raw, kind) == value
    assert unknown_fields(raw, value) is None


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.detail_type())
@given(data=st.data())
def test_every_event_that_is_published_keeps_its_schema(kind, data):
    """Every value that a type accepts is valid by the committed JSON Schema."""
    event = Outgoing(data=data.draw(values(kind)), pipeline_id="p", event_id="e", correlation_id="c")
    detail = msgspec.json.decode(msgspec.json.encode(event.detail()))
    if kind.NAME in {stage.request.NAME for stage in EVERY}:
        detail["task_token"] = "token"
    VALIDATORS[kind.detail_type()].validate(detail)


VALIDATORS = {
    kind.detail_type(): jsonschema.Draft202012Validator(schemas.event_schema(kind)) for kind in EVENTS
}
"""Made once: `jsonschema.validate` would examine the schema, too, for each example, which test_contracts.py does."""


@pytest.mark.parametrize("step", UPCASTERS, ids=lambda step: f"{step.old.detail_type()}-v{step.new.VERSION}")
@given(data=st.data())
def test_every_old_event_can_be_read_as_the_next_version(step, data):
    """Every valid event of an old version is valid in the new one after upcasting."""
    new = step.upcast(data.draw(values(step.old)))
    assert isinstance(new, step.new)
    assert read(msgspec.json.encode(new), step.new) == new


class Bench:
    """A worker with a stage, a start event in two versions and a foreign event, on fakes; none of these can fail."""

    def __init__(self) -> None:
        self.step_functions, self.dlq, self.events = FakeStepFunctions(), FakeSqs(), FakeEvents()
        self.ran = 0
        self.worker = Worker(
            service="chatbot",
            routes={
                **stage_route("chatbot", self.run),
                "pipeline.requested.v2": Route(request=v2.PipelineRequested, run=self.run),
                "Something Happened": ExternalRoute(run=self.hear, source="aws.states"),
            },
            callback=Callback(self.step_functions),
            parking=ParkingLot(lambda: self.dlq, dlq_url="https://queue/dlq", service="chatbot"),
            bus=Bus(lambda: self.events, "bus"),
        )

    def run(self, request: Event, metadata: Metadata) -> Event:
        assert isinstance(request, (v1.ChatRequested, v2.PipelineRequested))
        assert isinstance(metadata.pipeline_id, str)
        self.ran += 1
        return request

    def hear(self, _: Delivery) -> None:
        self.ran += 1

    def settles(self, body: str) -> None:
        """Handle `body` between two valid messages: these run, and `body` is run or parked, never lost or left."""
        records = [sqs_record(chat(f"good-{n}")) for n in range(2)]
        records.insert(1, sqs_record(body))
        assert self.worker.handle({"Records": records}, None) == {"batchItemFailures": []}
        assert {"good-0", "good-1"} <= self.step_functions.successes.keys()
        parked = [message["MessageBody"] for message in self.dlq.sent]
        assert (self.ran, parked) in ((3, []), (2, [body]))
        assert len(self.events.entries) == len(parked)


def chat(token: str) -> dict[str, Any]:
    turn = {"role": "user", "text": "Who?"}
    before = [turn, {**turn, "role": "assistant"}]
    return stage_event("chat.requested.v1", {"user_message": "Hi", "history": before}, token=token)


def start(data: Any, version: int = 2, **metadata: Any) -> dict[str, Any]:
    return {
        "source": "ai.pipeline",
        "detail-type": f"pipeline.requested.v{version}",
        "id": "event-1",
        "time": "2026-11-22T10:00:00Z",
        "detail": {"data": data, "metadata": metadata},
    }


NEARLY = st.one_of(
    nearly(chat("token-1")),
    nearly(start({"user_message": "Hi"}, 1, pipeline_id="p-1", schema_version=1)),
    turns().flatmap(lambda said: nearly(start({"messages": said}, pipeline_id="p-1"))),
    nearly({"source": "aws.states", "detail-type": "Something Happened", "detail": {"a": 1}}),
)


@given(body=TEXT | JSON.map(json.dumps))
@example("")
@example("[" * 10_000)
@example('{"source": "ai.pipeline", "detail-type": "chat.requested.v1", "detail": {"task_token": "\\ud800"}}')
@example('{"a": 1e999}')
@example("\ud800")
def test_the_worker_settles_any_text(body):
    """Any invalid body, JSON or not, is parked; nothing is raised or lost, and the batch's other messages run."""
    Bench().settles(body)


@given(event=NEARLY)
def test_the_worker_settles_what_is_nearly_an_event(event):
    """An event with random changes is run or parked, and the batch's other messages run."""
    Bench().settles(json.dumps(event, ensure_ascii=False))


@given(event=NEARLY, cut=st.integers(0, 400))
def test_the_worker_settles_what_was_cut_off(event, cut):
    """A truncated message is parked."""
    Bench().settles(json.dumps(event, ensure_ascii=False)[:cut])


@given(text=SAID, version=st.integers(-1, 5))
def test_the_worker_reads_the_versions_it_names_and_no_others(text, version):
    """Only a version that the worker reads is run, whatever the event contains."""
    data = {"user_message": text, "messages": [{"role": "user", "text": text}]}
    bench = Bench()
    bench.settles(json.dumps(start(data, version), ensure_ascii=False))
    assert (bench.ran == 3) is (version in (1, 2))
