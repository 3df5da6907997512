"""The logger: which end of which execution is recorded and announced, with which stage and reason."""

import json

import msgspec
import pytest

from services.logger import core
from services.logger.tests.support import ARN, OWN, request, status_change
from shared.contracts.stages import STAGES
from shared.errors import ContractViolation, PipelineError, TransientError
from shared.tests import vetting
from shared.tests.fakes import METADATA, client_error


def test_failed_run_is_recorded_and_announced(logger, records, events):
    """A failed execution's error, cause and times are recorded, and pipeline.failed is published."""
    logger.failed(status_change())
    record = records.get("p-1")
    assert (record["status"], record["error"], record["cause"]) == ("FAILED", "Pipeline.Permanent", "denied")
    assert (record["execution_time_ms"], record["user_message"]) == (5_000, "Hi")
    (event,) = events.details("pipeline.failed.v1")
    assert event["data"]["error"] == "Pipeline.Permanent"


@pytest.mark.parametrize(
    ("status", "error"), [("TIMED_OUT", "States.Timeout"), ("ABORTED", "Execution.Aborted")]
)
def test_ends_without_an_error_get_one(logger, records, status, error):
    """A timed out or aborted execution, whose event has no error, is recorded with a name for it."""
    logger.failed(status_change(status=status, error=None, cause=None))
    assert records.get("p-1")["error"] == error


def test_missing_input_falls_back_to_the_name(logger, records):
    """An event without its input (too large to be included) is recorded under the execution's name."""
    logger.failed(status_change(input=None))
    assert records.get("p-1")["status"] == "FAILED"


def test_late_failure_does_not_undo_success(logger, records, events):
    """A status change that arrives after a success changes nothing and publishes nothing."""
    logger.completed(request(), METADATA, meter=OWN)
    logger.failed(status_change())
    assert records.get("p-1")["status"] == "SUCCEEDED"
    assert events.details("pipeline.failed.v1") == []


@pytest.fixture
def emitted_failures(monkeypatch):
    """The metrics of failed runs that the logger emits, in order."""
    seen: list[str] = []
    monkeypatch.setattr("services.logger.recording.emit", lambda metric, *_, **__: seen.append(metric.name))
    return lambda: seen.count("RunsFailed")


REDRIVEN = {"redriveCount": 1, "stopDate": 1_795_341_900_000}


def announced(events) -> list[str]:
    return [detail["metadata"]["event_id"] for detail in events.details("pipeline.failed.v1")]


def test_an_end_heard_twice_is_counted_once(logger, records, events, emitted_failures):
    """A repeated end changes nothing and is not counted again; its announcement has the same event id."""
    logger.failed(status_change())
    before = records.get("p-1")
    logger.failed(status_change())
    assert records.get("p-1") == before
    assert emitted_failures() == 1
    assert len(announced(events)) == 2
    assert len(set(announced(events))) == 1


def test_an_end_that_was_recorded_but_not_announced_is_announced(logger, events, emitted_failures):
    """If the logger dies between record and announcement, the next delivery announces, and counts nothing again."""
    events.error = client_error("InternalException", "PutEvents", 500)
    with pytest.raises(TransientError):
        logger.failed(status_change())
    events.error = None
    logger.failed(status_change())
    assert len(announced(events)) == 1
    assert emitted_failures() == 1


@pytest.mark.parametrize("count", [{"redriveCount": 0}, {}], ids=["counted", "no redriveCount"])
@pytest.mark.parametrize("after", ["RUNNING", "SUCCEEDED"])
def test_an_end_heard_after_a_redrive_changes_nothing(logger, records, events, after, count):
    """The first end of an execution that was redriven under the same ARN neither fails nor announces the run."""
    records.reopen(
        "p-1", execution_arn=ARN, started_at="2020-01-01T00:00:00.000Z", after="2026-11-22T10:00:05.000Z"
    )
    if after == "SUCCEEDED":
        logger.completed(request(), msgspec.structs.replace(METADATA, execution_arn=ARN), meter=OWN)
    before = records.get("p-1")
    logger.failed(status_change(**count))
    assert records.get("p-1") == before
    assert announced(events) == []


@pytest.mark.parametrize("first_end", ["heard", "late", "never heard"])
def test_a_redriven_execution_that_fails_again_is_another_end(
    logger, records, events, emitted_failures, first_end
):
    """The end after a redrive is recorded and announced under its own event id, whenever the first one is heard."""
    if first_end == "heard":
        logger.failed(status_change())
    records.reopen(
        "p-1", execution_arn=ARN, started_at="2099-01-01T00:00:00.000Z", after="2026-11-22T10:00:05.000Z"
    )
    logger.failed(status_change(**REDRIVEN))
    if first_end == "late":
        logger.failed(status_change())
    assert records.get("p-1")["finished_at"] == "2026-11-22T10:05:00.000Z"
    ends = 2 if first_end == "heard" else 1
    assert (len(set(announced(events))), emitted_failures()) == (ends, ends)


def test_a_console_redrive_needs_no_reopening(logger, records, events):
    """An execution that was redriven without the pipeline's command has an end of its own, which stands."""
    logger.failed(status_change())
    logger.failed(status_change(**REDRIVEN))
    logger.failed(status_change())
    assert records.get("p-1")["finished_at"] == "2026-11-22T10:05:00.000Z"
    assert len(set(announced(events))) == len(announced(events)) == 2


def test_an_end_before_a_restart_is_late_by_whatever_clock(logger, records, events):
    """After a restart from a computer whose clock is days slow, the first execution's end still changes nothing."""
    records.reopen(
        "p-1",
        execution_arn=f"{ARN}-restart-1",
        started_at="2026-11-01T00:00:00.000Z",
        after="2026-11-22T10:00:05.000Z",
    )
    logger.failed(status_change())
    assert (records.get("p-1")["status"], announced(events)) == ("RUNNING", [])


OLD = {"startDate": 1_780_000_000_000, "stopDate": 1_780_000_005_000}


def test_a_name_used_again_has_ends_of_its_own(logger, records, events, emitted_failures):
    """An execution whose name was free again after 90 days fails as another end than the old one of the same ARN."""
    logger.failed(status_change(**OLD))
    logger.failed(status_change())
    logger.failed(status_change(**OLD))
    assert records.get("p-1")["finished_at"] == "2026-11-22T10:00:05.000Z"
    assert (len(set(announced(events))), emitted_failures()) == (2, 2)


def test_an_old_success_under_the_same_name_stays(logger, records, events):
    """Nothing but an operator's rerun replaces an answer, not even a failure under its name 90 days later."""
    logger.completed(request(), msgspec.structs.replace(METADATA, execution_arn=ARN), meter=OWN)
    before = records.get("p-1")
    logger.failed(status_change(startDate=1_900_000_000_000, stopDate=1_900_000_005_000))
    assert (records.get("p-1"), announced(events)) == (before, [])


def test_an_end_heard_before_the_start_is_final(logger, records, events):
    """If the starter writes after the logger, the run stays FAILED."""
    logger.failed(status_change())
    started = {"execution_arn": ARN, "started_at": "2026-11-22T10:00:00.000Z"}
    assert records.advance("p-1", "RUNNING", started) is False
    assert (records.get("p-1")["status"], len(announced(events))) == ("FAILED", 1)


def test_an_id_like_a_restarts_is_taken_for_itself(logger, records, history):
    """A publisher's id that ends like a restart's name is recorded as its own run, with or without the input."""
    own = {"metadata": {"pipeline_id": "nightly-restart-3"}, "request": {}}
    change = {"executionArn": f"{ARN[:-3]}nightly-restart-3", "name": "nightly-restart-3"}
    logger.failed(status_change(**change, input=json.dumps(own)))
    assert records.get("nightly-restart-3")["status"] == "FAILED"
    history.described = {"input": json.dumps({"metadata": {"pipeline_id": "other-restart-1"}})}
    change = {"executionArn": f"{ARN[:-3]}other-restart-1", "name": "other-restart-1"}
    logger.failed(status_change(**change, input=None))
    assert records.get("other-restart-1")["status"] == "FAILED"
    assert records.get("other") is None


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_a_doubtful_name_is_not_guessed(logger, records, history, code):
    """If Step Functions does not answer whose execution it was, the event is handled again instead of guessed."""
    history.describe_error = client_error(code, "DescribeExecution")
    change = {"executionArn": f"{ARN}-restart-1", "name": "p-1-restart-1", "input": None}
    with pytest.raises(PipelineError):
        logger.failed(status_change(**change))
    assert records.get("p-1") is None
    history.describe_error = client_error("ExecutionDoesNotExist", "DescribeExecution")
    logger.failed(status_change(**change))
    assert records.get("p-1")["status"] == "FAILED"


def test_status_change_of_another_shape_is_a_contract_violation(logger):
    """An event that is not a status change is parked, not retried."""
    with pytest.raises(ContractViolation):
        logger.failed(status_change(startDate="yesterday"))


def test_failed_chatbot_is_named_without_asking(logger, records, events, history):
    """An error that only workers report is recorded for the critical stage, without a call to Step Functions, unless
    there are several such stages.
    """
    critical = [stage for stage in STAGES if stage.critical]
    history.states = ["CallExistingChatbot"]
    logger.failed(status_change())
    assert records.get("p-1")["stage"] == "chat"
    assert events.details("pipeline.failed.v1")[0]["data"]["stage"] == "chat"
    assert history.asked == (len(critical) > 1)


@pytest.mark.parametrize(
    ("states", "stage"),
    [
        (["AnalyzeInput", "RunTranslation"], "translation"),
        (["AnalyzeInput", "RunTranslation", "AfterRunTranslation"], "translation"),
        (["AnalyzeInput", "CheckTone"], "CheckTone"),
        (["AnalyzeInput", "RunTranslation", "CallExistingChatbot"], "chat"),
    ],
    ids=["in it", "behind it", "one made by hand", "after it"],
)
def test_failure_in_a_stage_that_was_removed_is_not_the_chatbots(logger, records, history, states, stage):
    """A run that began with a stage which this release lacks is recorded with the stage where it failed."""
    results = {"translation": {"data": None, "meter": None}, "chat": {"data": None, "meter": None}}
    state = {"metadata": {"pipeline_id": "p-1"}, "request": {"user_message": "Hi"}, "results": results}
    history.states = states
    logger.failed(status_change(input=json.dumps(state)))
    assert (records.get("p-1")["stage"], history.asked) == (stage, 1)


@pytest.mark.parametrize(
    ("states", "stage"),
    [
        ([], None),
        (["AnalyzeInput"], "analysis"),
        (["AnalyzeInput", "CallExistingChatbot", "EnhanceResponse"], "enhancement"),
        (["AnalyzeInput", "CallExistingChatbot", "EnhanceResponse", "LogResults", "StoreAnswer"], "log"),
    ],
    ids=["before any stage", "first", "later", "storing the answer"],
)
def test_stage_of_an_aborted_run_is_looked_up(logger, records, history, states, stage):
    """A run that was aborted or timed out is recorded with the stage it had reached, or none."""
    history.states = states
    logger.failed(status_change(status="ABORTED", error=None, cause=None))
    assert records.get("p-1")["status"] == "FAILED"
    assert records.get("p-1")["stage"] == stage


@pytest.mark.parametrize("after", [[], [{"type": "TaskStateExited"}, {"type": "TaskSucceeded"}]])
def test_a_stopped_run_says_why(logger, records, history, events, after):
    """A cancelled run is recorded and announced with that reason, even if its status event lacks it and a stage
    reported at that very moment.
    """
    history.after_end = after
    details = {"error": "Pipeline.Cancelled", "cause": "The caller cancelled this pipeline."}
    history.end = {"type": "ExecutionAborted", "executionAbortedEventDetails": details}
    logger.failed(status_change(status="ABORTED", error=None, cause=None))
    record = records.get("p-1")
    assert (record["error"], record["cause"]) == (details["error"], details["cause"])
    assert events.details("pipeline.failed.v1")[0]["data"]["error"] == "Pipeline.Cancelled"


def test_failure_is_recorded_without_its_stage_rather_than_not(logger, records, history):
    """If the history can't be read (its quota is small), the run is recorded without the stage."""
    history.error = client_error("ThrottlingException", "GetExecutionHistory")
    logger.failed(status_change(status="TIMED_OUT", error=None, cause=None))
    assert (records.get("p-1")["status"], records.get("p-1")["stage"]) == ("FAILED", None)


def test_failure_of_a_restart_belongs_to_its_pipeline(logger, records):
    """The pipeline of a restarted execution is read from the execution's name if the event lacks its input."""
    logger.failed(status_change(name="p-1-restart-2", input=None))
    assert records.get("p-1")["status"] == "FAILED"


def test_late_failure_of_the_first_execution_leaves_the_restart_alone(logger, records, events):
    """A failed execution's event that arrives after the restart neither fails the record nor is announced."""
    records.reopen("p-1", execution_arn="arn:restart", started_at="2099-01-01T00:00:00.000Z")
    logger.failed(status_change())
    assert records.get("p-1")["status"] == "RUNNING"
    assert events.details("pipeline.failed.v1") == []


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "state",
    [
        DEEP,
        '{"metadata": {"pipeline_id": "p-1"}, "request": {"user_message": "\\ud83d"}}',
        json.dumps(
            {"metadata": {"pipeline_id": "p\n", "correlation_id": "c" * 5_000, "causation_id": "c" * 5_000}}
        ),
        json.dumps({"metadata": {"traceparent": "x" * 5_000, "accepted_at": "never"}}),
        '{"metadata": {"attempt": ' + "9" * 5_000 + "}}",
    ],
)
def test_the_end_of_an_execution_with_any_input_is_recorded_and_told(logger, records, events, state):
    """An execution may be started by hand with any input: its end is recorded under its name, and announced once."""
    logger.failed(status_change(name="by-hand", input=state))
    assert records.get("by-hand")["status"] == "FAILED"
    assert len(events.details("pipeline.failed.v1")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x" * 81},
        {"name": ""},
        {"name": "p\n"},
        {"executionArn": "a" * 257},
        {"startDate": 10**30},
        {"startDate": -1},
        {"startDate": "2026"},
    ],
)
def test_an_impossible_status_change_is_a_contract_violation(logger, change):
    """A name, an ARN or a time that no execution has is refused at once, and not tried five times."""
    with pytest.raises(ContractViolation):
        logger.failed(status_change(**change))


@pytest.mark.parametrize(("state", "stage"), [("AfterVetMessage", "vetting"), ("StoreAnswer", "log")])
def test_a_run_that_stopped_at_a_choice_stopped_at_its_stage(monkeypatch, state, stage):
    """The choice behind a stage counts as that stage, any other state of no stage as the last one."""
    monkeypatch.setattr(core, "BY_CHOICE", {"AfterVetMessage": vetting.VETTING})
    assert core.last_stage([{"stateEnteredEventDetails": {"name": state}}]) == stage
