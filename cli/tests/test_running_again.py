"""Running ended pipelines again: once each, in any order, by anybody, and the record never tells a lie for long."""

import json
from datetime import timedelta
from typing import Any

import pytest

from cli.operations.dlq import journal as journals
from cli.operations.dlq.plan import Action, Planned
from cli.operations.dlq.replay import Options, Replay, plan
from cli.operations.dlq.selection import Selection, select
from cli.operations.errors import OperationError
from cli.operations.executions import Executions
from cli.operations.redrive import Redriving, find
from cli.operations.running_again import redrive, restart
from cli.tests.conftest import client, finish
from cli.tests.played import MACHINE, Crash, count, park, url
from shared.tests.fakes import client_error

HOUR = timedelta(hours=1)


def arn(name: str) -> str:
    return f"{MACHINE.replace('stateMachine', 'execution')}:{name}"


@pytest.fixture
def failed(machine: Any, records: Any) -> Any:
    """Makes a failed run with its record."""

    def make(name: str = "p-1", status: str = "FAILED", **fields: Any) -> str:
        made: str = machine.fail(name, status=status)
        finish(records, name, status="FAILED", execution_arn=made, stage="chat", **fields)
        return made

    return make


def planned(target: Any, *, reverse: bool = False, **options: Any) -> list[Planned]:
    """Decisions in the order of the messages or, where SQS hands them over in another, the other way round."""
    found = plan(target, select(target, Selection()), **options)
    decisions = [item.decision for item in found]
    order = reversed(decisions) if reverse else decisions
    return [
        Planned(message=item.message, decision=decision) for item, decision in zip(found, order, strict=True)
    ]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("redrivable", [False, True])
def test_two_messages_of_one_run_start_it_once(target, machine, failed, reverse, redrivable):
    """Whichever SQS hands over first starts the run, the other is archived: both reach their outcome."""
    machine.redrivable = redrivable
    failed()
    park("p-1")
    park("p-1")
    results = list(Replay(target, who="me", options=Options()).run(planned(target, reverse=reverse)))
    assert [result.outcome for result in results] == ["done", "done"]
    assert {result.action for result in results} == {
        Action.ARCHIVE, Action.REDRIVE if redrivable else Action.RESTART
    }  # fmt: skip
    assert len(machine.calls) == 1
    assert count(url("chatbot")) == 0


def test_a_rerun_that_was_broken_off_is_not_run_twice(target, machine, records, monkeypatch):
    """A pipeline that has succeeded runs again once, however often the same replay is started."""
    finish(records, "p-1", execution_arn=machine.fail("p-1", status="SUCCEEDED"))
    park("p-1")
    with monkeypatch.context() as patched:
        patched.setattr(client("sqs"), "delete_message", crash)
        with pytest.raises(Crash):
            list(Replay(target, who="me", options=Options(restart=True)).run(planned(target, restart=True)))
    machine.runs["p-1-restart-1"]["status"] = "SUCCEEDED"
    finish(records, "p-1", execution_arn=arn("p-1-restart-1"))
    (result,) = Replay(target, who="me", options=Options(restart=True)).run(planned(target, restart=True))
    assert (result.action, machine.calls) == (Action.ARCHIVE, ["start p-1-restart-1"])
    assert records.get("p-1")["status"] == "SUCCEEDED"


def crash(**_: Any) -> None:
    raise Crash


@pytest.mark.parametrize("step", ["start_execution", "note"])
def test_an_interrupted_redrive_goes_on(target, machine, failed, monkeypatch, step):
    """Broken off between record and start, or after it, the same command starts what was not started, and only that."""
    failed()
    with monkeypatch.context() as patched:
        if step == "note":
            patched.setattr(journals.Journal, "note", lambda *_: crash())
        else:
            patched.setattr(machine, step, crash)
        with pytest.raises(Crash):
            list(Redriving(target, who="me").run(find(target, since=HOUR)))
    list(Redriving(target, who="me").run(find(target, since=HOUR)))
    assert machine.calls == ["start p-1-restart-1"]
    assert find(target, since=HOUR) == []


@pytest.mark.parametrize("redrivable", [False, True])
@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE", "SUCCEEDED"])
def test_a_run_that_somebody_else_runs_again_is_left_alone(target, machine, failed, status, redrivable):
    """Between the plan and its answer another operator was quicker: there is no second run beside theirs."""
    machine.redrivable = redrivable
    failed()
    runs = find(target, since=HOUR)
    machine.runs["p-1"]["status"] = status
    machine.refuse_redrive = True
    (result,) = Redriving(target, who="me").run(runs)
    assert (result.outcome, result.reached, machine.calls) == ("gone", True, [])


def test_a_redrive_that_comes_too_late_starts_nothing_anew(target, machine, failed, records):
    """Not redrivable because it runs already: it is not started a second time beside itself."""
    machine.redrivable = True
    execution = Executions(target).look(failed())
    machine.runs["p-1"]["status"] = "RUNNING"
    machine.refuse_redrive = True
    assert execution is not None
    again = redrive(target, Executions(target), execution, token="t")
    assert (again.how, machine.calls) == ("superseded", [])


REFUSALS = {
    "denied": (client_error("AccessDeniedException"), "FAILED"),
    "throttled": (client_error("ThrottlingException"), "FAILED"),
    "no answer": (client_error("InternalServerError", status=500), "RUNNING"),
}


@pytest.mark.parametrize("redrivable", [False, True])
@pytest.mark.parametrize(("error", "status"), REFUSALS.values(), ids=REFUSALS)
def test_a_refused_start_leaves_the_record_as_it_was(
    target, machine, failed, records, monkeypatch, redrivable, error, status
):
    """A start that is refused is no running pipeline: the record names the old failure again, to the letter. Where
    nobody knows whether it started, it stays open.
    """
    machine.redrivable = redrivable
    failed(error="Pipeline.Permanent")
    before = records.get("p-1")

    def refuse(**_: Any) -> None:
        raise error

    monkeypatch.setattr(machine, "redrive_execution" if redrivable else "start_execution", refuse)
    (result,) = Redriving(target, who="me").run(find(target, since=HOUR))
    assert result.outcome == "failed"
    now = records.get("p-1")
    assert now["status"] == status
    assert (now == before) is (status == "FAILED")
    (entry,) = journals.audit(target, "p-1")
    assert entry.outcome.startswith("failed: ")


def test_a_start_that_was_beaten_leaves_the_other_ones_record(target, machine, failed, records):
    """Somebody's restart has failed again by the time ours is refused: the record tells of theirs, not of ours."""
    execution = Executions(target).look(failed())
    theirs = machine.fail("p-1-restart-1")
    machine.runs["p-1-restart-1"]["input"] = machine.runs["p-1"]["input"]
    records.reopen("p-1", execution_arn=theirs, started_at="2026-11-23T00:00:00.000Z")
    finish(records, "p-1", status="FAILED", execution_arn=theirs, started_at="2026-11-23T00:00:00.000Z")
    before = records.get("p-1")
    assert execution is not None
    again = restart(target, Executions(target), execution)
    assert (again.how, again.arn) == ("superseded", theirs)
    assert records.get("p-1") == before


def test_a_record_that_never_was_is_not_left_behind(target, machine, monkeypatch):
    """A run without a record whose start is refused leaves none."""
    execution = Executions(target).look(machine.fail("p-1"))
    assert execution is not None

    def refuse(**_: Any) -> None:
        raise client_error("AccessDeniedException")

    monkeypatch.setattr(machine, "start_execution", refuse)
    with pytest.raises(OperationError):
        restart(target, Executions(target), execution)
    assert client("dynamodb").scan(TableName="PipelineLogs")["Items"] == []


def test_a_second_redrive_of_one_message_is_a_new_one(target, machine, failed, records):
    """A run that fails again after a redrive is redriven anew: the token of the first does not swallow the second."""
    machine.redrivable = True
    failed()
    park("p-1")
    list(Replay(target, who="me", options=Options()).run(planned(target)))
    machine.runs["p-1"].update(status="FAILED", redriveCount=1)
    park("p-1")
    list(Replay(target, who="me", options=Options()).run(planned(target)))
    assert len(set(machine.tokens)) == 2
    assert all(len(token) <= 64 for token in machine.tokens)


def test_other_state_machines_are_not_touched(target, machine, monkeypatch):
    """An execution of another machine counts as unknown, whatever a message says."""
    machine.fail("p-1")
    elsewhere = arn("p-1").replace("ai-pipeline-local", "payments")
    assert Executions(target).look(elsewhere) is None


def test_a_failed_start_is_told_and_tried_by_the_next_message(target, machine, failed, monkeypatch):
    """If the first message's start is refused, it stays, and the refusal is in the audit."""
    failed()
    park("p-1")

    def refuse(**_: Any) -> None:
        raise client_error("AccessDeniedException")

    with monkeypatch.context() as patched:
        patched.setattr(machine, "start_execution", refuse)
        (result,) = Replay(target, who="me", options=Options()).run(planned(target))
    assert (result.outcome, count(url("chatbot"))) == ("failed", 1)
    (entry,) = journals.audit(target, "p-1")
    assert (entry.what, entry.outcome.partition(":")[0]) == ("restart", "failed")
    (result,) = Replay(target, who="me", options=Options()).run(planned(target))
    assert (result.outcome, machine.calls) == ("done", ["start p-1-restart-1"])
    assert json.loads(machine.runs["p-1-restart-1"]["input"])["metadata"]["pipeline_id"] == "p-1"
