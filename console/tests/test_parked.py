"""Parked messages and plans: what their pages show, what a press does, and what it never does twice."""

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from console.models.event import difference, event_text
from console.tests import hostile
from console.tests.asking import Console, carry_out, console_of
from console.tests.hostile import TOKEN, park_hostile, shape
from console.text import editable, shown
from operations.dlq import queues
from operations.dlq.causes import key_of
from operations.stop import Stop
from operations.tests.dead_letters import StepFunctions, count, machine, park, url
from operations.tests.world import client, finish
from operations.violations import Violation

__all__ = ["machine"]


def read(console: Console) -> None:
    """Press the button that reads the queues, and wait for the end of the reading."""
    assert console.post("/parked-reading").status == 303
    console.desk.shelf.wait()


def message_ids(console: Console) -> list[str]:
    snapshot = console.desk.shelf.shown(console.desk.environment.target()).snapshot
    assert snapshot
    return [item.message.id for item in snapshot.planned]


def make(console: Console, **form: str) -> str:
    """Make a plan and return its address."""
    answer = console.post("/plans/make", form)
    assert answer.status == 303, answer.text
    return answer.headers["location"]


@pytest.fixture
def three(machine: StepFunctions, records: Any, monkeypatch: pytest.MonkeyPatch) -> StepFunctions:
    """Park a message of a failed run, one of a task that waits, and one that breaks its contract."""
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    machine.alive.add("a-living-token")
    park("p-1")
    park("p-2", token="a-living-token")
    park("p-3", token="a-living-token", user_message=7)
    monkeypatch.setattr("operations.dlq.plans.ends", lambda *_args, **_options: iter(()))
    return machine


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
    for part in ("Pipeline.Transient", "move back 1", "restart 1", "leave 1", "no run has succeeded", "days"):
        assert part in text, part
    (address,) = set(re.findall(r"/parked\?cause=[0-9a-f]+", text)) - {""}
    of_cause = console.get(address).text
    assert of_cause.count("data-row") == 3
    assert "Plan a replay of these 3 messages" in of_cause
    assert "pipeline dlq replay --dry-run --service chatbot --error Pipeline.Transient" in of_cause
    assert json.loads(console.get(f"{address}&format=json").body)["cause"]["count"] == 3
    assert count(url("chatbot")) == 3


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


def test_a_plan_is_carried_out_once(console: Console, three: StepFunctions):
    """A plan shows a line for each message and does nothing; carried out twice, it acts once and tells so."""
    read(console)
    address = make(console, all="1")
    page = console.get(address).text
    for part in (
        "Replay 2 messages",
        "1 message would be left",
        "move back",
        "restart",
        "breaks its contract",
    ):
        assert part in page, part
    assert (count(url("chatbot")), three.calls) == (3, [])
    done = carry_out(console, address, canary="0", rate="500").text
    again = carry_out(console, address, canary="0", rate="500").text
    for text in (done, again):
        assert "2 of 2 messages reached their outcome" in text
        assert f'action="{address}/run"' not in text
    assert (count(url("chatbot")), three.calls) == (1, ["start p-1-restart-1"])
    assert len(message_ids(console)) == 1
    assert "what was sent" in done
    told = json.loads(console.get(f"{address}?format=json").body)
    assert [one["outcome"] for one in told["happened"]["results"].values()] == ["done", "done"]
    listed = console.get("/plans").text
    assert ("2 of 2 messages" in listed, "done" in listed) == (True, True)


def test_a_plan_survives_a_restart_of_the_console(
    console: Console, three: StepFunctions, target: Any, tmp_path: Any
):
    """A plan that was made, and one that was carried out, are there in the next console; its files are private."""
    read(console)
    first, second = make(console, all="1"), make(console, all="1")
    carry_out(console, first, rate="500")
    restarted = console_of(target, state=tmp_path)
    assert "2 of 2 messages reached" in restarted.get(first).text
    assert "Nothing has been done yet" in restarted.get(second).text
    assert "2 <span" in carry_out(restarted, second, rate="500").text  # both are gone
    files = list((tmp_path / "plans-local").glob("*.jsonl"))
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]


def test_a_console_that_died_leaves_a_plan_that_says_so(
    console: Console, three: StepFunctions, target: Any, tmp_path: Any
):
    """A plan whose console ended in the middle says what is not known, and starts no second time."""
    read(console)
    address = make(console, all="1")
    carry_out(console, address, rate="500")
    file = tmp_path / "plans-local" / "1.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:4]))  # one outcome, and no end
    park("p-1")
    restarted = console_of(target, state=tmp_path)
    text = restarted.get(address).text
    for part in ("interrupted", "1 message has no outcome", "not done"):
        assert part in text, part
    assert restarted.post(f"{address}/run").headers["location"] == address
    assert "interrupted" in restarted.get("/plans").text
    assert restarted.post("/plans/make", {"plan": "1"}).status == 404  # the queues are to be read first
    read(restarted)
    assert (
        "acts on 0 messages" in restarted.get(make(restarted, plan="1")).text
    )  # only one is there: it was left
    assert "Replay 1 message" in restarted.get(make(restarted, all="1")).text


def test_a_run_leads_to_its_parked_messages(
    console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """The page of a failed run leads to its parked messages once somebody has read the queues, and reads none."""
    monkeypatch.setattr(three, "get_execution_history", lambda **_: {"events": []}, raising=False)
    assert "read the queues" in console.get("/runs/p-1").text
    read(console)
    assert f"/parked/{message_ids(console)[0]}" in console.get("/runs/p-1").text


def test_the_second_joins_and_stops(console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch):
    """While one plan runs, a second one is refused, its page shows the running one, and anybody can stop it."""
    began, go = threading.Event(), threading.Event()

    def slow(_target: Any, _plan: Any, _how: Any, stop: Stop) -> Any:
        began.set()
        assert go.wait(10)
        return iter(())

    read(console)
    first, second = make(console, all="1"), make(console, all="1")
    monkeypatch.setattr("console.pages.plans.carried_out", slow)
    assert console.post(f"{first}/run", {"rate": "500"}).status == 303
    assert began.wait(10)
    assert console.post(f"{first}/run").headers["location"] == first
    refused = console.post(f"{second}/run")
    assert (refused.status, "Number 1 is being carried out" in refused.text) == (409, True)
    assert "Stop after what is under way" in console.get(first).text
    assert f'href="{first}"' in console.get("/parked").text
    assert console.post("/parked-reading").status == 409
    assert console.post(f"{first}/stop").status == 303
    assert "stopping" in console.get(first).text
    go.set()
    console.desk.jobs.join(1)
    assert "stopped" in console.get(first).text
    assert "/live/plans" not in console.get(first).text
    assert console.watch("/live/plans/1").text.count("event: done") == 1
    assert console.post(f"{second}/run").status == 303
    console.desk.jobs.join(2)


def test_a_plan_waits_until_nobody_reads(
    console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """A plan acts on nothing while the queues are read, since SQS hides what is read; it can be stopped meanwhile."""
    began, go = threading.Event(), threading.Event()

    def slow(_target: Any) -> Any:
        began.set()
        assert go.wait(10)
        return iter(())

    read(console)
    address = make(console, all="1")
    monkeypatch.setattr("console.live.shelf.read", slow)
    console.post("/parked-reading")
    assert began.wait(10)
    assert console.post("/parked-reading").status == 303  # a second reader joins
    console.post(f"{address}/run", {"rate": "500"})
    assert "waits until nobody reads the queues" in console.get(address).text
    console.post(f"{address}/stop")
    console.desk.jobs.join(1)
    assert "stopped" in console.get(address).text
    assert count(url("chatbot")) == 3
    go.set()
    console.desk.shelf.wait()
    assert "ended without a result" in console.get("/parked").text


def test_a_canary_that_fails_leaves_the_rest(
    console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """The page of a plan whose canary failed says so, and how many messages were left."""
    from operations.runs.ends import End  # noqa: PLC0415

    def failed(_target: Any, ids: Any, **_: Any) -> Any:
        return (End(pipeline_id=one, status="FAILED", error="Again") for one in ids)

    monkeypatch.setattr("operations.dlq.plans.ends", failed)
    read(console)
    text = carry_out(console, make(console, all="1"), canary="1", rate="500").text
    assert "canary failed" in text
    assert "the other 1 were left unchanged" in text
    assert "Plan the rest again" in text
    assert count(url("chatbot")) == 2


def test_archiving_needs_a_reason(console: Console, three: StepFunctions):
    """Messages are archived with a reason by a plan of their own; without a reason nothing happens."""
    read(console)
    (first, *_) = message_ids(console)
    assert console.post("/plans/make", {"message": first, "what": "archive", "reason": " "}).status == 400
    address = make(console, message=first, what="archive", reason="<b>known</b>")
    assert "Archive 1 message" in console.get(address).text
    assert "&lt;b&gt;known" in carry_out(console, address).text
    assert (count(url("chatbot")), three.calls) == (2, [])


def test_a_correction_is_checked_compared_and_sent_once(console: Console, three: StepFunctions):
    """A correction is checked while it is typed, shown as a difference, and sent as exactly one copy."""
    read(console)
    wrong = message_ids(console)[2]
    check = f"/parked/{wrong}/check"
    assert "must be of type string" in console.post(check, {"data": '{"user_message": 8}'}).text
    assert "not valid JSON" in console.post(check, {"data": "{"}).text
    assert "It keeps the contract" in console.post(check, {"data": '{"user_message": "Hi"}'}).text
    for data, why in (
        ('{"user_message": 8}', "breaks the contract"),
        ('{"user_message": 7}', "breaks the contract"),
    ):
        refused = console.post("/plans/make", {"message": wrong, "what": "edit", "data": data})
        assert (refused.status, why in refused.text, "8" in refused.text or "7" in refused.text) == (
            400,
            True,
            True,
        )
    address = make(console, message=wrong, what="edit", data='{"user_message": "Hi <b>"}')
    page = console.get(address).text
    assert "Send one corrected copy of 1 message" in page
    assert re.search(r'class="minus">-   &#34;user_message&#34;: 7', page)
    assert re.search(r'class="plus">\+   &#34;user_message&#34;: &#34;Hi &lt;b&gt;', page)
    for _ in range(2):
        assert "1 of 1 message reached" in carry_out(console, address).text
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (2, 1)
    assert console.post("/plans/make", {"message": wrong, "what": "edit", "data": "{}"}).status == 404
    assert console.post(check, {"data": "{}"}).status == 200


def test_a_correction_that_changes_nothing_is_refused(console: Console, three: StepFunctions):
    """Data that is the same, however it is spaced, is not sent again as a correction."""
    read(console)
    same = console.post(
        "/plans/make", {"message": message_ids(console)[1], "what": "edit", "data": '{ "user_message":"Hi" }'}
    )
    assert (same.status, "was not changed" in same.text) == (400, True)


def test_what_has_succeeded_runs_again_on_request(console: Console, machine: StepFunctions, records: Any):
    """The switch for restarts is part of the plan, and of the command that would do the same."""
    finish(records, "p-1", execution_arn=machine.fail("p-1", "SUCCEEDED"))
    park("p-1")
    read(console)
    assert "nothing left to do" in console.get(make(console, all="1")).text
    again = console.get(make(console, all="1", restart="1")).text
    assert ("--restart" in again, "Replay 1 message" in again) == (True, True)


def test_an_order_that_makes_no_sense_does_nothing(console: Console, three: StepFunctions):
    """A canary or rate that can't be is refused in words, and the plan can still be carried out."""
    read(console)
    address = make(console, all="1")
    for form in ({"canary": "x"}, {"rate": "0"}, {"rate": "nan"}):
        assert console.post(f"{address}/run", form).status == 400
    assert "Nothing has been done yet" in console.get(address).text
    for number in ("0", "99", "x", "²", "9" * 40):
        assert console.get(f"/plans/{number}").status == 404


def test_carrying_out_needs_an_unlocked_environment(nowhere: Any, tmp_path: Any):
    """On AWS plans can be made and stopped while the environment is locked, and not be carried out."""
    console = console_of(nowhere, "prod", state=tmp_path)
    assert console.post("/plans/1/run").status == 403
    assert console.post("/plans/1/stop").status == 404


# --- hostile messages ----------------------------------------------------------------------------------------


@pytest.fixture
def put(machine: StepFunctions, monkeypatch: pytest.MonkeyPatch) -> Callable[[Console, str], list[str]]:
    """Return a function that parks messages of which every text is `text`; it returns the pages about them."""
    monkeypatch.setattr("operations.dlq.plans.ends", lambda *_args, **_options: iter(()))

    def parked(console: Console, text: str) -> list[str]:
        for service in ("chatbot", "analyzer"):
            drain(url(service))
        park_hostile(text)
        read(console)
        snapshot = console.desk.shelf.shown(console.desk.environment.target()).snapshot
        assert snapshot
        items = sorted(snapshot.planned, key=lambda item: (item.message.service, len(item.message.body)))
        archive = make(console, all="1", what="archive", reason=text)
        replay = make(console, all="1")
        pages = [f"/parked/{item.message.id}" for item in items]
        return ["/parked", f"/parked?cause={key_of(items[-1])}", *pages, replay, archive]

    return parked


def drain(queue: str) -> None:
    while found := client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_hostile_messages_change_no_page(console: Console, put: Callable[[Console, str], list[str]]):
    """A hostile string in every field of a parked message leaves all its pages with the elements of a plain one."""
    plain = [shape(console.get(path).text) for path in put(console, hostile.BENIGN)]
    for text in (" ".join(hostile.STRINGS), *hostile.STRINGS[:2]):
        for path, expected in zip(put(console, text), plain, strict=True):
            answer = console.get(path)
            assert answer.status == 200
            assert shape(answer.text) == expected, (path, text)


def test_no_page_and_no_file_has_a_task_token(
    console: Console, put: Callable[[Console, str], list[str]], tmp_path: Any
):
    """A message's task token, also where its data and error quote it, is on no page, in no export and in no file."""
    paths = put(console, "x")
    (message,) = [path for path in paths if path.startswith("/parked/")][1:]
    extra = ("/parked/export", f"{message}/raw", "/plans")
    for path in (*paths, *extra):
        for suffix in ("", "&format=json" if "?" in path else "?format=json"):
            answer = console.get(path + suffix)
            assert (answer.status, TOKEN in answer.text) == (200, False), path + suffix
    carry_out(console, paths[-1])
    for file in (tmp_path / "plans-local").glob("*.jsonl"):
        assert TOKEN not in file.read_text("utf-8")


def test_the_export_is_saved(console: Console, three: StepFunctions):
    """The export has a line of JSON for each message, and is saved, never shown."""
    read(console)
    answer = console.get("/parked/export")
    assert [json.loads(line)["service"] for line in answer.text.splitlines()] == ["chatbot"] * 3
    assert answer.headers["content-disposition"].startswith("attachment")


# --- texts ---------------------------------------------------------------------------------------------------


def test_a_violation_is_marked_at_its_place_or_around_it():
    """A violation marks the line of its path, or of the nearest value around it that is there; garbage is shown."""
    body = json.dumps({"a": {"b": [1, {"c": 2}]}, "d": []})
    marked = {
        path: next(row.text.strip() for row in event_text(body, [Violation(path, "no")]).lines if row.why)
        for path in ("$.a.b[1].c", "$.a.b[7]", "$.a.x.y", "$.zz", "$", "$.d[0]")
    }
    assert list(marked.values()) == ['"c": 2', '"b": [', '"a": {', "{", "{", '"d": []']
    for garbage in ("", "{", "[" * 5_000, '"x"', "[" * 500 + "]" * 500):
        assert event_text(garbage, [Violation("$", "no")]).lines
    assert event_text(json.dumps(["x" * 20_000]), []).left_out


def test_what_is_edited_is_what_was_there():
    """Characters that deceive are escaped in the text that is edited, so that saving it changes nothing."""
    data = {"a\u202e": "x\u200b\u2028\U000e0041y", "b": "日本 👩\u200d💻"}
    text = editable(json.dumps(data, ensure_ascii=False))
    assert (json.loads(text), shown(text)) == (data, text)


def test_texts_that_are_too_long_are_not_compared():
    """A comparison that would take minutes is not made."""
    assert difference({"a": list(range(5_000))}, {}) is None
    assert [row.sign for row in difference({"a": "1\u2028"}, {"a": "2"}) or ()] == [" ", "-", "+", " "]
