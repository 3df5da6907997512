"""The logger: the records and events of a finished, a degraded and a failed run."""

import json
from typing import Any

import msgspec
import pytest

from services.logger import core
from services.logger.recording import Logger
from shared.budget import budget_fields
from shared.bus import Bus
from shared.contracts import v1
from shared.contracts.envelope import Delivery
from shared.contracts.reading import read
from shared.contracts.stages import ANSWERING, STAGES, LogRequested
from shared.contracts.v1 import Meter
from shared.costs.facts import facts, item_bytes
from shared.costs.ledger import ledger
from shared.costs.prices import Stated
from shared.errors import ContractViolation, PipelineError, TransientError
from shared.observability import metrics
from shared.tests import moderation
from shared.tests.fakes import METADATA, client_error

METER = {"queue_wait_ms": 5, "work_ms": 7, "attempt": 0, "receives": 1, "input_tokens": 1, "output_tokens": 2}
ANALYSIS = {
    "character_count": 2,
    "word_count": 1,
    "sentence_count": 1,
    "has_code": False,
    "code": [],
    "languages": [],
    "is_question": False,
    "question_count": 0,
    "questions": [],
    "complexity": "simple",
    "reasons": [],
}
CHAT = {
    "text": "Hello",
    "backend": "bedrock",
    "model_id": "m",
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
ENHANCEMENT = {
    "final_response": "**Hello**",
    "format": "plain",
    "complexity": "simple",
    "enhanced_at": "2026-11-22T10:00:02Z",
    "word_count": 1,
    "reading_time_seconds": 1,
    "contains_code": False,
    "tracking": {"pipeline_id": "p-1", "correlation_id": "c", "execution_arn": None, "model_id": "m"},
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


@pytest.fixture
def history():
    return FakeHistory()


@pytest.fixture
def logger(records, events, history):
    return Logger(records, Bus(lambda: events, "bus"), lambda: history)


ARN = "arn:aws:states:us-east-1:000000000000:execution:machine:p-1"


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


def test_record_has_the_promised_attributes(logger, records):
    """The record has every documented attribute, with the meter of each stage."""
    receipt = logger.completed(request(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert receipt.status == record["status"] == "SUCCEEDED"
    assert record["user_message"] == "Hi"
    assert record["timestamp"] == "2026-11-22T10:00:00.000Z"
    assert record["analysis"]["complexity"] == "simple"
    assert record["final_response"] == "**Hello**"
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


def status_change(**changes: Any) -> Delivery:
    state = {
        "metadata": {"pipeline_id": "p-1", "correlation_id": "c", "accepted_at": "2026-11-22T10:00:00Z"},
        "request": {"user_message": "Hi"},
    }
    detail = {
        "executionArn": "arn:aws:states:us-east-1:000000000000:execution:machine:p-1",
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


RUN = msgspec.structs.replace(METADATA, execution_arn=ARN, causation_id="p-1-accepted")
METERED = {**METER, "message_bytes": 2_000, "memory_mb": 128, "architecture": "arm64"}
BOUGHT = {**METERED, "input_tokens": 2_000, "output_tokens": 300, "model_id": "amazon.nova-lite-v1:0"}


def metered_request(**changes: Any) -> v1.LogRequested:
    results = {
        "analysis": {"data": ANALYSIS, "meter": METERED},
        "chat": {"data": CHAT, "meter": BOUGHT},
        "enhancement": {"data": ENHANCEMENT, "meter": METERED},
    }
    return request(results={**results, **changes.pop("results", {})}, **changes)


@pytest.fixture
def emitted(capsys):
    """Flushes the metrics of this test, and returns them."""
    metrics().clear_metrics()

    def flush() -> dict[str, Any]:
        metrics().flush_metrics()
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))

    return flush


def test_record_holds_the_cost(logger, records, emitted):
    """The record holds the run's cost in whole nano-dollars, equal to a ledger made from the record."""
    logger.completed(metered_request(), RUN, meter=OWN)
    record = records.get("p-1")
    cost = record["cost"]
    run = facts(record)
    assert run is not None
    assert cost == ledger(run).summary()
    assert cost["nano_usd"] == sum(line.nanos or 0 for line in ledger(run).lines)
    assert cost["services"]["Step Functions"] == 5 * 25_000
    assert cost["services"]["Model"] == 2_000 * 60 + 300 * 240
    assert cost["services"]["API Gateway"] == 3_500
    assert (cost["unknown"], cost["prices"]) == ([], "us-east-1 2026-09-01")
    assert emitted()["CostMicroDollars"] == [cost["nano_usd"] / 1_000]


def test_record_is_about_as_large_as_it_is_charged_for(logger, records):
    """The size with which a write is priced is the record's, within a kilobyte."""
    logger.completed(metered_request(), RUN, meter=OWN)
    record = records.get("p-1")
    assert abs(item_bytes(record) - record["metered"]["record_bytes"]) < 1_024


def test_cost_of_a_repeated_request_is_measured_once(logger, emitted):
    """A second delivery of the same run adds nothing to the metric."""
    logger.completed(metered_request(), RUN, meter=OWN)
    logger.completed(metered_request(), RUN, meter=OWN)
    assert len(emitted()["CostMicroDollars"]) == 1


def test_unknown_price_is_measured_as_such(logger, records, emitted):
    """A run of an unlisted model has its other costs and the name of the missing price, and counts as unknown."""
    chat = {"data": CHAT, "meter": {**BOUGHT, "model_id": "a-new-model"}}
    logger.completed(metered_request(results={"chat": chat}), RUN, meter=OWN)
    assert records.get("p-1")["cost"]["unknown"] == ["tokens of a-new-model in us-east-1"]
    assert emitted()["UnknownPrices"] == [1.0]


def test_failed_run_has_its_cost(logger, records, emitted, history):
    """A failed run is recorded with its known cost and the names of what was not metered."""
    history.states = ["CallExistingChatbot"]
    logger.failed(status_change())
    cost = records.get("p-1")["cost"]
    assert cost["services"]["Step Functions"] == (2 + STAGES.index(ANSWERING)) * 25_000
    assert "chat: tokens" in cost["unmetered"]
    assert emitted()["CostMicroDollars"] == [cost["nano_usd"] / 1_000]


@pytest.mark.parametrize(
    ("arn", "causation_id", "via"),
    [(ARN, "p-1-accepted", "api"), (ARN, "an-event", "bus"), (f"{ARN}-restart-1", "p-1-accepted", "restart")],
)
def test_door_of_a_run_is_known(logger, records, arn, causation_id, via):
    """API, bus and restart are distinguished by the event that caused the run and by the execution's name."""
    metadata = msgspec.structs.replace(METADATA, execution_arn=arn, causation_id=causation_id)
    logger.completed(metered_request(), metadata, meter=OWN)
    assert records.get("p-1")["metered"]["via"] == via


@pytest.fixture
def counting(records, events, history):
    """The logger of a deployment with a budget."""
    return Logger(records, Bus(lambda: events, "bus"), lambda: history, budget_fields)


def test_a_run_counts_for_the_day_of_its_record(counting, records):
    """With a budget, the write that ends a run also stores its cost for the index of days, and counts that write."""
    arn = "arn:aws:states:us-east-1:000000000000:execution:machine:p-1"
    counting.completed(request(), msgspec.structs.replace(METADATA, execution_arn=arn), meter=OWN)
    record = records.get("p-1")
    assert record["spent_nano_usd"] == record["cost"]["nano_usd"] > 0
    assert record["spent_unknown"] is bool(record["cost"]["unknown"])
    assert record["spent_on"].partition("#")[0] == record["spent_at"][:10]
    run = facts(record)
    assert run is not None
    assert "write: the index of days" in [line.what for line in ledger(run).lines]


def test_without_a_budget_a_record_has_nothing_of_it(logger, records):
    """Without a budget, neither the record nor the ledger mentions the index of days."""
    logger.completed(request(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert not [name for name in record if name.startswith("spent")]
    assert "by_day" not in record["metered"]


def test_a_late_end_counts_for_the_day_in_which_it_is_recorded(counting, records):
    """A failure that is reported years later is not added to a day whose sum is settled. Its price is
    unknown, which is counted, too.
    """
    counting.failed(status_change(startDate=1_000_000_000_000, stopDate=1_000_000_005_000))
    record = records.get("p-1")
    assert record["finished_at"].startswith("2001")
    assert record["spent_at"] > "2026"
    assert (record["spent_nano_usd"], record["spent_unknown"]) == (0, True)


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


STATED = Stated(prices_of="us-east-1", tokens={"amazon.nova-lite-v1:0": ("0.5", "1.5")})


def test_stated_prices_are_counted_and_kept(records, events, history):
    """A run's cost is counted with the stated prices, and its record holds them, so that a reader counts the same."""
    logger = Logger(records, Bus(lambda: events, "bus"), lambda: history, stated=STATED)
    metadata = msgspec.structs.replace(RUN, execution_arn=ARN.replace("us-east-1", "xx-new-1"))
    logger.completed(metered_request(), metadata, meter=OWN)
    record = records.get("p-1")
    run = facts(record)
    assert run is not None
    assert run.stated == STATED
    assert record["cost"] == ledger(run).summary()
    assert record["cost"]["services"]["Model"] == 2_000 * 500 + 300 * 1_500
    assert record["cost"]["unknown"] == []
    assert record["cost"]["prices"].startswith("us-east-1 2026-09-01; used for xx-new-1; stated price of")


def test_a_failed_runs_cost_is_counted_with_the_stated_prices(records, events, history):
    """A failed run in a region without a list is counted with the list that the options name."""
    logger = Logger(records, Bus(lambda: events, "bus"), lambda: history, stated=STATED)
    logger.failed(status_change())
    record = records.get("p-1")
    run = facts(record)
    assert run is not None
    assert run.stated == STATED
    assert record["cost"] == ledger(run).summary()


def test_without_stated_prices_a_record_has_none_of_them(logger, records):
    """A record holds no stated prices if no option states any."""
    logger.completed(metered_request(), RUN, meter=OWN)
    assert "stated" not in records.get("p-1")["metered"]


# --- a stage that ends the run early -----------------------------------------------------------------------


def early(**results: Any) -> v1.LogRequested:
    """Return the request of a run that the moderation ended."""
    ended = {"data": moderation.REFUSED, "meter": METER}
    unasked = {"chat": EMPTY, "enhancement": EMPTY}
    whole = {"analysis": {"data": ANALYSIS, "meter": METER}, **unasked, "moderation": ended, **results}
    asked = msgspec.to_builtins(request())
    return msgspec.convert({**asked, "results": msgspec.to_builtins(whole)}, moderation.LogRequested)


def test_an_early_answer_is_the_final_response(logger, records, events):
    """The record of a run that a stage ended has that stage's answer, name and reason, and so has the event."""
    receipt = logger.completed(early(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert (receipt.status, record["status"]) == ("SUCCEEDED", "SUCCEEDED")
    assert record["final_response"] == "I can't help with that."
    assert (record["ended_by"], record["end_reason"]) == ("moderation", "asks for a secret")
    assert record["degraded"] == []
    (event,) = events.details("pipeline.completed.v1")
    assert event["data"]["ended_by"] == "moderation"


def test_an_early_answer_precedes_the_chatbots(logger, records):
    """If a stage after the chatbot ends the run, its answer counts, even if the chatbot's is a long one."""
    long = {**CHAT, "whole": {"key": "text#p-1", "characters": 20_000, "stored_bytes": 9_000}}
    logger.completed(early(chat={"data": long, "meter": METER}), METADATA, meter=OWN)
    assert records.get("p-1")["final_response"] == "I can't help with that."


def test_a_run_that_nobody_ended_has_no_such_fields(logger, records):
    """A success without an early answer removes the earlier end's fields, and adds none."""
    records.advance("p-1", "RUNNING", {"ended_by": "moderation", "end_reason": "before the restart"})
    logger.completed(request(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert record["final_response"] == "**Hello**"
    assert not {"ended_by", "end_reason"} & record.keys()


@pytest.mark.parametrize(("state", "stage"), [("AfterModerateMessage", "moderation"), ("StoreAnswer", "log")])
def test_a_run_that_stopped_at_a_choice_stopped_at_its_stage(monkeypatch, state, stage):
    """The choice behind a stage counts as that stage, any other state of no stage as the last one."""
    monkeypatch.setattr(core, "BY_CHOICE", {"AfterModerateMessage": moderation.MODERATION})
    assert core.last_stage([{"stateEnteredEventDetails": {"name": state}}]) == stage
