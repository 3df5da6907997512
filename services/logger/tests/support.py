"""What the logger's tests give it: requests to log a run, ends of executions, and their history."""

import json
from typing import Any

import msgspec

from services.logger import core
from shared.contracts import v1
from shared.contracts.envelope import Delivery
from shared.contracts.reading import read
from shared.contracts.stages import LogRequested
from shared.contracts.v1 import Meter
from shared.tests import samples

ARN = "arn:aws:states:us-east-1:000000000000:execution:machine:p-1"
METER = {"queue_wait_ms": 5, "work_ms": 7, "attempt": 0, "receives": 1, "input_tokens": 1, "output_tokens": 2}
ANALYSIS, ENHANCEMENT = map(msgspec.to_builtins, (samples.ANALYSIS, samples.ENHANCEMENT))
CHAT = {
    "text": "Hello",
    "backend": "bedrock",
    "model_id": "m",
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
OWN = Meter(queue_wait_ms=5, work_ms=1, attempt=0, receives=1, batch=2, message_bytes=2_000)
EMPTY = {"data": None, "meter": None}


class FakeHistory:
    """An execution's history, newest event first; raises `error` while it is set."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.end: dict[str, Any] = {"type": "ExecutionTimedOut"}
        self.after_end: list[dict[str, Any]] = []
        self.asked = 0
        self.error: Exception | None = None
        self.described: dict[str, Any] = {}
        self.describe_error: Exception | None = None

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if self.describe_error:
            raise self.describe_error
        return {"executionArn": executionArn, **self.described}

    def get_execution_history(self, *, reverseOrder: bool, **_: Any) -> dict[str, Any]:
        self.asked += 1
        if self.error:
            raise self.error
        entered = [
            {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}} for name in self.states
        ]
        assert reverseOrder
        return {"events": [*self.after_end, self.end, {"type": "TaskFailed"}, *reversed(entered)]}


def request(**changes: Any) -> v1.LogRequested:
    results = {
        "analysis": {"data": ANALYSIS, "meter": METER},
        "chat": {"data": CHAT, "meter": METER},
        "enhancement": {"data": ENHANCEMENT, "meter": METER},
        **changes.pop("results", {}),
    }
    return msgspec.convert(
        {
            "user_message": "Hi",
            "accepted_at": "2026-11-22T10:00:00Z",
            "started_at": "2026-11-22T10:00:01Z",
            "results": results,
            "errors": {},
            **changes,
        },
        LogRequested,
    )


def status_change(**changes: Any) -> Delivery:
    state = {
        "metadata": {"pipeline_id": "p-1", "correlation_id": "c", "accepted_at": "2026-11-22T10:00:00Z"},
        "request": {"user_message": "Hi"},
    }
    detail = {
        "executionArn": ARN,
        "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:machine",
        "name": "p-1",
        "status": "FAILED",
        "startDate": 1_795_341_600_000,
        "stopDate": 1_795_341_605_000,
        "input": json.dumps(state),
        "error": "Pipeline.Permanent",
        "cause": "denied",
        **changes,
    }
    event = {"source": core.SOURCE, "detail-type": core.DETAIL_TYPE, "id": "e", "detail": detail}
    return read(json.dumps(event), Delivery)
