"""A restart or redrive that is refused, unanswered or killed leaves the run as it was, or goes on by itself."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from operations.dlq.plan import Action
from operations.dlq.redrive import find, run_again
from operations.errors import OperationError
from operations.runs import executions
from operations.tests.dead_letters import MACHINE, STOPPED, StepFunctions, count, park, replay, url
from operations.tests.world import finish
from shared.contracts.record import iso
from shared.errors import TransientError
from shared.records import Records
from shared.tests.fakes import client_error

ARN = f"{MACHINE.replace('stateMachine', 'execution')}:p-1"
RESTART = f"{ARN}-restart-1"
ENDED = {"stage": "chat", "execution_arn": ARN, "finished_at": iso(STOPPED)}
LATER = iso(STOPPED + timedelta(minutes=5))

CALLS = ["start_execution", "redrive_execution"]
REFUSALS = [
    client_error("AccessDeniedException"),
    client_error("ThrottlingException"),
    client_error("ValidationException"),
    ReadTimeoutError(endpoint_url="https://states"),
    KeyboardInterrupt(),
    SystemExit(1),
]


def failed_run(machine: StepFunctions, records: Records, *, redrivable: bool = False) -> Any:
    machine.redrivable = redrivable
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED", **ENDED)
    return records.get("p-1")


def again(target: Any) -> list[Any]:
    return list(run_again(target, find(target, since=timedelta(hours=1)), who="me"))


@pytest.mark.parametrize("act", list(itertools.product(CALLS, REFUSALS)), ids=str)
def test_an_act_that_is_refused_changes_nothing(target, machine, records, monkeypatch, act):
    """After a refusal or a kill at the call, the record is as it was and the same command offers the run again."""
    call, error = act
    before = failed_run(machine, records, redrivable=call == "redrive_execution")

    def refuses(**_: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(machine, call, refuses)
        if isinstance(error, Exception):
            (result,) = again(target)
            assert result.outcome == "failed"
        else:
            with pytest.raises(type(error)):
                again(target)
    assert records.get("p-1") == before
    (result,) = again(target)
    assert (result.outcome, records.get("p-1")["status"]) == ("done", "RUNNING")
    assert len(machine.calls) == 1


@pytest.mark.parametrize(
    "act", list(itertools.product(CALLS, REFUSALS[-3:], ["SUCCEEDED", "FAILED"])), ids=str
)
def test_an_act_without_an_answer_happens_once(target, machine, records, monkeypatch, act):
    """A run that was started although the command got no answer is not started twice, and its end is recorded."""
    call, error, end = act
    failed_run(machine, records, redrivable=call == "redrive_execution")
    real = getattr(machine, call)

    def unanswered(**options: Any) -> Any:
        real(**options)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(machine, call, unanswered)
        if isinstance(error, Exception):
            assert [result.outcome for result in again(target)] == ["failed"]
        else:
            with pytest.raises(type(error)):
                again(target)
    assert records.get("p-1")["status"] == "FAILED"
    assert again(target) == []
    assert len(machine.calls) == 1
    arn = RESTART if call == "start_execution" else ARN
    assert records.advance("p-1", end, {"execution_arn": arn, "finished_at": LATER})
    assert records.get("p-1")["status"] == end


@pytest.mark.parametrize("redrivable", [False, True])
def test_a_replay_completes_what_was_interrupted(target, machine, records, monkeypatch, redrivable):
    """A replay that was killed before it reopened the record is completed by the next, which starts nothing."""
    failed_run(machine, records, redrivable=redrivable)
    park("p-1")

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(executions, "reopen", killed)
        with pytest.raises(KeyboardInterrupt):
            replay(target)
    assert (records.get("p-1")["status"], count(url("chatbot"))) == ("FAILED", 1)
    (result,) = replay(target)
    assert (result.action, len(machine.calls), count(url("chatbot"))) == (Action.ARCHIVE, 1, 0)
    record = records.get("p-1")
    assert (record["status"], record["reopened_after"]) == ("RUNNING", iso(STOPPED))
    assert "error" not in record


def test_a_run_that_ends_before_its_record_is_reopened_stays_ended(target, machine, records, monkeypatch):
    """An execution whose end is recorded before the command writes leaves the record with that end."""
    failed_run(machine, records)
    real = machine.start_execution

    def ends_at_once(**options: Any) -> Any:
        answer = real(**options)
        records.advance("p-1", "FAILED", {"error": "New", "execution_arn": RESTART, "finished_at": LATER})
        return answer

    monkeypatch.setattr(machine, "start_execution", ends_at_once)
    (result,) = again(target)
    record = records.get("p-1")
    assert (result.outcome, record["status"], record["error"]) == ("done", "FAILED", "New")


@pytest.mark.parametrize("write", ["get", "reopen"])
def test_a_table_that_fails_is_told(target, machine, records, monkeypatch, write):
    """A record that can't be read starts nothing; one that can't be written is a failure that says what it shows."""
    before = failed_run(machine, records)

    def fails(*_: Any, **__: Any) -> Any:
        raise TransientError("throttled")

    with monkeypatch.context() as patch:
        patch.setattr(Records, write, fails)
        (result,) = again(target)
    assert result.outcome == "failed"
    assert ("nothing was started" if write == "get" else "until the run ends") in str(result.problem)
    assert machine.calls == ([] if write == "get" else ["start p-1-restart-1"])
    assert records.get("p-1") == before


@pytest.mark.parametrize("arn", [ARN, RESTART], ids=["redrive", "restart"])
@pytest.mark.parametrize("more", [{}, {"reopened_after": iso(STOPPED)}], ids=["older", "old"])
def test_a_record_that_an_earlier_release_left_open_is_offered(target, machine, records, arn, more):
    """A run that is shown as RUNNING, though an earlier release never started it, is offered again."""
    machine.fail("p-1")
    opened = {"execution_arn": arn, "started_at": LATER, "finished_at": iso(STOPPED), "stage": "chat", **more}
    assert records.advance("p-1", "RUNNING", opened)
    (result,) = again(target)
    assert (result.outcome, machine.calls) == ("done", ["start p-1-restart-1"])
    assert records.get("p-1")["execution_arn"] == RESTART


def test_a_redrive_that_somebody_else_made_is_no_restart(target, machine, records, monkeypatch):
    """If Step Functions refuses a redrive because the execution runs again, no second execution is started."""
    failed_run(machine, records, redrivable=True)
    runs = find(target, since=timedelta(hours=1))
    machine.redrive_execution(executionArn=ARN, clientToken="theirs")
    machine.refuse_redrive = True
    (result,) = run_again(target, runs, who="me")
    assert (result.action, machine.calls) == (Action.REDRIVE, ["redrive p-1"])
    assert records.get("p-1")["status"] == "RUNNING"


def test_each_redrive_has_a_token_of_its_own(target, machine, records):
    """Two commands after one end use one client token; after the next end it is another, so it is carried out."""
    for redrives in (0, 0, 1):
        execution = executions.Execution(
            arn=ARN, name="p-1", status="FAILED", redrivable=True, redrives=redrives,
            input='{"metadata": {"pipeline_id": "p-1"}}', started_at=STOPPED, stopped_at=STOPPED,
        )  # fmt: skip
        machine.fail("p-1")
        executions.redrive(target, execution)
    first, second, third = machine.tokens
    assert first == second != third


@pytest.mark.parametrize("when", ["refused", "ends first", "killed", "reopened"])
def test_a_run_that_succeeded_runs_again_or_keeps_its_answer(target, machine, records, monkeypatch, when):
    """A restart of a success keeps the answer until the new execution ends, whose answer is then recorded."""
    machine.fail("p-1", status="SUCCEEDED")
    finish(records, "p-1", execution_arn=ARN, finished_at=iso(STOPPED))
    execution = executions.describe(target, ARN)
    assert execution is not None
    real = machine.start_execution
    new = {"final_response": "New.", "execution_arn": RESTART, "finished_at": LATER}

    def start(**options: Any) -> Any:
        if when == "refused":
            raise client_error("ThrottlingException")
        answer = real(**options)
        if when == "ends first":
            assert records.advance("p-1", "SUCCEEDED", new)
        if when == "killed":
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(machine, "start_execution", start)
    try:
        executions.restart(target, execution, "p-1-restart-1", rerun=True)
    except (OperationError, KeyboardInterrupt):
        assert when in ("refused", "killed")
    record = records.get("p-1")
    assert record["status"] == ("RUNNING" if when == "reopened" else "SUCCEEDED")
    assert record["final_response"] == ("New." if when == "ends first" else "An answer for p-1.")
    if when == "killed":
        assert records.advance("p-1", "SUCCEEDED", new)
    if when != "reopened":
        assert records.advance("p-1", "SUCCEEDED", {"execution_arn": ARN}) is False


def test_a_stale_plan_does_not_take_a_record_from_a_later_restart(records):
    """A record that was reopened after a later end is not reopened by a command that knows an earlier one only."""
    records.reopen("p-1", execution_arn="arn:2", started_at="6", after="5")
    assert records.reopen("p-1", execution_arn="arn:1", started_at="7", after="3") is False
    assert records.get("p-1")["execution_arn"] == "arn:2"


def test_a_missing_audit_line_is_told_as_such(target, machine, records, monkeypatch):
    """If the operations table fails after the act, the result says that the run was started."""
    failed_run(machine, records)

    def fails(*_: Any) -> None:
        raise OperationError("throttled")

    monkeypatch.setattr("operations.dlq.journal.Journal.note", fails)
    (result,) = again(target)
    assert (result.outcome, machine.calls) == ("failed", ["start p-1-restart-1"])
    assert "The run was started" in str(result.problem)
    assert records.get("p-1")["status"] == "RUNNING"
