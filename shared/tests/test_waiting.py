"""A run that waits for a person: its item, and the decision that is taken once."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.contracts import v1
from shared.errors import TokenSettled, TransientError
from shared.tests.fakes import OneOutcome, client_error, create_approvals_table
from shared.waiting import AlreadyDecided, Item, NotWaiting, RunEnded, Verdict, Waiting
from shared.worker.outcome import Callback

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
METER = v1.Meter(queue_wait_ms=3, work_ms=2, attempt=0, receives=1)
FIELDS = {
    "pipeline_id": "p-1",
    "execution_arn": "arn:p-1",
    "user_message": "Hi",
    "answer": "Hello.",
    "is_cut": False,
}
ANN, BOB = "arn:aws:iam::1:user/ann", "arn:aws:iam::1:user/bob"
APPROVED = Verdict(decision="approved", by=ANN, reason="fine")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def machine():
    return OneOutcome()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table():
    with mock_aws():
        client = boto3.client("dynamodb")
        create_approvals_table(client)
        yield client


@pytest.fixture
def waiting(table, machine, clock):
    return Waiting(table, "approvals", Callback(machine), now=clock)


def hold(waiting: Waiting, token: str = "token-1", **fields: Any) -> None:
    waiting.holding({**FIELDS, **fields}, seconds=3_600).keep(token, METER)


def stored(table: Any) -> dict[str, Any]:
    return dict(table.get_item(TableName="approvals", Key={"pipeline_id": {"S": "p-1"}})["Item"])


def test_a_held_run_waits_with_its_answer(waiting, machine):
    """A held run is listed and can be read, with its deadline, and its task has no outcome yet."""
    hold(waiting)
    (listed,) = waiting.listed()
    assert (listed.pipeline_id, listed.state, listed.excerpt) == ("p-1", "waiting", "Hi")
    item = waiting.read("p-1")
    assert (item.answer, item.user_message) == ("Hello.", "Hi")
    assert (item.deadline_at - item.asked_at).total_seconds() == 3_600
    assert not machine.successes


def test_an_item_has_no_token(waiting, table):
    """Nothing that a reader of items gets contains the task's token, and the index does not hold it."""
    hold(waiting, "a-secret-token")
    shown = [*waiting.listed(), waiting.read("p-1")]
    assert all("a-secret-token" not in repr(item) for item in shown)
    index = table.query(
        TableName="approvals",
        IndexName="by-open",
        KeyConditionExpression="#open = :open",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues={":open": {"S": "yes"}},
    )
    assert "a-secret-token" not in json.dumps(index["Items"])


@pytest.mark.parametrize(
    ("verdict", "early"),
    [
        (APPROVED, None),
        (Verdict(decision="rejected", by=ANN, reason="wrong", text="No answer."), ("No answer.", "wrong")),
        (Verdict(decision="edited", by=ANN, text="Hello, Ann."), ("Hello, Ann.", "edited")),
    ],
)
def test_a_decision_ends_the_wait(waiting, machine, table, verdict, early):
    """A decision reaches the run as its stage's result, with who decided and the meter; the token is forgotten."""
    hold(waiting)
    item = waiting.decide("p-1", verdict)
    assert (item.state, item.decision, item.decided_by) == ("settled", verdict.decision, ANN)
    sent = machine.successes["token-1"]
    assert (sent["data"]["decision"], sent["data"]["decided_by"]) == (verdict.decision, ANN)
    answer = sent["data"].get("early_answer")
    assert (answer and (answer["text"], answer["reason"])) == early
    assert sent["meter"]["queue_wait_ms"] == 3
    assert "task_token" not in stored(table)
    assert list(waiting.listed()) == []


def test_a_deadline_may_fail_the_run(waiting, machine):
    """A wait that fails ends the run with a permanent error, which tells that nobody decided."""
    hold(waiting)
    assert waiting.decide("p-1", Verdict(decision="failed", by="deadline")).state == "settled"
    assert machine.failures["token-1"][0] == "Pipeline.Permanent"


def test_the_second_person_is_told_who_decided(waiting, machine):
    """Of two people the first decides; the second one changes nothing and is told who decided and how."""
    hold(waiting)
    waiting.decide("p-1", APPROVED)
    with pytest.raises(AlreadyDecided, match=r"user/ann has already decided: approved") as told:
        waiting.decide("p-1", Verdict(decision="rejected", by=BOB, text="No."))
    assert told.value.item.decided_by == ANN
    assert machine.successes["token-1"]["data"]["decision"] == "approved"


def test_two_people_at_once_are_one_decision(waiting, machine, monkeypatch):
    """If somebody decides between another's look and write, the write fails and the first decision stays."""
    hold(waiting)
    slow = Waiting(waiting._client, "approvals", waiting._callback, now=waiting._now)
    real = slow._read
    looks: list[Item] = []

    def read(pipeline_id: str) -> Any:
        found = real(pipeline_id)
        if not looks:
            looks.append(waiting.decide("p-1", APPROVED))
        return found

    monkeypatch.setattr(slow, "_read", read)
    with pytest.raises(AlreadyDecided):
        slow.decide("p-1", Verdict(decision="rejected", by=BOB, text="No."))
    assert machine.successes["token-1"]["data"]["decided_by"] == ANN


def test_a_repeated_decision_is_the_same_one(waiting, machine):
    """Whoever sends a decision twice, because the first answer was lost, gets the same answer twice."""
    hold(waiting)
    first = waiting.decide("p-1", APPROVED)
    assert waiting.decide("p-1", APPROVED) == first
    assert len(machine.successes) == 1


@pytest.mark.parametrize("again", ["repair", "decide", "redelivery"])
def test_a_decision_that_was_not_sent_is_sent_again(waiting, machine, again):
    """If the sender dies between writing and sending, the sweep, the same person or a redelivery sends it."""
    hold(waiting)
    machine.error = client_error("ServiceUnavailable", status=503)
    with pytest.raises(TransientError):
        waiting.decide("p-1", APPROVED)
    assert waiting.read("p-1").state == "decided"
    machine.error = None
    if again == "repair":
        waiting.repair("p-1")
    elif again == "decide":
        waiting.decide("p-1", APPROVED)
    else:
        hold(waiting)
    assert machine.successes["token-1"]["data"]["decision"] == "approved"
    assert waiting.read("p-1").state == "settled"


def test_a_decision_that_arrived_is_not_taken_for_dead(waiting, machine, monkeypatch):
    """A repair finds the task over because the decision had arrived: the item is settled, not closed."""
    hold(waiting)
    with monkeypatch.context() as patch:
        patch.setattr(waiting, "_end", lambda *_: (_ for _ in ()).throw(TransientError("died")))
        with pytest.raises(TransientError):
            waiting.decide("p-1", APPROVED)
    waiting.repair("p-1")
    assert waiting.read("p-1").state == "settled"
    assert len(machine.successes) == 1


def test_a_dead_run_can_not_be_decided(waiting, machine):
    """A decision on a run that was cancelled says so and closes the item, for the next one, too."""
    hold(waiting)
    machine.dead.add("token-1")
    with pytest.raises(RunEnded, match="does not wait"):
        waiting.decide("p-1", APPROVED)
    assert waiting.read("p-1").state == "closed"
    assert list(waiting.listed()) == []


def test_a_run_that_is_over_is_closed(waiting, machine):
    """The sweep closes the item of a run whose task is over, and no other."""
    hold(waiting)
    assert not waiting.close_if_over("p-1")
    machine.dead.add("token-1")
    assert waiting.close_if_over("p-1")
    with pytest.raises(RunEnded):
        waiting.decide("p-1", APPROVED)


def test_nobody_waits_under_an_unknown_id(waiting):
    """A decision on an unknown id is refused."""
    with pytest.raises(NotWaiting):
        waiting.decide("nobody", APPROVED)
    with pytest.raises(NotWaiting):
        waiting.read("nobody")


def test_a_redelivery_changes_nothing(waiting, clock):
    """A message that is delivered twice stores one item, whose deadline stays."""
    hold(waiting)
    first = waiting.read("p-1")
    clock.now += 100
    hold(waiting)
    assert waiting.read("p-1") == first


def test_a_late_redelivery_does_not_reopen(waiting, machine):
    """A message that is delivered again after the decision finds its task over, and stores nothing."""
    hold(waiting)
    waiting.decide("p-1", APPROVED)
    with pytest.raises(TokenSettled):
        hold(waiting)
    assert waiting.read("p-1").state == "settled"


def test_a_newer_task_takes_the_place_of_an_older_one(waiting, machine, clock):
    """After a redrive the item has the new task's token and a new deadline; the old task's message comes too late."""
    hold(waiting)
    machine.dead.add("token-1")
    clock.now += 7_200
    hold(waiting, "token-2")
    assert waiting.read("p-1").asked_at.timestamp() == NOW + 7_200
    with pytest.raises(TokenSettled):
        hold(waiting, "token-1")
    waiting.decide("p-1", APPROVED)
    assert list(machine.successes) == ["token-2"]


def test_a_restarted_run_waits_again(waiting, machine):
    """A run that was decided, and is restarted, waits again for a decision of its own."""
    hold(waiting)
    waiting.decide("p-1", APPROVED)
    hold(waiting, "token-2")
    item = waiting.read("p-1")
    assert (item.state, item.decision) == ("waiting", None)


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "edited", "by": ANN},
        {"decision": "approved", "by": ANN, "text": "No."},
        {"decision": "edited", "by": ANN, "text": " \n"},
        {"decision": "edited", "by": ANN, "text": "\x01" * 6_000},
    ],
    ids=["no text", "text of none", "blank", "too large"],
)
def test_an_impossible_decision_is_refused(fields):
    """A decision has a text exactly if it changes the answer, and the text keeps the contract."""
    with pytest.raises(ValueError, match=r"text|blank|bytes"):
        Verdict(**fields)


def test_a_damaged_item_is_told(waiting, table):
    """An item that nobody can read raises an error that says so."""
    hold(waiting)
    item = stored(table)
    table.put_item(TableName="approvals", Item={**item, "state": {"S": "perhaps"}})
    with pytest.raises(Exception, match="damaged"):
        waiting.read("p-1")


def test_a_reminder_is_counted_once(waiting):
    """Two sweeps that remind at the same time count one reminder less than both, never more."""
    hold(waiting)
    item = waiting.read("p-1")
    assert waiting.remind(item)
    assert waiting.read("p-1").reminders == 1
    waiting.decide("p-1", APPROVED)
    assert not waiting.remind(item)
    assert isinstance(item, Item)
