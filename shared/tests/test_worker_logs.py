"""The worker: what it logs, traces and counts about a message."""

import json
import time
from typing import Any

import pytest

from shared.contracts import v1
from shared.contracts.envelope import trace_id
from shared.contracts.wasted import paid_for, paid_in
from shared.errors import PermanentError, TransientError
from shared.tests.fakes import sqs_record, stage_event
from shared.tests.worker_bench import bench

__all__ = ["bench"]

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def notes(logged: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, logged.splitlines()) if "outcome" in line]


def test_a_log_line_tells_a_cold_start(bench, capsys):
    """The first batch of a process tells that its messages waited for its start, if they were sent before that."""
    later = int(time.time() * 1_000) + 60_000
    bench.handle(bench.chat(token="a", sent_ms=1), bench.chat(token="b", sent_ms=later))
    bench.handle(bench.chat(token="c", sent_ms=1))
    told = [line.get("cold_start") for line in notes(capsys.readouterr().out)]
    assert told == [True, None, None]


def test_log_lines_name_the_run_its_trace_and_the_message(bench, capsys):
    """Every log line about a message has its run, trace and ids, and none of the message before."""
    first = bench.chat(token="a", traceparent=TRACEPARENT)
    start = stage_event("pipeline.requested.v1", {"user_message": "Hi"}, token=None, pipeline_id="p-2")
    bench.handle(first, sqs_record(start), sqs_record("garbage"))
    chat, started, *unread = notes(capsys.readouterr().out)
    assert (chat["pipeline_id"], chat["trace_id"]) == ("pipeline-1", TRACEPARENT[3:35])
    assert (chat["message_id"], chat["event_id"], chat["delivery_id"]) == (
        first["messageId"],
        "event-1",
        "delivery-1",
    )
    assert (started["pipeline_id"], started["trace_id"]) == ("p-2", trace_id(None, "p-2"))
    assert unread
    assert all("trace_id" not in line and "pipeline_id" not in line for line in unread)


def test_a_refusal_is_in_the_trace_of_what_is_refused(bench):
    """`contract.rejected` carries the trace of the event it is about."""
    bench.handle(sqs_record(stage_event("chat.requested.v1", {"user_message": 7}, traceparent=TRACEPARENT)))
    (rejected,) = bench.events.details("contract.rejected.v1")
    assert rejected["metadata"]["traceparent"] == TRACEPARENT


def test_metrics_are_one_blob_per_batch(bench, capsys):
    """A batch's counts leave as one EMF line with the namespace and no id among the dimensions."""
    bench.handle(bench.chat(token="a"), bench.chat(token="b"))
    lines = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    blobs = [line for line in lines if "model" not in line]
    assert len(blobs) == 1
    assert blobs[0]["Attempts"] == [1.0, 1.0]
    assert blobs[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["environment", "service"]]


@pytest.mark.parametrize("error", [TransientError, PermanentError])
def test_tokens_of_an_unusable_answer_are_counted(bench, capsys, error):
    """The tokens of an answer that was paid for and can't be used are in the metrics, and in the failure's cause."""
    usage = v1.Usage(input_tokens=3, output_tokens=5, cache_read_tokens=7)
    bench.outcome = error(f"No text.{paid_for('m', usage)}")
    bench.handle(bench.chat())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    counted = {name: line[name] for line in lines if line.get("model") == "m" for name in line}
    assert (counted["InputTokens"], counted["OutputTokens"]) == ([10.0], [5.0])
    assert paid_in(bench.step_functions.failures["token-1"][1]) == ("m", usage)
