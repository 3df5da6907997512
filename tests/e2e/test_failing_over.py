"""A first model that fails: no run is lost, and each says which model answered, why, and what it cost."""

import pytest

from local.model_server import Reply
from tests.e2e.conftest import Deployment
from tests.e2e.support import Shell, complete, question, shell

__all__ = ["shell"]

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

SECOND = "amazon.nova-pro-v1:0"
RUNS = 20


def test_a_failing_first_model_loses_nothing(pipeline: Deployment, shell: Shell):
    """With a throttled first model, each run is answered at its first attempt, and the report tells what that cost.

    After three failures the first model costs a run no call any more.
    """
    first = pipeline.model.model.name
    texts = [question() for _ in range(RUNS)]
    pipeline.model.by_model[first] = lambda _: Reply(status=429)
    try:
        with pipeline.set("chatbot", FALLBACK_MODEL_IDS=SECOND):
            ids = pipeline.publish(*({"data": {"user_message": text}} for text in texts))
            records = {text: pipeline.finished(event_id) for text, event_id in zip(texts, ids, strict=True)}
    finally:
        del pipeline.model.by_model[first]
    for text, record in records.items():
        assert complete(record)
        assert record["final_response"] == f"You asked: {text}"
        assert (record["chat"]["model_id"], record["stages"]["chat"]["attempt"]) == (SECOND, 0)
        (failed,) = record["chat"]["instead_of"]
        assert failed["model_id"] == first
        assert "Converse answered ThrottlingException (HTTP 429)" in failed["reason"]
    asked = [
        request["model"]
        for request in pipeline.model.requests
        if str(request["messages"][-1]["content"]) in texts
    ]
    assert asked.count(SECOND) == RUNS
    assert 1 <= asked.count(first) < RUNS
    assert f"{first} did not answer: " in shell("show", ids[0]).output
    report = shell.json("cost")
    (second,) = [model for model in report["models"] if model["name"] == SECOND]
    assert second["runs"] == second["failed_over"] == RUNS
    assert second["failed_over_nano_usd"] == second["nano_usd"] > 0
