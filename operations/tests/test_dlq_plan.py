"""The replay's planner: which action each kind of parked message gets in each state of its run, and why."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.dlq.messages import Parked, parked, violation, without_token
from operations.dlq.plan import Action, Decision, Facts, Planned, confirmed, decide, together
from operations.dlq.replay import Selection
from operations.runs.executions import Execution
from shared.contracts.message import request_hash
from shared.tests.fakes import stage_event

ARN = "arn:aws:states:us-east-1:000000000000:execution:machine:pipeline-1"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def message(body: Any = None, *, service: str = "chatbot", **attributes: str) -> Parked:
    """Return a parked message as it is read from SQS."""
    event = stage_event("chat.requested.v1", {"user_message": "Hi"}) if body is None else body
    return parked(
        {
            "MessageId": "m-1",
            "Body": event if isinstance(event, str) else json.dumps(event),
            "Attributes": {"SentTimestamp": str(int(NOW.timestamp() * 1_000))},
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        },
        service,
        "dlq",
    )


def start(text: Any = "Hi", **more: Any) -> dict[str, Any]:
    return {
        "source": "ai.pipeline", "detail-type": "pipeline.requested.v1", "id": "event-1",
        "detail": {"data": {"user_message": text}}, **more,
    }  # fmt: skip


def conversation(*texts: str) -> dict[str, Any]:
    turns = [{"role": "assistant" if index % 2 else "user", "text": text} for index, text in enumerate(texts)]
    return {**start(), "detail-type": "pipeline.requested.v2", "detail": {"data": {"messages": turns}}}


STATUS_CHANGE = {
    "source": "aws.states",
    "detail-type": "Step Functions Execution Status Change",
    "id": "event-2",
    "detail": {"executionArn": ARN, "name": "pipeline-1-restart-1", "status": "FAILED", "startDate": 1},
}


def execution(status: str, *, redrivable: bool = False, name: str = "pipeline-1") -> Execution:
    return Execution(
        arn=ARN, name=name, status=status, input="{}", redrivable=redrivable, started_at=NOW
    )  # fmt: skip


def dead(status: str | None = None, **more: Any) -> Facts:
    run = execution(status, redrivable=more.pop("redrivable", False)) if status else None
    return Facts(token="dead", execution=run, restart_name="pipeline-1-restart-1", **more)


TABLE = {
    "start event": (message(start(), service="trigger"), Facts(), Action.MOVE),
    "start event of a pipeline that has succeeded": (
        message(start(), service="trigger"),
        Facts(record_status="SUCCEEDED", record_hash=request_hash("Hi")),
        Action.MOVE,
    ),
    "start event under a used id": (
        message(start(), service="trigger"),
        Facts(record_status="RUNNING", record_hash=request_hash("another")),
        Action.LEAVE,
    ),
    "conversation that starts a pipeline": (
        message(conversation("Hi"), service="trigger"),
        Facts(record_status="RUNNING", record_hash=request_hash("Hi")),
        Action.MOVE,
    ),
    "conversation under a used id": (
        message(conversation("Who?", "Me.", "Hi"), service="trigger"),
        Facts(record_status="RUNNING", record_hash=request_hash("Hi")),
        Action.LEAVE,
    ),
    "unreadable start event": (message(start(5), service="trigger"), Facts(), Action.LEAVE),
    "not JSON": (message("{"), Facts(), Action.LEAVE),
    "another service's event": (message(start()), Facts(), Action.LEAVE),
    "a failed run's status": (message(STATUS_CHANGE, service="logger"), Facts(), Action.MOVE),
    "unreadable status": (
        message({**STATUS_CHANGE, "detail": {"status": "FAILED"}}, service="logger"),
        Facts(),
        Action.LEAVE,
    ),
    "token alive": (message(), Facts(token="alive", record_status="RUNNING"), Action.MOVE),
    "token alive, but unreadable": (
        message(stage_event("chat.requested.v1", {"user_message": 5})),
        Facts(token="alive"),
        Action.LEAVE,
    ),
    "token dead, run goes on": (message(), dead("RUNNING"), Action.ARCHIVE),
    "token dead, being redriven": (message(), dead("PENDING_REDRIVE"), Action.ARCHIVE),
    "token dead, a status of next year": (message(), dead("SUSPENDED"), Action.LEAVE),
    "token dead, failed, redrivable": (message(), dead("FAILED", redrivable=True), Action.REDRIVE),
    "token dead, failed": (message(), dead("FAILED"), Action.RESTART),
    "token dead, timed out": (message(), dead("TIMED_OUT"), Action.RESTART),
    "token dead, aborted": (message(), dead("ABORTED"), Action.RESTART),
    "token dead, restarted before": (
        message(),
        dead("FAILED", successor=execution("RUNNING", name="pipeline-1-restart-1")),
        Action.ARCHIVE,
    ),
    "token dead, succeeded": (message(), dead("SUCCEEDED"), Action.ARCHIVE),
    "token dead, the record is a success": (message(), dead(record_status="SUCCEEDED"), Action.ARCHIVE),
    "token dead, unreadable, succeeded": (
        message(stage_event("chat.requested.v1", {"user_message": 5})),
        dead("SUCCEEDED"),
        Action.ARCHIVE,
    ),
    "token dead, run unknown": (message(), dead(), Action.LEAVE),
    "nobody could be asked": (message(), Facts(unknown="not allowed"), Action.LEAVE),
}


@pytest.mark.parametrize(("parked_message", "facts", "action"), TABLE.values(), ids=TABLE)
def test_each_message_gets_its_action(parked_message, facts, action):
    """Each row of the runbook's table leads to its action, with a reason."""
    decision = decide(parked_message, facts)
    assert decision.action is action
    assert decision.reason.endswith(".") or facts.unknown


def test_what_was_cancelled_is_not_run_again_unless_asked():
    """A parked message of a cancelled run is archived unless `restart` or corrected data is given."""
    facts = Facts(
        token="dead",
        record_status="FAILED",
        cancelled=True,
        execution=execution("ABORTED"),
        restart_name="pipeline-1-restart-1",
    )
    assert decide(message(), facts).action is Action.ARCHIVE
    assert decide(message(), facts, restart=True).action is Action.RESTART
    assert decide(message(), facts, edited=True).action is Action.RESTART


def test_a_success_runs_again_only_if_asked():
    """With `restart`, a succeeded run is restarted as a rerun; if its execution no longer exists, the message is
    archived.
    """
    again = decide(message(), dead("SUCCEEDED", record_status="SUCCEEDED"), restart=True)
    assert (again.action, again.rerun) == (Action.RESTART, True)
    gone = decide(message(), dead(record_status="SUCCEEDED"), restart=True)
    assert gone.action is Action.ARCHIVE


def test_corrected_data_is_started_anew_never_redriven():
    """Corrected data causes a restart and never a redrive, because a redrive uses the original input."""
    assert decide(message(), dead("FAILED", redrivable=True), edited=True).action is Action.RESTART
    unreadable = message(start(5), service="trigger")
    assert decide(unreadable, Facts(), edited=True).action is Action.MOVE


def planned(identity: str, action: Action, *, rerun: bool = False) -> Planned:
    body = message().body
    item = Parked(
        id=identity,
        service="chatbot",
        kind="dlq",
        sent_at=NOW,
        error_type="E",
        error="e",
        body=body,
        execution_arn=ARN,
    )
    return Planned(message=item, decision=Decision(action=action, reason="r.", rerun=rerun))


@pytest.mark.parametrize("action", [Action.REDRIVE, Action.RESTART])
def test_one_message_starts_a_run_the_others_are_archived(action):
    """Of several messages of one failed run, one starts it, and the others are archived with that message's id."""
    result = together([planned("first-message", action), planned("b", action), planned("c", Action.MOVE)])
    assert [item.decision.action for item in result] == [action, Action.ARCHIVE, Action.MOVE]
    assert "first-me" in result[1].decision.reason


@pytest.mark.parametrize(
    ("agreed", "fresh", "done"),
    [
        (Action.RESTART, Action.RESTART, Action.RESTART),
        (Action.RESTART, Action.ARCHIVE, Action.ARCHIVE),
        (Action.MOVE, Action.LEAVE, Action.LEAVE),
        (Action.MOVE, Action.RESTART, Action.LEAVE),
        (Action.ARCHIVE, Action.RESTART, Action.LEAVE),
    ],
)
def test_never_more_than_was_agreed_to(agreed, fresh, done):
    """If facts change after the plan, the replay does less or leaves the message, and never does more than was agreed
    to.
    """
    assert confirmed(planned("a", agreed).decision, planned("a", fresh).decision).action is done


def test_second_message_of_a_rerun_is_archived():
    """A second message of a rerun is archived, even if its own facts would restart the run once more."""
    agreed, fresh = planned("a", Action.ARCHIVE), planned("a", Action.RESTART, rerun=True)
    assert confirmed(agreed.decision, fresh.decision).action is Action.ARCHIVE


def test_a_message_is_read_without_trust():
    """A message's ids and token are read from its body, its error from its attributes; any part may be missing."""
    read = message(error_type="Pipeline.Transient", error="slow", pipeline_id="other")
    assert (read.pipeline_id, read.execution_name, read.token) == ("pipeline-1", "pipeline-1", "token-1")
    assert (read.error_type, read.error) == ("Pipeline.Transient", "slow")
    assert message("{", pipeline_id="p-9").pipeline_id == "p-9"
    assert message("{").error_type == "ReceivedTooOften"
    assert message(start(), service="trigger").pipeline_id == "event-1"
    assert message(STATUS_CHANGE, service="logger").pipeline_id == "pipeline-1"
    for odd in ("null", "[]", '"x"', '{"detail": 5}', '{"detail": {"task_token": 5, "metadata": []}}'):
        assert message(odd).token is None
        assert violation(message(odd)) is not None


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(stage_event("chat.requested.v1", {"user_message": "Hi"}, token="SECRET")),
        '{"detail": {"task_token": "SECRET"',
        '{"detail": {"task_token" : "SECRET',
    ],
    ids=["event", "cut", "cut within the token"],
)
def test_no_token_is_shown(body):
    """A body that is shown, archived or exported contains no task token, even if the body is cut off."""
    assert "SECRET" not in without_token(body)


def test_selection_narrows():
    """Each criterion of a selection excludes messages; a selection without criteria takes all."""
    parked_message = message(error_type="Pipeline.Transient", error="slow model")
    later = NOW + timedelta(hours=3)
    taken = [
        Selection(),
        Selection(services=("chatbot",), errors=("transient",), ids=("m",), pipelines=("pipeline-1",)),
        Selection(errors=("SLOW",)),
        Selection(older_than=timedelta(hours=2)),
        Selection(newer_than=timedelta(hours=4)),
    ]
    left = [
        Selection(services=("logger",)),
        Selection(errors=("permanent",)),
        Selection(ids=("x",)),
        Selection(pipelines=("pipeline",)),
        Selection(older_than=timedelta(hours=4)),
        Selection(newer_than=timedelta(hours=2)),
    ]
    assert all(selection.takes(parked_message, later) for selection in taken)
    assert not any(selection.takes(parked_message, later) for selection in left)
