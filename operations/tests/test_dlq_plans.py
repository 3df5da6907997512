"""Snapshots, causes, contracts and plans on paper, on moto's queues with a double of Step Functions."""

import json
from typing import Any

import msgspec
import pytest

from operations.dlq import journal as journals
from operations.dlq.causes import causes, common
from operations.dlq.contract import problems, problems_of_correction
from operations.dlq.messages import data_of
from operations.dlq.plan import Action
from operations.dlq.plans import Note, Order, Plan, archive_plan, carried_out, order, replay_plan
from operations.dlq.replay import plan as decided
from operations.dlq.snapshot import Snapshot, counts, planned_again, read
from operations.errors import InvalidInputError, UnreachableError
from operations.runs.ends import End
from operations.stop import Stop
from operations.tests.dead_letters import count, park, url
from operations.tests.world import client, finish

pytestmark = pytest.mark.slow
ME = Order(who="arn:me")


def snapshot(target: Any) -> Snapshot:
    (*_, last) = read(target)
    assert last.snapshot is not None
    return last.snapshot


def plan_of(seen: Snapshot, **options: Any) -> Plan:
    """Return a plan for all messages, as it is after it was written to a file and read again."""
    made = replay_plan(seen.planned, seen, **options)
    text = msgspec.json.encode(made)
    assert b"task_token" not in text
    return msgspec.json.decode(text, type=Plan)


def run(target: Any, plan: Plan, how: Order = ME, stop: Stop | None = None) -> list[Note]:
    return list(carried_out(target, plan, how, stop or Stop()))


def outcomes(notes: list[Note]) -> list[str]:
    return [note.result.outcome for note in notes if note.result]


def mixed(machine: Any, records: Any) -> None:
    """Park two messages of a failed run, one of a task that waits, one that breaks its contract."""
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    machine.alive.add("alive")
    park("p-1")
    park("p-1")
    park("p-2", token="alive")
    park("p-3", token="alive", user_message=7)


def test_a_snapshot_takes_nothing_and_says_what_a_replay_would_do(target, machine, records):
    """A snapshot has every message with its decision, and leaves each in its queue; counts receive nothing."""
    mixed(machine, records)
    assert sum(one.visible for one in counts(target)) == 4
    seen = snapshot(target)
    assert sorted(item.decision.action.name for item in seen.planned) == [
        "ARCHIVE",
        "LEAVE",
        "MOVE",
        "RESTART",
    ]
    assert count(url("chatbot")) == 4
    assert (machine.calls, seen.left_out) == ([], False)
    first = seen.planned[0].message.id
    assert [item.message.id for item in seen.without({first}).planned] == [
        item.message.id for item in seen.planned[1:]
    ]
    assert (seen.find(first), seen.find("nobody")) == (seen.planned[0], None)


def test_a_snapshot_has_a_bound(target, machine, monkeypatch):
    """Of more messages than a snapshot holds, the rest is told and stays in the queues."""
    monkeypatch.setattr("operations.dlq.snapshot.MOST", 3)
    for number in range(5):
        park(f"p-{number}")
    park("p-9", service="analyzer")
    seen = snapshot(target)
    assert (len(seen.planned), seen.left_out, count(url("chatbot"))) == (3, True, 5)


def test_messages_are_grouped_by_what_their_errors_have_in_common(target, machine, records):
    """Errors that differ in ids, times and numbers are one cause, with the sum of what would be done."""
    mixed(machine, records)
    park("p-8", service="analyzer")
    seen = snapshot(target)
    found = causes(seen.planned, seen.rates)
    assert [(one.service, one.count) for one in sorted(found, key=lambda one: -one.count)] == [
        ("chatbot", 4),
        ("analyzer", 1),
    ]
    (chat,) = [one for one in found if one.service == "chatbot"]
    assert chat.actions == {Action.MOVE: 1, Action.RESTART: 1, Action.ARCHIVE: 1, Action.LEAVE: 1}
    assert chat.estimate.runs == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Timed out after 30.2 s (attempt 3)", "Timed out after 4 s (attempt 11)"),
        (
            "Run 0b6e1f3a-1111-4222-8333-123456789abc has ended",
            "Run 9b6e1f3a-1111-4222-8333-123456789abf has ended",
        ),
        (
            "No arn:aws:states:eu-west-1:1:execution:x:p-1 here",
            "No arn:aws:states:us-east-1:2:execution:x:q here",
        ),
        ("At 2026-11-22T10:00:00.000Z\n it broke", "At 2026-11-23 11:00:00 it   broke"),
        ("request req_8f3k2j5h9d", "request req_7a6s5d4f3g"),
    ],
)
def test_texts_that_differ_in_ids_and_numbers_are_the_same(one: str, other: str):
    """What differs from one message to the next does not part them."""
    assert common(one) == common(other)
    assert common("No such model") != common("No such region")


def test_everything_that_breaks_the_contract_is_told(target, machine):
    """Every place at which a message breaks its contract is told; garbage is told without a crash."""
    park("p-1", user_message=7, surprise=1)
    client("sqs").send_message(QueueUrl=url("analyzer"), MessageBody="{")
    bad, garbage = (
        next(item.message for item in snapshot(target).planned if item.message.service == name)
        for name in ("chatbot", "analyzer")
    )
    assert {"$.detail.data.user_message"} <= {one.path for one in problems(bad)}
    assert problems(garbage)
    good = {**data_of(bad), "user_message": "Hi"}
    good.pop("surprise")
    assert problems_of_correction(bad, json.dumps(good)) == []
    for text in ("", "{", "[]", "NaN", "[" * 200, json.dumps({"user_message": " "})):
        assert problems_of_correction(bad, text)
    assert problems_of_correction(garbage, "{}")


def test_a_plan_from_a_file_is_carried_out(target, machine, records):
    """A plan has no body and no token, and after a restart does what `dlq replay` does, with its audit lines."""
    mixed(machine, records)
    seen = snapshot(target)
    plan = plan_of(seen)
    assert len(plan.acts) == 3
    machine.runs["p-1"]["status"] = "FAILED"
    stop = Stop()
    notes = []
    for note in carried_out(target, plan, ME, stop):
        notes.append(note)
        if note.phase == "runs":
            stop.requested = True  # nobody works on them here
    assert outcomes(notes) == ["done"] * 3
    assert (count(url("chatbot")), machine.calls) == (1, ["start p-1-restart-1"])
    (moved,) = [note.result for note in notes if note.result and note.result.action is Action.MOVE]
    (sent,) = client("sqs").receive_message(QueueUrl=url("chatbot", ""))["Messages"]
    assert (moved.sent_id, "alive" in sent["Body"]) == (sent["MessageId"], True)
    assert {entry.who for entry in journals.audit(target, "p-1")} == {"arn:me"}
    assert outcomes(run(target, plan)) == ["gone"] * 3


@pytest.mark.parametrize(("status", "left"), [("SUCCEEDED", 0), ("FAILED", 2)])
def test_the_rest_follows_a_canary_that_holds(target, machine, monkeypatch, status, left):
    """Only if the canary's run succeeds are the others replayed; otherwise they stay parked."""
    ended: list[str] = []

    def ends(_target: Any, ids: Any, **_: Any) -> Any:
        ended.extend(ids)
        return (End(pipeline_id=one, status=status) for one in ids)

    monkeypatch.setattr("operations.dlq.plans.ends", ends)
    machine.alive.add("alive")
    for number in range(3):
        park(f"p-{number}", token="alive")
    notes = run(target, plan_of(snapshot(target)), Order(who="arn:me", canary=1))
    assert [note.canary_held for note in notes if note.canary_held is not None] == [left == 0]
    assert (count(url("chatbot")), len(ended)) == (left, 3 - left)


def test_a_canary_is_no_run_of_a_message_that_is_left(target, machine, records):
    """A message that the plan leaves is no canary: it can't fail the others."""
    mixed(machine, records)
    plan = plan_of(snapshot(target))
    assert Action.LEAVE not in {line.action for line in plan.acts}


def test_a_stop_leaves_the_rest(target, machine):
    """After a stop nothing new is begun, and the rest of the messages stays parked."""
    for number in range(3):
        park(f"p-{number}")
    seen = snapshot(target)
    stop, notes = Stop(), []
    for note in carried_out(target, archive_plan(seen.planned, seen.at, "a test"), ME, stop):
        notes.append(note)
        stop.requested = stop.requested or note.result is not None
    assert (outcomes(notes), count(url("chatbot"))) == (["done"], 2)


def test_messages_are_archived_with_a_reason(target, machine, records):
    """Archiving moves messages to the operations table whatever became of their runs, with who and why."""
    mixed(machine, records)
    seen = snapshot(target)
    for reason in ("", "  ", "x" * 1_001):
        with pytest.raises(InvalidInputError):
            archive_plan(seen.planned, seen.at, reason)
    assert outcomes(run(target, archive_plan(seen.planned, seen.at, "a test"))) == ["done"] * 4
    assert {one.reason for one in journals.archived(target)} == {"a test"}
    assert (count(url("chatbot")), machine.calls) == (0, [])


def test_a_correction_sends_exactly_one_copy(target, machine):
    """The corrected message is sent once, under a new id that is told; the parked one is archived and gone."""
    machine.alive.add("alive")
    park("p-1", token="alive", user_message=7)
    seen = snapshot(target)
    (item,) = seen.planned
    assert item.decision.action is Action.LEAVE
    planned = decided(target, [item.message], edited=True)
    data = {"user_message": "Hi"}
    plan = replay_plan(planned, seen, data=data)
    stop = Stop()
    notes = []
    for note in carried_out(target, plan, ME, stop):
        notes.append(note)
        stop.requested = note.phase == "runs"
    (result,) = [note.result for note in notes if note.result]
    (sent,) = client("sqs").receive_message(QueueUrl=url("chatbot", ""), MaxNumberOfMessages=10)["Messages"]
    assert json.loads(sent["Body"])["detail"]["data"] == data
    assert (result.sent_id, count(url("chatbot"))) == (sent["MessageId"], 0)
    assert len(list(journals.archived(target, "p-1"))) == 1


def test_a_copy_that_was_sent_is_told_when_its_record_fails(target, machine, monkeypatch):
    """If the operations table is down after a message was sent, the result says so: it is still parked, too."""
    machine.alive.add("alive")
    park("p-1", token="alive")

    def down(*_: Any) -> None:
        raise UnreachableError("The table is down.")

    monkeypatch.setattr(journals.Journal, "note", down)
    (result,) = [note.result for note in run(target, plan_of(snapshot(target))) if note.result]
    assert result.outcome == "failed"
    assert "was sent" in (result.problem or "")
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (1, 1)


def test_what_has_succeeded_runs_again_on_request_only(target, machine, records):
    """With the switch for restarts, what succeeded is planned again; without it, it is archived."""
    machine.fail("p-1", "SUCCEEDED")
    finish(records, "p-1", execution_arn=machine.fail("p-1", "SUCCEEDED"))
    park("p-1")
    seen = snapshot(target)
    ids = [item.message.id for item in seen.planned]
    actions = [
        planned_again(target, seen, ids, restart=restart)[0].decision.action for restart in (False, True)
    ]
    assert actions == [Action.ARCHIVE, Action.RESTART]
    assert planned_again(target, seen, ["nobody"], restart=True) == []


@pytest.mark.parametrize(
    ("canary", "rate"),
    [("-1", "10"), ("x", "10"), ("1", "0"), ("1", "nan"), ("1", "inf"), ("1", "501"), ("1.5", "")],
)
def test_an_order_that_makes_no_sense_is_refused(canary: str, rate: str):
    """A canary below nothing and a rate beyond the bounds are refused in words."""
    with pytest.raises(InvalidInputError, match="canary"):
        order("me", canary, rate)
    assert order("me", "", "") == Order(who="me", canary=0, rate=10)
