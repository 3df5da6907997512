"""The starter starts exactly one execution per pipeline id."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.trigger.starter import core
from services.trigger.starter.handler import Starter
from shared.contracts import v2
from shared.contracts.envelope import Metadata, trace_id
from shared.contracts.stages import EVERY, LogRequested
from shared.contracts.upcasting import as_conversation
from shared.contracts.v1 import PipelineRequested, Turn
from shared.errors import ContractViolation, PermanentError, TransientError
from shared.tests.fakes import client_error

EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:machine:{}"
STARTED = datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC)
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:machine"


class FakeExecutions:
    """A double of StartExecution: the same name and input return the same execution while it runs."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self.closed: set[str] = set()
        self.error = None
        self.stopped: dict[str, str] = {}

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> None:
        assert cause
        self.stopped[executionArn] = error

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002
        if self.error:
            raise self.error
        if name in self.closed or self.running.get(name, input) != input:
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.running[name] = input
        return {"executionArn": EXECUTION.format(name), "startDate": STARTED}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        return {"input": self.running[executionArn.rpartition(":")[2]], "startDate": STARTED}


@pytest.fixture
def executions():
    return FakeExecutions()


@pytest.fixture
def start(executions, records):
    starter = Starter(executions, records, MACHINE)

    def run(text: str = "hi", pipeline_id: str = "p1", before: tuple[Turn, ...] = ()) -> None:
        request = as_conversation(PipelineRequested(user_message=text))
        if before:
            request = v2.PipelineRequested(messages=(*before, *request.messages))
        starter.start(request, metadata(pipeline_id))

    return run


def metadata(pipeline_id: str) -> Metadata:
    return Metadata(
        event_id="evt-1",
        pipeline_id=pipeline_id,
        schema="pipeline.requested",
        schema_version=1,
        occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        correlation_id="corr-1",
    )


def test_execution_is_named_by_the_pipeline(start, executions, records):
    """The pipeline's id is the execution's name, and the record is RUNNING with the execution's ARN."""
    start()
    assert list(executions.running) == ["p1"]
    record = records.get("p1")
    assert (record["status"], record["execution_arn"]) == ("RUNNING", EXECUTION.format("p1"))
    assert record["user_message"] == "hi"
    assert record["trace_id"] == trace_id(None, "p1")


def test_input_holds_every_default(start, executions):
    """An execution starts with all results and errors in place, so that no state has to make them."""
    start()
    state = json.loads(executions.running["p1"])
    assert state["results"] == {stage.key: {"data": None, "meter": None} for stage in EVERY[:-1]}
    assert state["errors"] == {}
    assert state["metadata"] == {
        "pipeline_id": "p1",
        "correlation_id": "corr-1",
        "causation_id": "evt-1",
        "accepted_at": "2026-11-22T10:00:00Z",
        "traceparent": None,
    }
    log = {**state["request"], "started_at": "2026-11-22T10:00:00Z", **state, **state["metadata"]}
    assert msgspec.convert(log, LogRequested).user_message == "hi"


def test_repeated_event_starts_nothing_new(start, executions, records):
    """The same event again, while the run goes on or after it, starts nothing and is no error."""
    start()
    start()
    executions.closed.add("p1")
    records.advance("p1", "SUCCEEDED", {})
    start()
    assert len(executions.running) == 1
    assert records.get("p1")["status"] == "SUCCEEDED"


def test_reused_id_for_another_message_is_refused(start):
    """Another message with a used id is a contract violation."""
    start("first")
    with pytest.raises(ContractViolation, match="used before"):
        start("second")


def test_start_that_died_before_its_record_is_completed(start, executions, records):
    """If a delivery started the execution and died, the next one writes the record."""
    table = records._table
    records._table = "gone"
    with pytest.raises((PermanentError, TransientError)):
        start()
    records._table = table
    start()
    assert records.get("p1")["status"] == "RUNNING"


def test_a_lost_start_is_found_again(start, executions, records):
    """A starter that died before it wrote leaves an execution without a record: the next one finds it and writes."""
    executions.running["p1"] = json.dumps({"request": {"user_message": "hi"}})
    executions.closed.add("p1")
    start()
    record = records.get("p1")
    assert (record["status"], record["execution_arn"]) == ("RUNNING", EXECUTION.format("p1"))
    assert record["started_at"] == "2026-11-22T10:00:01.000Z"


@pytest.mark.parametrize(
    "state", [json.dumps({"request": {"user_message": "another"}}), "another input", "5"]
)
def test_another_message_is_refused_before_there_is_a_record(start, executions, records, state):
    """Another message with an id that has no record yet is detected by the execution's input."""
    executions.running["p1"] = state
    with pytest.raises(ContractViolation, match="used before"):
        start()
    assert records.get("p1") is None


def test_execution_that_cannot_be_seen_yet_is_left_for_redelivery(start, executions, monkeypatch):
    """If the existing execution can't be described, the message is delivered again."""
    executions.running["p1"] = "another input"

    def throttled(**_: Any) -> None:
        raise client_error("ThrottlingException", "DescribeExecution")

    monkeypatch.setattr(executions, "describe_execution", throttled)
    with pytest.raises(TransientError):
        start()


def test_throttled_start_is_transient(start, executions):
    """A throttle leaves the event in its queue."""
    executions.error = client_error("ThrottlingException", "StartExecution")
    with pytest.raises(TransientError):
        start()


def test_record_says_when_and_as_what_it_runs(start, records):
    """A started pipeline's record has its execution's ARN and start time."""
    start()
    assert records.get("p1")["execution_arn"] == EXECUTION.format("p1")
    assert records.get("p1")["started_at"] == "2026-11-22T10:00:01.000Z"


BEFORE = (Turn(role="user", text="Who?"), Turn(role="assistant", text="Me."))


def test_a_conversation_is_kept_apart_from_what_is_asked(start, executions, records):
    """The last message is recorded; the earlier ones are the execution's history."""
    start("Since when?", before=BEFORE)
    asked = json.loads(executions.running["p1"])["request"]
    assert asked == {"user_message": "Since when?", "history": list(msgspec.to_builtins(BEFORE))}
    assert records.get("p1")["user_message"] == "Since when?"


def test_a_message_has_an_empty_history(start, executions):
    """An execution for a single message has it in the same field, with an empty history."""
    start()
    assert json.loads(executions.running["p1"])["request"] == {"user_message": "hi", "history": []}


@pytest.mark.parametrize("recorded", [True, False])
def test_the_same_question_after_another_conversation_is_another_request(
    start, executions, records, recorded
):
    """The history is part of the request that an id was used for, even if only the execution holds it."""
    start("Since when?", before=BEFORE)
    if not recorded:
        records._client.delete_item(TableName="PipelineLogs", Key={"pipeline_id": {"S": "p1"}})
    start("Since when?", before=BEFORE)
    executions.closed.add("p1")
    start("Since when?", before=BEFORE)
    with pytest.raises(ContractViolation, match="used before"):
        start("Since when?")


def test_what_was_cancelled_before_it_began_is_stopped_when_it_begins(start, executions, records):
    """A pipeline that is cancelled while it waits is started, so that it ends like any other, and stopped at once;
    a second delivery stops it again, and nothing is stopped that was not cancelled.
    """
    records.accept("p1", user_message="hi", accepted_at="2026-11-22T10:00:00.000Z")
    assert records.cancel("p1", at="2026-11-22T10:00:00.500Z")["status"] == "ACCEPTED"
    start("hi", "p1")
    start("hi", "p1")
    start("hi", "p2")
    start("hi", "p2")
    assert executions.stopped == {EXECUTION.format("p1"): "Pipeline.Cancelled"}
    assert records.get("p1")["status"] == "ACCEPTED"


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_a_name_that_is_free_again_does_not_start_a_used_id(start, executions, records, status):
    """When Step Functions has forgotten a name (after 90 days), the record still refuses a second start."""
    start("first")
    records.advance("p1", status, {"finished_at": "2026-11-22T10:00:02.000Z"})
    before = records.get("p1")
    executions.running.clear()
    start("first")
    with pytest.raises(ContractViolation, match="used before"):
        start("second")
    assert executions.running == {}
    assert records.get("p1") == before


def test_an_id_that_is_another_runs_restart_is_refused(start, executions, records):
    """An id under which another run was restarted is refused, even for the same message."""
    state = {"metadata": {"pipeline_id": "p1"}, "request": {"user_message": "hi"}}
    executions.running["p1-restart-1"] = json.dumps(state)
    executions.closed.add("p1-restart-1")
    with pytest.raises(ContractViolation, match="used before"):
        start("hi", "p1-restart-1")
    assert records.get("p1-restart-1") is None


def test_an_id_made_for_the_request_costs_no_reading(start, executions, records, monkeypatch):
    """Only a publisher's own id can be older than the names of executions: others are started without a reading."""
    monkeypatch.setattr(records, "get", lambda _: pytest.fail("the record was read"))
    start("hi", "evt-1")
    assert list(executions.running) == ["evt-1"]


@pytest.mark.parametrize(
    "state", ["", "null", "{", "[" * 100_000, '{"request": {"user_message": "\\ud83d"}}', "9" * 5_000]
)
def test_an_execution_of_another_kind_has_no_request(state):
    """The input of an execution that was started by hand, whatever it is, is no request and no failure."""
    assert not core.asked_hash(state, "p-1")
