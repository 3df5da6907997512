"""Records: a late event never overwrites a newer status (on moto's DynamoDB)."""

import itertools
import time

import boto3
import msgspec
import pytest

from shared.contracts.record import expanded, passed, results_in, unknown_stages
from shared.contracts.stages import BY_KEY, RECORDED
from shared.dynamodb import from_item, to_item
from shared.records import EXPIRES, Records


def accept(records: Records, text: str = "hi") -> bool:
    return records.accept("p", user_message=text, accepted_at="2026-01-01T00:00:00.000Z")


def test_values_survive_the_table():
    """Nested maps, lists, nulls, numbers and texts are the same after writing and reading."""
    value = {"a": [1, "x", None, True], "b": {"c": ""}, "d": "\N{GRINNING FACE}"}
    assert from_item(to_item(value)) == value


def test_values_without_a_place_are_refused():
    """A float or a set in a record raises TypeError at once."""
    with pytest.raises(TypeError, match="float"):
        to_item({"a": 1.5})


def test_first_acceptance_wins(records):
    """A second acceptance under one id changes nothing."""
    assert accept(records) is True
    assert accept(records, "other") is False
    assert records.get("p")["user_message"] == "hi"


def test_unknown_id_has_no_record(records):
    """Reading a record that does not exist returns None."""
    assert records.get("nobody") is None


ORDERS = list(itertools.permutations(["RUNNING", "FAILED", "SUCCEEDED"]))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_success_stands_in_any_order_of_events(records, order):
    """However late, early or repeated the events come, a run that succeeded ends as SUCCEEDED."""
    accept(records)
    for status in (*order, *order):
        records.advance("p", status, {"seen": status})
    assert records.get("p")["status"] == "SUCCEEDED"
    assert records.get("p")["seen"] == "SUCCEEDED"


def test_running_does_not_hide_a_failure(records):
    """A late RUNNING does not replace FAILED."""
    records.advance("p", "FAILED", {"error": "x"})
    assert records.advance("p", "RUNNING", {}) is False
    assert records.get("p")["status"] == "FAILED"


def test_first_values_are_kept(records):
    """Fields given as `first` are set only if the record lacks them."""
    accept(records)
    assert records.advance("p", "RUNNING", {"execution_arn": "arn"}, first={"user_message": "no", "extra": 1})
    record = records.get("p")
    assert (record["user_message"], record["extra"], record["execution_arn"]) == ("hi", 1, "arn")


def test_only_accepted_records_are_withdrawn(records):
    """The record of a running pipeline is not withdrawn."""
    accept(records)
    records.advance("p", "RUNNING", {})
    assert records.withdraw("p") is False
    assert records.get("p") is not None


def test_accepted_record_is_withdrawn(records):
    """A request that could not be published leaves no record."""
    accept(records)
    assert records.withdraw("p") is True
    assert records.get("p") is None


def test_record_of_the_workflow_reads_like_any_other():
    """What the workflow stores as JSON text, when the logger is broken, is read as the logger's own fields."""
    stored = {
        "status": "SUCCEEDED",
        "final_response": "Hello",
        "analysis_json": '{"complexity": "simple"}',
        "meters_json": '[{"work_ms": 1}, {"work_ms": 2}, null]',
        "errors_json": '{"log": {"Error": "x"}}',
    }
    assert expanded(stored) == {
        "status": "SUCCEEDED",
        "final_response": "Hello",
        "analysis": {"complexity": "simple"},
        "stages": {"analysis": {"work_ms": 1}, "chat": {"work_ms": 2}},
        "errors": {"log": {"Error": "x"}},
        "degraded": ["log"],
        "instead": {"log": BY_KEY["log"].without},
    }


def test_meters_that_the_workflow_stored_keep_their_stages():
    """The meters are those of the stages that the workflow had, whichever stages there are now."""
    stored = {
        "status": "SUCCEEDED",
        "meters_json": '[{"work_ms": 1}, {"work_ms": 2}, null, {"work_ms": 4}]',
        "meters_of": ["analysis", "weighing", "signing", "chat"],
        "weighing_json": '{"grams": 5}',
        "errors_json": '{"signing": {"Error": "x"}}',
    }
    read = expanded(stored)
    assert read["stages"] == {"analysis": {"work_ms": 1}, "weighing": {"work_ms": 2}, "chat": {"work_ms": 4}}
    assert results_in(read)["weighing"] == {"grams": 5}
    assert unknown_stages(read) == ("weighing", "signing")
    assert read.keys().isdisjoint({"meters_of", "meters_json", "weighing_json"})


def test_results_of_stages_that_are_gone_or_newer_are_found():
    """A stage that this release lacks is known by its meter or error; no other field is taken for its result."""
    record = {
        "status": "SUCCEEDED",
        "chat": {"model_id": "m"},
        "weighing": {"grams": 5},
        "owner": "somebody",
        "mood": "calm",
        "stages": {"chat": {}, "weighing": {}, "owner": {}},
        "errors": {"signing": {"Error": "x"}},
    }
    results = results_in(record)
    assert (results["chat"], results["weighing"]) == ({"model_id": "m"}, {"grams": 5})
    assert results.keys().isdisjoint({"owner", "mood", "signing"})
    assert passed(record) == ("analysis", "chat", "enhancement", "weighing", "signing", "log")


def test_a_stage_is_not_among_those_of_a_run_before_it(monkeypatch):
    """A run that succeeded before a stage was added has not passed it; one that it degraded has."""
    added = msgspec.structs.replace(BY_KEY["analysis"], key="weighing")
    monkeypatch.setattr("shared.contracts.record.RECORDED", (added, *RECORDED))
    assert "weighing" not in passed({"stages": {"chat": {}}})
    assert passed({"stages": {"chat": {}}, "errors": {"weighing": {}}})[0] == "weighing"


@pytest.mark.parametrize("ended_by", ["vetting", "approval", {"odd": 1}])
def test_a_stage_that_ended_a_run_and_is_gone_skipped_others(ended_by):
    """If this release lacks the stage that ended a run, the run has passed the stages that its record tells of."""
    record = {"stages": {"analysis": {}, "vetting": {}}, "ended_by": ended_by}
    assert passed(record) == ("analysis", "vetting", "log")
    degraded = {"stages": {"vetting": {}}, "degraded": ["analysis"], "ended_by": ended_by}
    assert passed(degraded) == ("analysis", "vetting", "log")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "9" * 5_000, "null", 7])
def test_a_record_of_the_workflow_that_can_not_be_decoded(text):
    """JSON text that can't be decoded, however it came there, counts as absent and stops no reader."""
    stored = {"status": "SUCCEEDED", "meters_json": text, "errors_json": text, "analysis_json": text}
    read = expanded(stored)
    assert (read["analysis"], read["stages"], read["errors"]) == (None, {}, {})


def failed(arn: str, started_at: str) -> dict[str, str]:
    return {"error": "E", "cause": "c", "execution_arn": arn, "started_at": started_at}


def test_success_takes_the_failure_away(records):
    """A run that failed, was redriven and succeeded shows no error any more."""
    records.advance("p", "FAILED", {**failed("arn:1", "1"), "stage": "chat", "execution_status": "FAILED"})
    records.advance("p", "SUCCEEDED", {"final_response": "x"})
    assert set(records.get("p")) == {"pipeline_id", "status", "final_response", "execution_arn", "started_at"}


def test_reopened_run_is_running(records):
    """After `reopen` the record names the new execution, whose failure or success is then recorded."""
    records.advance("p", "FAILED", failed("arn:1", "1"))
    assert records.reopen("p", execution_arn="arn:2", started_at="2") is True
    assert records.get("p") == {
        "pipeline_id": "p", "status": "RUNNING", "execution_arn": "arn:2", "started_at": "2"
    }  # fmt: skip
    assert records.advance("p", "FAILED", failed("arn:2", "1.9")) is True


@pytest.mark.parametrize(("arn", "spent"), [("arn:2", 120), ("arn:1", 70)], ids=["restarted", "redriven"])
def test_reopened_run_keeps_what_was_spent(records, arn, spent):
    """A restart keeps the whole cost of the earlier execution, a redrive the part not counted again; each once."""
    cost = {"nano_usd": 120, "stages": {"start": 30, "analysis": 20, "chat": 60, "log": 10}}
    records.advance("p", "FAILED", {**failed("arn:1", "1"), "stage": "chat", "cost": cost})
    for _ in range(2):  # an operator's command that is interrupted is repeated
        assert records.reopen("p", execution_arn=arn, started_at="2") is True
    assert records.get("p")["earlier_nano_usd"] == spent
    assert "cost" not in records.get("p")
    records.advance("p", "FAILED", {**failed(arn, "2"), "cost": {"nano_usd": 5}})
    records.reopen("p", execution_arn="arn:3", started_at="3")
    assert records.get("p")["earlier_nano_usd"] == spent + 5


def test_late_failure_of_an_earlier_execution_is_ignored(records):
    """A failed execution's status that arrives after the restart does not fail the run that is under way."""
    records.reopen("p", execution_arn="arn:2", started_at="2")
    assert records.advance("p", "FAILED", failed("arn:1", "1")) is False
    assert records.get("p")["status"] == "RUNNING"


def test_a_failure_is_recorded_though_nobody_reopened(records):
    """The failure of an execution that started later than the recorded one is recorded: its start was not."""
    records.advance("p", "FAILED", failed("arn:1", "1"))
    assert records.advance("p", "FAILED", failed("arn:2", "2")) is True
    assert records.get("p")["execution_arn"] == "arn:2"


@pytest.mark.parametrize("rerun", [False, True])
def test_only_a_rerun_reopens_a_success(records, rerun):
    """A pipeline that succeeded is reopened only with `rerun`."""
    records.advance("p", "SUCCEEDED", {"final_response": "x"})
    if rerun:
        assert records.expect("p", "arn:2")
    assert records.reopen("p", execution_arn="arn:2", started_at="2") is rerun
    assert records.get("p")["status"] == ("RUNNING" if rerun else "SUCCEEDED")


DAY = 86_400


def expires_in(records: Records, kept: int, began: float) -> bool:
    """Return whether the record is deleted `kept` seconds after a write between `began` and now."""
    record = records.get("p")
    assert record is not None
    return int(began) + kept <= record["expires_at"] <= int(time.time()) + kept


def writer(kept_seconds: int | None) -> Records:
    return Records(boto3.client("dynamodb"), "PipelineLogs", kept_seconds)


def test_each_step_of_a_run_sets_when_its_record_is_deleted(records):
    """API, starter and logger each set the time of deletion; a late or repeated write does not bring it forward."""
    api, starter, logger = writer(300 * DAY), writer(200 * DAY), writer(90 * DAY)
    began = time.time()
    accept(api)
    assert expires_in(records, 300 * DAY, began)
    starter.advance("p", "RUNNING", {})
    assert expires_in(records, 200 * DAY, began)
    logger.advance("p", "SUCCEEDED", {})
    assert expires_in(records, 90 * DAY, began)
    assert writer(1).advance("p", "RUNNING", {}) is False
    assert accept(writer(1)) is False
    assert expires_in(records, 90 * DAY, began)


def test_a_record_of_an_open_run_is_not_deleted_by_its_earlier_end(records):
    """A run that is restarted or redriven loses the time of deletion that its earlier end set."""
    logger = writer(90 * DAY)
    logger.advance("p", "FAILED", {"execution_arn": "arn:1", "started_at": "1"})
    assert EXPIRES in records.get("p")
    records.reopen("p", execution_arn="arn:1", started_at="1")
    assert EXPIRES not in records.get("p")
    began = time.time()
    logger.advance("p", "SUCCEEDED", {})
    assert expires_in(records, 90 * DAY, began)


def test_by_default_a_record_is_kept_for_ever(records):
    """Without a time, no write of a run sets when its record is deleted."""
    accept(records)
    records.advance("p", "RUNNING", {})
    records.advance("p", "SUCCEEDED", {})
    assert EXPIRES not in records.get("p")


def test_a_deleted_record_is_written_again(records):
    """A late event about a run whose record was deleted records the run's end again, with a new time of deletion."""
    logger, began = writer(90 * DAY), time.time()
    assert logger.advance("p", "FAILED", {"error": "x"}, first={"user_message": "hi"})
    assert records.get("p")["user_message"] == "hi"
    assert expires_in(records, 90 * DAY, began)


def test_a_run_is_not_reopened_after_a_later_end(records):
    """A stale plan does not reopen a run whose restart has failed meanwhile; a repeated command does."""
    records.advance("p", "FAILED", {**failed("arn:2", "2"), "finished_at": "5"})
    assert records.reopen("p", execution_arn="arn:2", started_at="6", after="3") is False
    assert records.get("p")["status"] == "FAILED"
    for _ in range(2):
        assert records.reopen("p", execution_arn="arn:3", started_at="6", after="5") is True
