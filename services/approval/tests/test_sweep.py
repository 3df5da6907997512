"""The sweep of the waiting runs: deadline, reminders, repair."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from msgspec.structs import replace

from services.approval.settings import Settings
from services.approval.sweep.core import Act, act, verdict
from services.approval.sweep.handler import Sweep
from shared.bus import Bus
from shared.contracts import v1
from shared.errors import TransientError
from shared.observability import flush
from shared.tests.fakes import OneOutcome, client_error, create_approvals_table
from shared.waiting import Item, Verdict
from shared.waiting.store import Waiting
from shared.worker.outcome import Callback

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = Settings(approvals_table="approvals", approval_seconds=72 * 3_600, reminder_seconds=24 * 3_600)
WAITING = Item(pipeline_id="p", state="waiting", asked_at=NOW, deadline_at=NOW + 72 * HOUR)
DECIDED = replace(WAITING, state="decided", decision="approved", decided_by="ann", decided_at=NOW)


@pytest.mark.parametrize(
    ("item", "after", "expected"),
    [
        (WAITING, HOUR, Act.NONE),
        (WAITING, 24 * HOUR, Act.REMIND),
        (replace(WAITING, reminders=1), 25 * HOUR, Act.NONE),
        (replace(WAITING, reminders=1), 49 * HOUR, Act.REMIND),
        (WAITING, 72 * HOUR, Act.DECIDE),
        (replace(WAITING, reminders=9), 100 * HOUR, Act.DECIDE),
        (DECIDED, timedelta(seconds=5), Act.NONE),
        (DECIDED, 2 * HOUR, Act.SEND),
        (replace(DECIDED, state="settled"), 100 * HOUR, Act.NONE),
        (replace(WAITING, state="closed"), 100 * HOUR, Act.NONE),
    ],
)
def test_what_a_waiting_run_needs(item, after, expected):
    """A run is reminded of in its interval, decided at its deadline, and a decision that was not sent is sent."""
    assert act(item, NOW + after, SETTINGS) is expected


@pytest.mark.parametrize(
    ("policy", "decision", "text"),
    [("approve", "approved", None), ("reject", "rejected", SETTINGS.rejected_text), ("fail", "failed", None)],
)
def test_the_deadline_decides_by_policy(policy, decision, text):
    """The deadline's decision is that of the environment, in its own name."""
    made = verdict(replace(SETTINGS, at_deadline=policy))
    assert (made.decision, made.by, made.text) == (decision, "deadline", text)


@pytest.fixture
def machine():
    return OneOutcome()


@pytest.fixture
def waiting(machine):
    with mock_aws():
        client = boto3.client("dynamodb")
        create_approvals_table(client)
        yield Waiting(client, "approvals", Callback(machine), now=NOW.timestamp)


@pytest.fixture
def sweep(waiting, events):
    return Sweep(waiting, Bus(lambda: events, "bus"), SETTINGS)


def hold(waiting: Waiting, name: str = "p") -> None:
    fields = {
        "pipeline_id": name,
        "execution_arn": None,
        "user_message": "Hi",
        "answer": "Hello.",
        "is_cut": False,
    }
    meter = v1.Meter(queue_wait_ms=0, work_ms=0, attempt=0, receives=1)
    waiting.holding(fields, seconds=SETTINGS.approval_seconds).keep(f"token-{name}", meter)


def test_a_sweep_reminds_once_in_an_interval(waiting, sweep, events):
    """Two sweeps in one interval publish one reminder, which tells since when and until when a run waits."""
    hold(waiting)
    for hours in (1, 24, 25, 48):
        assert sweep.look(NOW + hours * HOUR) == 0
    reminders = events.details("approval.reminder.v1")
    assert [detail["data"]["number"] for detail in reminders] == [1, 2]
    assert reminders[0]["data"]["deadline_at"] == "2026-12-02T12:00:00Z"
    assert len({detail["metadata"]["event_id"] for detail in reminders}) == 2


def test_a_lost_count_repeats_the_same_reminder(waiting, sweep, events, monkeypatch):
    """If a sweep dies after it published, the next one publishes the reminder again, with the same event id."""
    hold(waiting)

    def lost(_: Item) -> bool:
        raise TransientError("lost")

    with monkeypatch.context() as patch:
        patch.setattr(waiting, "remind", lost)
        assert sweep.look(NOW + 24 * HOUR) == 1
    assert sweep.look(NOW + 24 * HOUR) == 0
    assert len({detail["metadata"]["event_id"] for detail in events.details("approval.reminder.v1")}) == 1


def test_a_sweep_measures_what_waits(waiting, sweep, capsys):
    """A sweep emits how many answers wait and for how long the oldest has, and zeros if none waits."""
    flush()  # what other tests have left
    capsys.readouterr()
    assert sweep.look(NOW) == 0
    flush()
    hold(waiting, "a")
    hold(waiting, "b")
    waiting.decide("b", Verdict(decision="approved", by="ann"))
    assert sweep.look(NOW + HOUR) == 0
    flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [line["ApprovalsWaiting"] for line in lines] == [[0.0], [1.0]]
    assert [line["OldestApproval"] for line in lines] == [[0.0], [3_600_000.0]]


def test_the_deadline_ends_the_wait(waiting, sweep, machine):
    """At its deadline a run is rejected in the name of the deadline, once."""
    hold(waiting)
    for _ in range(2):
        assert sweep.look(NOW + 72 * HOUR) == 0
    sent = machine.successes["token-p"]["data"]
    assert (sent["decision"], sent["decided_by"]) == ("rejected", "deadline")
    assert sent["early_answer"]["text"] == SETTINGS.rejected_text


def test_a_sweep_sends_what_was_not_sent(waiting, sweep, machine):
    """A decision whose sender died is sent by the sweep."""
    hold(waiting)
    machine.error = client_error("ServiceUnavailable", status=503)
    with pytest.raises(TransientError):
        waiting.decide("p", Verdict(decision="approved", by="ann"))
    machine.error = None
    assert sweep.look(NOW + HOUR) == 0
    assert machine.successes["token-p"]["data"]["decided_by"] == "ann"


def test_a_cancelled_run_leaves_the_inbox(waiting, sweep, machine):
    """The item of a run that was cancelled while it waited is closed by the sweep."""
    hold(waiting)
    machine.dead.add("token-p")
    assert sweep.look(NOW + HOUR) == 0
    assert waiting.read("p").state == "closed"


def test_one_fault_stops_no_other_run(waiting, sweep, machine, monkeypatch):
    """If one run can't be handled, the others are, and the sweep tells the number of faults."""
    for name in ("a", "b", "c"):
        hold(waiting, name)
    real = waiting.decide

    def decide(name: str, verdict: Verdict) -> Any:
        if name == "b":
            raise TransientError("no")
        return real(name, verdict)

    monkeypatch.setattr(waiting, "decide", decide)
    assert sweep.look(NOW + 72 * HOUR) == 1
    assert machine.successes.keys() == {"token-a", "token-c"}
