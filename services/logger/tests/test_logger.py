"""The logger: the records and events of runs that finished, some degraded, some ended early."""

from typing import Any

import msgspec
import pytest

from services.logger.tests.support import ANALYSIS, CHAT, EMPTY, METER, OWN, request
from shared.contracts import v1
from shared.errors import TransientError
from shared.tests import vetting
from shared.tests.fakes import METADATA, client_error


def test_record_has_the_promised_attributes(logger, records):
    """The record has every documented attribute, with the meter of each stage."""
    receipt = logger.completed(request(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert receipt.status == record["status"] == "SUCCEEDED"
    assert record["user_message"] == "Hi"
    assert record["timestamp"] == "2026-11-22T10:00:00.000Z"
    assert record["analysis"]["complexity"] == "simple"
    assert record["final_response"] == "**Hello.**"
    assert record["execution_time_ms"] > 0
    assert set(record["stages"]) == {"analysis", "chat", "enhancement"}
    assert record["stages"]["chat"]["output_tokens"] == 2
    assert record["degraded"] == []


def test_completion_is_announced_after_the_record(logger, records, events):
    """The record is written before pipeline.completed is published."""
    seen = []

    def put_events(*, Entries):
        seen.append(records.get("p-1")["status"])
        return {"FailedEntryCount": 0}

    events.put_events = put_events
    logger.completed(request(), METADATA, meter=OWN)
    assert seen == ["SUCCEEDED"]


def test_degraded_run_says_what_is_missing(logger, records, events):
    """A run without enhancement answers with the chatbot's own text and names the stage and its error."""
    errors = {"enhancement": {"Error": "Pipeline.Transient", "Cause": "slow"}}
    logger.completed(request(results={"enhancement": EMPTY}, errors=errors), METADATA, meter=OWN)
    record = records.get("p-1")
    assert record["final_response"] == "Hello"
    assert record["degraded"] == ["enhancement"]
    assert record["errors"] == errors
    assert record["instead"] == {"enhancement": "The answer was not formatted: it is the chatbot's own text."}
    assert events.details("pipeline.completed.v1")[0]["data"]["degraded"] == ["enhancement"]


def test_repeated_request_is_harmless(logger, records, events):
    """A second delivery keeps the first record and publishes the event with the same id."""
    logger.completed(request(), METADATA, meter=OWN)
    before = records.get("p-1")
    logger.completed(request(), METADATA, meter=OWN)
    assert records.get("p-1") == before
    ids = {detail["metadata"]["event_id"] for detail in events.details("pipeline.completed.v1")}
    assert ids == {"p-1-completed"}


def test_failed_announcement_fails_the_stage(logger, events):
    """If the bus is down, the stage fails and is retried, so that the completion is announced."""
    events.error = client_error("InternalException", "PutEvents", 500)
    with pytest.raises(TransientError):
        logger.completed(request(), METADATA, meter=OWN)


def early(**results: Any) -> v1.LogRequested:
    """Return the request of a run that the vetting ended."""
    ended = {"data": vetting.REFUSED, "meter": METER}
    unasked = {"chat": EMPTY, "enhancement": EMPTY}
    whole = {"analysis": {"data": ANALYSIS, "meter": METER}, **unasked, "vetting": ended, **results}
    asked = msgspec.to_builtins(request())
    return msgspec.convert({**asked, "results": msgspec.to_builtins(whole)}, vetting.LogRequested)


def test_an_early_answer_is_the_final_response(logger, records, events):
    """The record of a run that a stage ended has that stage's answer, name and reason, and so has the event."""
    receipt = logger.completed(early(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert (receipt.status, record["status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert record["final_response"] == "I can't help with that."
    assert (record["ended_by"], record["end_reason"]) == ("vetting", "asks for a secret")
    assert record["degraded"] == []
    (event,) = events.details("pipeline.completed.v1")
    assert event["data"]["ended_by"] == "vetting"


def test_an_early_answer_precedes_the_chatbots(logger, records):
    """If a stage after the chatbot ends the run, its answer counts, even if the chatbot's is a long one."""
    long = {**CHAT, "whole": {"key": "text#p-1", "characters": 20_000, "stored_bytes": 9_000}}
    logger.completed(early(chat={"data": long, "meter": METER}), METADATA, meter=OWN)
    assert records.get("p-1")["final_response"] == "I can't help with that."


def test_a_run_that_nobody_ended_has_no_such_fields(logger, records):
    """A success without an early answer removes the earlier end's fields, and adds none."""
    records.advance("p-1", "RUNNING", {"ended_by": "vetting", "end_reason": "before the restart"})
    logger.completed(request(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert record["final_response"] == "**Hello.**"
    assert not {"ended_by", "end_reason"} & record.keys()
