"""Replay on moto's queues and tables with a double of Step Functions: interruptions lose and double nothing."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.dlq import journal as journals
from operations.dlq.overview import overview
from operations.dlq.plan import Action
from operations.dlq.redrive import find, run_again
from operations.dlq.replay import (
    Options,
    Replay,
    Selection,
    archive,
    corrected_input,
    plan,
    select,
)
from operations.errors import InvalidInputError, OperationError
from operations.runs import executions
from operations.stop import Stop
from operations.tests.dead_letters import MACHINE, count, park, replay, url
from operations.tests.world import client, finish
from shared.contracts.record import CANCELLED, iso
from shared.contracts.stages import SERVICES
from shared.tests.fakes import client_error

pytestmark = pytest.mark.slow


class Crash(BaseException):
    """The simulated end of the process in the middle of a replay."""


def test_looking_takes_nothing(target, machine):
    """List, select and plan leave every message in its queue, visible to the next reader."""
    for number in range(25):
        park(f"p-{number}")
    (view,) = [view for view in overview(target) if view.count]
    assert (view.service, view.count, view.errors[0].count) == ("chatbot", 25, 25)
    assert view.seconds_left is not None
    assert len(plan(target, select(target, Selection()))) == 25
    assert count(url("chatbot")) == 25


def arn_of(queue_url):
    answer = client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def test_time_left_is_by_the_clock_by_which_sqs_deletes(target, machine):
    """A message is deleted its queue's retention after its SentTimestamp, which a move to the DLQ does not change."""
    work, kept = url("chatbot", ""), timedelta(days=3)
    redrive = {"deadLetterTargetArn": arn_of(url("chatbot")), "maxReceiveCount": "1"}
    client("sqs").set_queue_attributes(
        QueueUrl=work, Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"}
    )
    client("sqs").set_queue_attributes(
        QueueUrl=url("chatbot"), Attributes={"MessageRetentionPeriod": str(int(kept.total_seconds()))}
    )
    client("sqs").send_message(QueueUrl=work, MessageBody="{")
    (sent,) = client("sqs").receive_message(QueueUrl=work, AttributeNames=["SentTimestamp"])["Messages"]
    client("sqs").receive_message(QueueUrl=work)  # the second receive moves it
    park("p-1")
    (view,) = [view for view in overview(target) if view.count]
    moved, message = sorted(select(target, Selection()), key=lambda message: message.sent_at)
    first = datetime.fromtimestamp(int(sent["Attributes"]["SentTimestamp"]) / 1_000, UTC)
    assert (moved.moved, message.moved) == (True, False)
    assert moved.deleted_at == first + kept == view.deleted_at
    assert message.deleted_at == message.sent_at + kept


def test_a_failed_run_is_started_again_once(target, machine, records):
    """A failed run is restarted once under its derived name, its record is reopened, and its message is archived."""
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    park("p-1")
    park("p-1")
    results = replay(target)
    assert [result.action for result in results] == [Action.RESTART, Action.ARCHIVE]
    assert machine.calls == ["start p-1-restart-1"]
    assert json.loads(machine.runs["p-1-restart-1"]["input"])["request"]["user_message"] == "Hi"
    assert records.get("p-1")["status"] == "RUNNING"
    assert records.get("p-1")["execution_arn"].endswith(":p-1-restart-1")
    assert count(url("chatbot")) == 0
    assert len(list(journals.archived(target, "p-1"))) == 2
    assert [(entry.what, entry.who) for entry in journals.audit(target, "p-1")] == [
        ("restart", "arn:me"),
        ("archive", "arn:me"),
    ]


def test_a_cancelled_run_is_not_redriven(target, machine, records):
    """A run that its caller cancelled is neither redriven nor restarted."""
    machine.fail("p-1", "ABORTED")
    machine.fail("p-2", "ABORTED")
    for pipeline_id in ("p-1", "p-2"):
        finish(records, pipeline_id, status="RUNNING")
    records.cancel("p-1", at="2026-11-23T00:00:01.000Z")
    for pipeline_id in ("p-1", "p-2"):
        finish(records, pipeline_id, status="FAILED", stage="chat")
    assert [run.pipeline_id for run in find(target, since=timedelta(days=1))] == ["p-2"]


def test_a_redrivable_run_is_redriven(target, machine, records):
    """A failed run that Step Functions can redrive is redriven, with a client token that makes a repeated call
    harmless.
    """
    machine.redrivable = True
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    park("p-1")
    (result,) = replay(target)
    assert (result.action, machine.calls) == (Action.REDRIVE, ["redrive p-1"])
    assert records.get("p-1")["status"] == "RUNNING"
    assert 1 <= len(machine.tokens[0]) <= 64


def test_a_redrive_that_is_refused_becomes_a_restart(target, machine, records):
    """When Step Functions refuses a redrive, the run is restarted."""
    machine.redrivable = machine.refuse_redrive = True
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    park("p-1")
    replay(target)
    assert machine.calls == ["start p-1-restart-1"]


def test_a_living_token_is_moved_back_with_its_token(target, machine):
    """A message whose task still waits is moved back unchanged to its own service's queue."""
    machine.alive.add("alive")
    park("p-1", token="alive")
    (result,) = replay(target)
    assert (result.action, count(url("chatbot")), count(url("chatbot", ""))) == (Action.MOVE, 0, 1)
    (moved,) = client("sqs").receive_message(QueueUrl=url("chatbot", ""))["Messages"]
    assert json.loads(moved["Body"])["detail"]["task_token"] == "alive"
    assert machine.calls == []


def test_a_name_that_is_another_pipelines_is_left_out(target, machine, records):
    """If another run already has the name of the restart, the restart uses the next number."""
    machine.fail("p-1")
    machine.fail("p-1-restart-1", status="SUCCEEDED")
    machine.runs["p-1-restart-1"]["input"] = json.dumps({"metadata": {"pipeline_id": "p-1-restart-1"}})
    park("p-1")
    replay(target)
    assert machine.calls == ["start p-1-restart-2"]


BREAKS = [
    (step, when)
    for step in ("reopen", "start_execution", "archive", "note", "delete")
    for when in ("before", "after")
]


@pytest.mark.parametrize("at", BREAKS, ids=" ".join)
def test_an_interrupted_replay_loses_and_doubles_nothing(target, machine, records, monkeypatch, at):
    """After an interruption at any step, a second replay leaves one restart, one archived copy and an empty DLQ."""
    step, when = at
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    park("p-1")
    where: dict[str, tuple[Any, str]] = {
        "reopen": (executions, "reopen"),
        "start_execution": (machine, "start_execution"),
        "archive": (journals.Journal, "archive"),
        "note": (journals.Journal, "note"),
        "delete": (client("sqs"), "delete_message"),
    }
    owner, name = where[step]
    real = getattr(owner, name)

    def crashes(*args: Any, **options: Any) -> Any:
        if when == "after":
            real(*args, **options)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, crashes)
        with pytest.raises(Crash):
            replay(target)
    replay(target)
    assert machine.calls == ["start p-1-restart-1"]
    assert count(url("chatbot")) == 0
    assert len(list(journals.archived(target, "p-1"))) == 1
    assert records.get("p-1")["status"] == "RUNNING"


def test_a_failing_call_leaves_the_message(target, machine, records, monkeypatch):
    """When an action on a message fails, the message stays and is reported as failed, and the replay continues."""
    for name in ("p-1", "p-2"):
        machine.fail(name)
        finish(records, name, status="FAILED")
        park(name)
    real = machine.start_execution

    def picky(*, name: str, **options: Any) -> Any:
        if name.startswith("p-1"):
            raise client_error("AccessDeniedException", "StartExecution")
        return real(name=name, **options)

    monkeypatch.setattr(machine, "start_execution", picky)
    outcomes = {result.pipeline_id: result.outcome for result in replay(target)}
    assert outcomes == {"p-1": "failed", "p-2": "done"}
    assert count(url("chatbot")) == 1


def test_nobody_guesses(target, machine):
    """If the heartbeat is denied, the token's state is unknown, so the message is left with that reason."""
    machine.heartbeat_error = client_error("AccessDeniedException", "SendTaskHeartbeat")
    park("p-1")
    (result,) = replay(target)
    assert (result.outcome, count(url("chatbot"))) == ("left", 1)
    assert "the credentials do not allow SendTaskHeartbeat" in result.reason


def test_stopping_leaves_the_rest(target, machine):
    """A stopped replay finishes the current message and leaves the others, which a later replay handles."""
    for number in range(5):
        park(f"p-{number}")
        machine.fail(f"p-{number}", status="SUCCEEDED")
    stop = Stop()
    planned = plan(target, select(target, Selection()))
    results = []
    for result in Replay(target, who="me", options=Options(), stop=stop).run(planned):
        results.append(result)
        stop.requested = len(results) == 2
    assert (len(results), count(url("chatbot"))) == (2, 3)
    assert len(replay(target)) == 3
    assert count(url("chatbot")) == 0


def test_only_what_was_planned_is_touched(target, machine):
    """A message that arrives after the plan is not touched, and a planned message that has disappeared is reported as
    gone.
    """
    park("p-1")
    machine.fail("p-1", status="SUCCEEDED")
    planned = plan(target, select(target, Selection()))
    client("sqs").purge_queue(QueueUrl=url("chatbot"))
    park("p-2")
    (result,) = Replay(target, who="me", options=Options()).run(planned)
    assert (result.outcome, result.reached, count(url("chatbot"))) == ("gone", True, 1)


def test_a_large_message_is_archived_whole(target, machine):
    """A message larger than one table item is archived in full, without its token."""
    draw = random.Random(1)  # noqa: S311
    noise = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(150_000))
    park("p-1", user_message=noise)
    list(archive(target, select(target, Selection()), who="me", reason="too large"))
    (kept,) = journals.archived(target)
    assert json.loads(kept.body)["detail"]["data"]["user_message"] == noise
    assert (kept.reason, kept.who) == ("too large", "me")
    assert "task_token" not in kept.body


def test_correcting_a_run_needs_its_message_alone(target, machine, records):
    """Corrected data for a failed run is a user message with an optional valid history; any other data is refused."""
    machine.fail("p-1")
    park("p-1")
    (message,) = select(target, Selection())
    state = machine.runs["p-1"]["input"]
    assert (
        json.loads(corrected_input(message, {"user_message": "Ho"}, state))["request"]["user_message"] == "Ho"
    )
    before = [{"role": "user", "text": "Who?"}, {"role": "assistant", "text": "Me."}]
    conversation = corrected_input(message, {"user_message": "Ho", "history": before}, state)
    assert json.loads(conversation)["request"] == {"user_message": "Ho", "history": before}
    kept = json.loads(corrected_input(message, {"user_message": "Hum"}, conversation))["request"]
    assert kept == {"user_message": "Hum", "history": before}
    wrong: list[dict[str, Any]] = [
        {"user_message": " "},
        {"analysis": {}},
        {"user_message": "Ho", "history": before[:1]},
        {"user_message": "Ho", "history": 5},
    ]
    for data in wrong:
        with pytest.raises(InvalidInputError):
            corrected_input(message, data, state)


def test_failed_runs_without_a_message_run_again(target, machine, records):
    """`redrive` restarts a failed run, and leaves runs that have a parked message, a success or a restart."""
    for name in ("lost", "parked", "done", "again"):
        machine.fail(name, status="TIMED_OUT")
        finish(records, name, status="FAILED", stage="chat")
    finish(records, "done", status="SUCCEEDED")
    machine.fail("again-restart-1", status="RUNNING")
    machine.runs["again-restart-1"]["input"] = machine.runs["again"]["input"]
    park("parked")
    runs = find(target, since=timedelta(hours=1), stage="chat")
    assert {run.pipeline_id: run.decision.action for run in runs} == {
        "lost": Action.RESTART,
        "parked": Action.LEAVE,
    }
    results = {result.pipeline_id: result.outcome for result in run_again(target, runs, who="me")}
    assert results == {"lost": "done", "parked": "left"}
    assert machine.calls == ["start lost-restart-1"]
    assert journals.audit(target, "lost")[0].what == "restart"
    assert find(target, since=timedelta(hours=1), stage="log") == []


@pytest.mark.parametrize(("deployed", "action"), [(False, Action.RESTART), (True, Action.REDRIVE)])
def test_a_run_can_not_continue_in_a_stage_that_is_gone(target, machine, records, deployed, action):
    """A run that failed in a removed stage is redriven while that stage is deployed, and then restarted."""
    machine.redrivable = True
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED", stage="vetting")
    if deployed:
        name = "/ai-pipeline/local/services/vetting/queue-url"
        client("ssm").put_parameter(Name=name, Value="https://queue", Type="String")
    (run,) = find(target, since=timedelta(hours=1), stage="vetting")
    assert run.decision.action is action
    assert ("no longer part of the pipeline" in run.decision.reason) is not deployed


def test_a_success_is_not_reopened_behind_its_back(target, machine, records):
    """A run that succeeded between plan and action is not restarted."""
    machine.fail("p-1")
    finish(records, "p-1", status="SUCCEEDED")
    run = executions.describe(target, f"{MACHINE.replace('stateMachine', 'execution')}:p-1")
    assert run is not None
    with pytest.raises(OperationError, match="succeeded meanwhile"):
        executions.restart(target, run, "p-1-restart-1")
    assert machine.calls == []


def test_an_id_like_a_restarts_is_redriven_by_its_own_record(target, machine, records):
    """`redrive` judges a run whose id ends like a restart's name by its own record, and restarts it as itself."""
    for name in ("nightly-restart-3", "weekly-restart-1"):
        finish(records, name, status="FAILED", stage="chat", execution_arn=machine.fail(name))
    records.advance("nightly-restart-3", "FAILED", {CANCELLED: "2026-11-22T10:00:00.000Z"})
    (found,) = find(target, since=timedelta(hours=1))
    assert (found.pipeline_id, found.restart_name) == ("weekly-restart-1", "weekly-restart-1-restart-1")


def test_an_execution_is_named_after_the_run_in_its_input(target, machine, records):
    """A name that may be of two runs is looked up in the records, which need no further call, or in its input."""
    machine.fail("nightly-restart-3")
    machine.fail("p-1-restart-1")
    machine.runs["p-1-restart-1"]["input"] = json.dumps({"metadata": {"pipeline_id": "p-1"}})
    finish(records, "mine-restart-2", status="FAILED", execution_arn=machine.fail("mine-restart-2"))
    machine.runs.pop("mine-restart-2")
    names = ["nightly-restart-3", "p-1-restart-1", "mine-restart-2", "p-2", "gone-restart-1"]
    assert executions.pipelines_of(target, names) == {
        "nightly-restart-3": "nightly-restart-3",
        "p-1-restart-1": "p-1",
        "mine-restart-2": "mine-restart-2",
        "p-2": "p-2",
        "gone-restart-1": "gone",
    }


def test_a_redrive_puts_the_end_it_follows_into_the_record(target, machine, records):
    """A redriven or restarted run's record names the end after which it runs, by Step Functions' clock."""
    machine.redrivable = True
    stopped = datetime(2026, 11, 23, 12, tzinfo=UTC)
    arn = machine.fail("p-1")
    machine.runs["p-1"]["stopDate"] = stopped
    finish(records, "p-1", status="FAILED", stage="chat", execution_arn=arn)
    (found,) = find(target, since=timedelta(hours=1))
    executions.redrive(target, found.execution)
    assert records.get("p-1")["reopened_after"] == iso(stopped)


def test_every_services_queues_are_read(target):
    """The overview contains the DLQ and the rule DLQ of every service."""
    assert {(view.service, view.kind) for view in overview(target)} == {
        (service, kind) for service in SERVICES for kind in ("dlq", "rule-dlq")
    }
