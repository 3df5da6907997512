"""The functions' real handlers with doubles of their clients, and data for each of them."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
import msgspec

from contracts.examples import outcome_of, request_data
from services.analyzer.core import analyze
from shared import aws, observability
from shared.contracts.stages import RECORDED, STAGES
from shared.tests.fakes import FakeEvents, FakeSqs, FakeStepFunctions, client_error

NOW = "2026-11-22T10:00:00Z"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:machine"
ANALYSIS = msgspec.to_builtins(analyze("What is a queue?"))
CHAT: dict[str, Any] = {"text": "A line.", "backend": "bedrock", "model_id": "m", "stop_reason": "end_turn"}
CHAT["usage"] = {"input_tokens": 3, "output_tokens": 2}
METER = {"queue_wait_ms": 5, "work_ms": 7, "attempt": 0, "receives": 1, "input_tokens": 3, "output_tokens": 2}
NOTHING = {"data": None, "meter": None}
RESULTS = {
    **{stage.key: {"data": outcome_of(stage)["data"], "meter": METER} for stage in RECORDED},
    "analysis": {"data": ANALYSIS, "meter": METER},
    "chat": {"data": CHAT, "meter": {**METER, "model_id": "a-model-nobody-priced"}},
    "enhancement": NOTHING,
}
DATA = {
    **{stage.service: request_data(stage) for stage in STAGES},
    "analyzer": {"user_message": "What is a queue?"},
    "chatbot": {"user_message": "What is a queue?", "analysis": ANALYSIS},
    "enhancer": {"chat": CHAT, "analysis": ANALYSIS},
    "logger": {
        "user_message": "What is a queue?",
        "accepted_at": NOW,
        "started_at": NOW,
        "results": RESULTS,
        "errors": {"enhancement": {"Error": "Pipeline.Transient", "Cause": "slow"}},
    },
}
REQUESTS = {stage.service: stage.request.detail_type() for stage in STAGES}
BROKEN = client_error("InternalFailure", "Call", 500)


class _StepFunctions(FakeStepFunctions):
    def start_execution(self, *, stateMachineArn: str, name: str, **_: Any) -> dict[str, Any]:
        self._refuse()
        return {"executionArn": f"{stateMachineArn}:{name}", "startDate": datetime(2026, 11, 22, tzinfo=UTC)}

    def list_executions(self, **_: Any) -> dict[str, Any]:
        return {"executions": []}

    def get_execution_history(self, **_: Any) -> dict[str, Any]:
        return {"events": []}


class _Model:
    unavailable = ""
    stop_reason = "end_turn"

    def converse(self, *, modelId: str, **_: Any) -> dict[str, Any]:
        if modelId == self.unavailable:
            raise client_error("ThrottlingException", "Converse", 429)
        return {
            "output": {"message": {"content": [{"text": "A line."}]}},
            "stopReason": self.stop_reason,
            "usage": {"inputTokens": 9, "outputTokens": 6},
        }


class _Functions:
    def get_event_source_mapping(self, **_: Any) -> dict[str, Any]:
        return {"State": "Enabled"}


class Stand:
    """One function with doubles of its clients, loaded as Lambda loads it; `call` invokes its handler."""

    def __init__(self, module: str) -> None:
        self.step_functions, self.dlq, self.bus = _StepFunctions(), FakeSqs(), FakeEvents()
        self.clients = {
            "stepfunctions": self.step_functions,
            "sqs": self.dlq,
            "events": self.bus,
            "dynamodb": boto3.client("dynamodb"),
            "bedrock-runtime": _Model(),
            "lambda": _Functions(),
        }
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.loader is not None
        fresh = importlib.util.module_from_spec(spec)  # not in sys.modules: it keeps its doubles to itself
        spec.loader.exec_module(fresh)
        self.call = fresh.handler

    def create_client(self, service: str, **_: Any) -> Any:
        return self.clients[service]

    def messages(self, *records: dict[str, Any]) -> None:
        self.call({"Records": list(records)}, None)

    @contextmanager
    def broken(self, double: Any, error: Exception = BROKEN) -> Iterator[None]:
        double.error = error
        try:
            yield
        finally:
            double.error = None


def forget() -> None:
    """Clear what a process keeps: cached clients, and Powertools' metrics and dimensions."""
    kept = observability.metrics()
    kept.clear_default_dimensions()
    kept.clear_metrics()
    observability.metrics.cache_clear()
    aws.client.cache_clear()
