"""Records of older and newer releases, and damaged records, are read."""

import json

import pytest

from operations.money.costs import cost_of
from operations.runs.journey import assemble
from operations.runs.records import record_of
from shared.contracts.record import Record, expanded
from shared.costs.facts import facts
from shared.dynamodb import from_item, to_item
from shared.records import Records

ARN = "arn:aws:states:eu-central-1:1:execution:m:p"
METER = {"queue_wait_ms": 1, "work_ms": 2, "attempt": 0, "receives": 1}
FIRST_RELEASE = {
    "pipeline_id": "p",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "status": "SUCCEEDED",
    "user_message": "hi",
    "final_response": "Hello.",
    "execution_time_ms": 5,
}
BY_THE_WORKFLOW = {
    "pipeline_id": "p",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "status": "SUCCEEDED",
    "user_message": "hi",
    "final_response": "Hello.",
    "execution_arn": ARN,
    "degraded": ["log"],
    "analysis_json": '{"complexity": "simple"}',
    "meters_json": json.dumps([METER, METER, None]),
    "errors_json": '{"enhancement": {"Error": "E"}}',
}


def stored(record):
    return to_item(record)["M"]


def test_a_record_of_the_first_release_is_read():
    """A record of the first release is read without the fields that were added later."""
    record = record_of(stored(FIRST_RELEASE))
    assert record == FIRST_RELEASE
    journey = assemble("p", record, None)
    assert (journey.status, journey.final_response, journey.finished) == ("SUCCEEDED", "Hello.", True)
    assert journey.accepted_at is not None
    assert facts(record) is None
    assert cost_of(record) is None


def test_a_record_of_the_workflow_is_read():
    """The JSON texts in a record that the workflow stored become the fields that the logger writes."""
    record = record_of(stored(BY_THE_WORKFLOW))
    assert record["analysis"] == {"complexity": "simple"}
    assert record["stages"] == {"analysis": METER, "chat": METER}
    assert record["degraded"] == ["enhancement", "log"]
    assert not [name for name in record if name.endswith("_json")]
    run = facts(record)
    assert run is not None
    assert [stage.key for stage in run.stages] == ["analysis", "chat", "enhancement", "log"]


def test_unknown_attributes_are_kept():
    """Attributes and statuses of a newer release are kept when a record is read."""
    newer = {**FIRST_RELEASE, "status": "PAUSED", "mood": {"calm": True}}
    assert record_of(stored(newer)) == newer


ODD = {
    "pipeline_id": {"S": "p"},
    "status": {"S": "FAILED"},
    "error": {"S": "Pipeline.Permanent"},
    "execution_time_ms": {"N": "1.5"},
    "finished_at": {"N": "3"},
    "degraded": {"S": "log"},
    "stages": {"M": {"chat": {"S": "fast"}}},
    "cost": {"L": []},
    "instead": {"NULL": True},
    "excerpt": {"B": b"x"},
    "mood": {"SS": ["calm"]},
}


def test_odd_types_are_left_out():
    """Attributes of the wrong type count as absent, and the rest of the record is read."""
    record = record_of(ODD)
    assert record == {"pipeline_id": "p", "status": "FAILED", "error": "Pipeline.Permanent", "mood": ["calm"]}
    assert assemble("p", record, None).error == "Pipeline.Permanent"
    assert cost_of(record) is None


@pytest.mark.parametrize("name", sorted(Record.__annotations__))
def test_no_odd_attribute_stops_a_reader(name):
    """A wrong type in any one field does not prevent reading the run's journey and cost."""
    for value in (
        {"BOOL": True},
        {"N": "7"},
        {"S": "x"},
        {"L": [{"N": "1"}]},
        {"M": {"x": {"N": "1"}}},
        {"NULL": True},
    ):
        record = record_of({**stored(BY_THE_WORKFLOW), "execution_arn": {"S": ARN}, name: value})
        cost_of({"status": "FAILED", **record})
        facts(record)
        assert assemble("p", record, None).pipeline_id == "p"


@pytest.mark.parametrize("text", ["", "{", "7", "[1, {}]", '"x"'])
def test_damaged_json_texts_count_as_absent(text):
    """A stored text that is not the expected JSON counts as absent."""
    damaged = {**BY_THE_WORKFLOW, "analysis_json": text, "meters_json": text, "errors_json": text}
    record = record_of(stored(damaged))
    assert record["final_response"] == "Hello."
    assert assemble("p", record, None).final_response == "Hello."


def test_records_written_with_newer_attributes_are_moved_on(records: Records):
    """A write to a record keeps the attributes that this release does not know."""
    records.advance("p", "RUNNING", {"mood": "calm"})
    records.advance("p", "SUCCEEDED", {"final_response": "x"})
    assert records.get("p") == {
        "pipeline_id": "p",
        "status": "SUCCEEDED",
        "mood": "calm",
        "final_response": "x",
    }


def test_numbers_that_are_not_whole_are_read():
    """Numbers that are not whole are read, although this release writes none."""
    assert [from_item({"N": text}) for text in ("-3", "1.5", "1E+2")] == [-3, 1.5, 100.0]


def test_what_is_expanded_stays_as_it_is():
    """Expanding an expanded record changes nothing."""
    once = expanded(BY_THE_WORKFLOW)
    assert expanded(once) == once
