"""A worker on doubles, for the tests of what becomes of a message."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from shared.bus import Bus
from shared.contracts import v1
from shared.contracts.envelope import Delivery, Metadata
from shared.contracts.stages import RETRY
from shared.observability import logger
from shared.parking import ParkingLot
from shared.runtime import stage_route
from shared.tests.fakes import (
    FakeEvents,
    FakeSqs,
    FakeStepFunctions,
    sqs_record,
    stage_event,
)
from shared.worker import Billed, ExternalRoute, Paid, Route, Worker
from shared.worker.outcome import Callback

ANSWER = v1.ChatAnswer(text="Hello", backend="bedrock", model_id="model", stop_reason="end_turn")
LAST_ATTEMPT = RETRY.max_attempts
SECRET = "the user's private words"


class Bench:
    """A worker of the chatbot stage on doubles, with a replaceable stage function."""

    def __init__(
        self,
        others: Mapping[str, Route[Any] | ExternalRoute] | None = None,
        *,
        stored: v1.ChatAnswer | None = None,
    ) -> None:
        """`others` are routes that replace the bench's own; `stored` is the answer that the stage can recall."""
        self.step_functions = FakeStepFunctions()
        self.dlq = FakeSqs()
        self.events = FakeEvents()
        self.asked: list[v1.ChatRequested] = []
        self.outcome: Any = ANSWER
        self.started: list[str] = []
        self.foreign: list[Delivery] = []
        routes: dict[str, Route[Any] | ExternalRoute] = {
            **stage_route("chatbot", self.run, recall=lambda *_: stored),
            "pipeline.requested.v1": Route(request=v1.PipelineRequested, run=self.start),
            "Something Happened": ExternalRoute(run=self.foreign.append, source="aws.states"),
        }
        self.worker = Worker(
            service="chatbot",
            routes=others or routes,
            callback=Callback(self.step_functions),
            parking=ParkingLot(lambda: self.dlq, dlq_url="https://queue/dlq", service="chatbot"),
            bus=Bus(lambda: self.events, "bus"),
        )

    def run(self, request: v1.ChatRequested, metadata: Metadata) -> Paid[v1.ChatAnswer]:
        self.asked.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert isinstance(self.outcome, v1.ChatAnswer)
        billed = Billed(input_tokens=3, output_tokens=5, model_id="model")
        return Paid(result=self.outcome, billed=billed)

    def start(self, request: v1.PipelineRequested, metadata: Metadata) -> None:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.started.append(metadata.pipeline_id)

    def handle(self, *records: dict[str, Any]) -> list[str]:
        """The ids of the messages to deliver again."""
        answer = self.worker.handle({"Records": list(records)}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def chat(self, **changes: Any) -> dict[str, Any]:
        of_message = {name: changes.pop(name) for name in ("receives", "sent_ms") if name in changes}
        event = stage_event("chat.requested.v1", {"user_message": SECRET}, **changes)
        return sqs_record(event, **of_message)


@pytest.fixture
def bench(monkeypatch):
    """A bench whose log goes to this test's captured output: Powertools binds to stdout once per name."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{uuid.uuid4().hex}")
    logger.cache_clear()
    return Bench()
