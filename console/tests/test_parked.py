"""Parked messages: what their pages show after a reading, and that looking reads nothing."""

import json
import re
from typing import Any

import pytest

from console.tests.asking import Console, carry_out
from console.tests.parking import machine, make, message_ids, read, reject, three
from operations.dlq import queues
from operations.tests.dead_letters import StepFunctions, count, park, url
from operations.tests.world import TABLE, client, finish

__all__ = ["machine", "three"]


def test_looking_receives_no_message(console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch):
    """No page receives a message or asks about a token; counts are shown, and the button reads once for all."""
    monkeypatch.setattr(queues, "_receive", lambda *_: pytest.fail("received without being asked"))
    monkeypatch.setattr(three, "send_task_heartbeat", lambda **_: pytest.fail("asked without being asked"))
    text = console.get("/parked").text
    assert "3 messages parked" in text
    assert "chatbot 3" in text
    assert "Read the queues" in text
    for path in ("/parked?cause=x", "/parked/m-1", "/parked/m-1/raw", "/parked/export", "/plans/1"):
        assert console.get(path).status == 404
    assert console.get("/plans").status == 200


def test_parked_messages_are_shown_by_cause(console: Console, three: StepFunctions):
    """After a reading the page has each cause with count, time left, what a replay would do, and its cost."""
    read(console)
    text = console.get("/parked").text
    for part in (
        "Pipeline.Transient",
        "move back 1",
        "restart 1",
        "leave 1",
        "no run has succeeded",
        "days",
    ):
        assert part in text, part
    (address,) = set(re.findall(r"/parked\?cause=[0-9a-f]+", text)) - {""}
    of_cause = console.get(address).text
    assert of_cause.count("data-row") == 3
    assert "Plan a replay of these 3 messages" in of_cause
    assert "pipeline dlq replay --dry-run --service chatbot --error Pipeline.Transient" in of_cause
    assert json.loads(console.get(f"{address}&format=json").body)["cause"]["count"] == 3
    assert count(url("chatbot")) == 3


def test_a_denied_call_leads_to_health(console: Console, machine: StepFunctions):
    """Beside a cause for lack of a right, on its page and its messages', a sentence leads to Health."""
    park("p-1", error="Converse answered AccessDeniedException (HTTP 403)")
    park("p-2", error="Converse answered ThrottlingException (HTTP 429)")
    read(console)
    advice = '<a href="/health">Health</a> reads the policies of the deployed roles'
    text = console.get("/parked").text
    assert text.count(advice) == 1
    pages = [
        *re.findall(r"/parked\?cause=[0-9a-f]+", text),
        *(f"/parked/{one}" for one in message_ids(console)),
    ]
    found = [advice in console.get(page).text for page in dict.fromkeys(pages)]
    assert sorted(found) == [False, False, True, True]


def test_nothing_parked_is_good_news(console: Console, machine: StepFunctions):
    """With nothing parked the page says that this is how it should be, before and after a reading."""
    assert "how it should be" in console.get("/parked").text
    read(console)
    assert "Nothing of what was read" in console.get("/parked").text


def test_a_reading_that_fails_says_so(
    console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """If a queue can't be read, the page says why and keeps what was read before."""
    from operations.errors import DeniedError  # noqa: PLC0415

    read(console)

    def denied(*_: Any) -> Any:
        raise DeniedError("You may not receive (sqs:ReceiveMessage).")

    monkeypatch.setattr("operations.dlq.snapshot._read_queue", denied)
    read(console)
    text = console.get("/parked").text
    assert "sqs:ReceiveMessage" in text
    assert "Pipeline.Transient" in text


def test_a_message_shows_why_it_is_parked(console: Console, three: StepFunctions):
    """A message's page has its run, the decision and its reason, and marks the place that breaks the contract."""
    read(console)
    text = console.get(f"/parked/{message_ids(console)[2]}").text
    assert re.search(r'<mark>\s*&#34;user_message&#34;: 7</mark>\s+<strong class="bad">◀ [^<]+string', text)
    for part in ("A replay would", "leave", "breaks its contract", "/runs/p-3", "pipeline dlq show"):
        assert part in text, part
    assert "It keeps its contract" in console.get(f"/parked/{message_ids(console)[1]}").text


def test_a_run_leads_to_its_parked_messages(
    console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """The page of a failed run leads to its parked messages once somebody has read the queues, and reads none."""
    monkeypatch.setattr(three, "get_execution_history", lambda **_: {"events": []}, raising=False)
    text = console.get("/runs/p-1").text
    assert ("read the queues" in text, "Plan to run it again" in text) == (True, True)
    read(console)
    text = console.get("/runs/p-1").text
    assert f'href="/parked/{message_ids(console)[0]}" data-press="p"' in text
    assert "Plan to run it again" not in text


def test_a_run_without_a_parked_message_runs_again_by_a_plan(
    console: Console, machine: StepFunctions, records: Any, monkeypatch: pytest.MonkeyPatch
):
    """A reading tells of runs that had ended before it only: of a later one a message may be parked since."""
    monkeypatch.setattr(machine, "get_execution_history", lambda **_: {"events": []}, raising=False)
    for name, ended in (("p-1", "2020-01-01T00:00:00.000Z"), ("p-2", "2126-01-01T00:00:00.000Z")):
        machine.fail(name)
        finish(records, name, status="FAILED", finished_at=ended)
    read(console)
    known, unread = (console.get(f"/runs/{name}").text for name in ("p-1", "p-2"))
    assert "No message of this run was parked" in known
    assert ["Read the parked messages" in text for text in (known, unread)] == [False, True]
    assert all("Plan to run it again" in text for text in (known, unread))


def test_the_export_is_saved(console: Console, three: StepFunctions):
    """The export has a line of JSON for each message, and is saved, never shown."""
    read(console)
    answer = console.get("/parked/export")
    assert [json.loads(line)["service"] for line in answer.text.splitlines()] == ["chatbot"] * 3
    assert answer.headers["content-disposition"].startswith("attachment")


def test_an_old_reading_is_called_old(console: Console, three: StepFunctions):
    """When SQS counts other messages than were read, the page calls its table old, and offers to read again."""
    read(console)
    assert "out of date" not in console.get("/parked").text
    park("p-4")
    console.desk.feeds._feeds.clear()
    text = console.get("/parked").text
    for part in (
        "4 messages are parked now",
        "the 3 that are left of those read at",
        "out of date",
        '<button class="main">Read the q',
    ):
        assert part in text, part


def test_a_replay_that_would_do_nothing_is_not_offered(console: Console, machine: StepFunctions):
    """Messages that a replay would leave can't be planned to be replayed; the reason stands beside the button."""
    park("p-3", token="a-living-token", user_message=7)
    machine.alive.add("a-living-token")
    read(console)
    (message,) = message_ids(console)
    (cause,) = set(re.findall(r"/parked\?cause=[0-9a-f]+", console.get("/parked").text))
    for path in ("/parked", cause, f"/parked/{message}"):
        text = console.get(path).text
        assert '<button disabled aria-describedby="idle">Plan a replay of' in text, path
        assert 'id="idle">A replay would leave it parked.' in text, path
        assert "The message breaks its contract" in text, path


def test_an_event_that_started_no_run_has_no_link_to_one(console: Console, machine: StepFunctions):
    """Of a rejected event, which started no run, cause, message and plan say so; its id leads nowhere."""
    reject("p-rejected")
    read(console)
    (message,) = message_ids(console)
    (cause,) = set(re.findall(r"/parked\?cause=[0-9a-f]+", console.get("/parked").text))
    plan = make(console, all="1", what="archive", reason="known")
    for path in (cause, f"/parked/{message}", plan):
        text = console.get(path).text
        assert "no run was started" in text, path
        assert 'href="/runs/p-rejected"' not in text, path


def test_a_cause_says_its_error_once(console: Console, machine: StepFunctions):
    """The error that all messages of a cause share, and the reason of what a replay would do, stand once."""
    machine.alive.add("a-living-token")
    for number in range(3):
        park(f"p-{number}", token="a-living-token")
    read(console)
    (cause,) = set(re.findall(r"/parked\?cause=[0-9a-f]+", console.get("/parked").text))
    text = console.get(cause).text
    assert text.count("The task still waits for this message") == 1
    plan = console.get(make(console, all="1")).text
    assert plan.count("The task still waits for this message") == 1
    assert plan.count("3 at chatbot") == 1


def test_whether_it_works_again_is_known_from_the_reading(
    console: Console, machine: StepFunctions, records: Any
):
    """A cause says whether a run got through its service after the last of its messages were parked."""
    machine.fail("p-1")
    park("p-1")
    read(console)
    assert "no run got through lately" in console.get("/parked").text
    for ended, said in (
        ("2020-01-01T00:00:00.000Z", "no run got through since"),
        ("2126-01-01T00:00:00.000Z", "yes:</span> a run got through"),
    ):
        machine.fail("good", "SUCCEEDED")
        client("dynamodb").delete_item(TableName=TABLE, Key={"pipeline_id": {"S": "good"}})
        finish(records, "good", finished_at=ended)
        read(console)
        text = console.get("/parked").text
        assert said in text
        (cause,) = set(re.findall(r"/parked\?cause=[0-9a-f]+", text))
        assert "does chatbot work again?" in console.get(cause).text


def test_whether_it_works_again_is_out_of_date_after_a_plan(console: Console, three: StepFunctions):
    """After a plan has acted, pages call what the reading said of the service out of date, until it is read again."""
    read(console)
    first, *_ = message_ids(console)
    (cause,) = set(re.findall(r"/parked\?cause=[0-9a-f]+", console.get("/parked").text))
    stale = "a plan has acted since"
    assert not any(stale in console.get(path).text for path in ("/parked", cause))
    carry_out(console, make(console, message=first), rate="500")
    assert all(stale in console.get(path).text for path in ("/parked", cause))
    read(console)
    assert stale not in console.get("/parked").text


def test_ticked_messages_are_planned(console: Console, three: StepFunctions):
    """A plan is for the ticked messages of a cause only; without a tick none is made."""
    read(console)
    first, second, _ = message_ids(console)
    address = make(console, **{"message-1": first, "message-7": second})
    assert "Replay 2 messages" in console.get(address).text
    archived = make(console, **{"message-2": second}, what="archive", reason="known")
    assert "Archive 1 message" in console.get(archived).text
    refused = console.post("/plans/make", {"reason": ""})
    assert (refused.status, "Tick the messages" in refused.text) == (400, True)
