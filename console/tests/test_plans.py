"""Plans: what their pages show, what a press does, and what it never does twice."""

import json
import re
import threading
from typing import Any

import pytest

from console.tests.asking import Console, carry_out, console_of
from console.tests.parking import machine, make, message_ids, read, request, three
from operations.runs.ends import End
from operations.stop import Stop
from operations.tests.dead_letters import StepFunctions, count, park, url
from operations.tests.world import finish
from shared.tests.fakes import PATIENCE_SECONDS

__all__ = ["machine", "three"]


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
    gone = carry_out(restarted, second, rate="500").text
    assert ("2 were no longer parked, so nothing was done" in gone, "no longer parked</span>" in gone) == (
        True,
        True,
    )
    files = list((tmp_path / "plans-local").glob("*.jsonl"))
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]


def test_who_took_a_message_may_have_started_its_run(
    console: Console, machine: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """Of a message that was no longer parked, a plan does not say that no run was started: its id is looked for."""
    monkeypatch.setattr("operations.dlq.plans.ends", lambda *_args, **_options: iter(()))
    request("p-1", user_message="Hi")
    read(console)
    first, second = make(console, all="1"), make(console, all="1")
    assert "no run was started" in console.get(first).text
    for address in (first, second):
        page = carry_out(console, address, rate="500").text
    assert ('href="/find?q=p-1"' in page, "no run was started" in page) == (True, False)


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
    unread = restarted.post("/plans/make", {"plan": "1"})
    assert (unread.status, "Read the queues</button>" in unread.text) == (404, True)
    read(restarted)
    left = restarted.post("/plans/make", {"plan": "1"})  # only one is there: it was left
    assert (left.status, "breaks its contract" in left.text) == (409, True)
    assert f'href="/parked/{message_ids(restarted)[0]}"' in left.text
    assert restarted.get("/plans/3").status == 404
    assert "Replay 1 message" in restarted.get(make(restarted, all="1")).text


def test_the_second_joins_and_stops(console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch):
    """While one plan runs, a second one is refused, its page shows the running one, and anybody can stop it."""
    began, go = threading.Event(), threading.Event()

    def slow(_target: Any, _plan: Any, _how: Any, stop: Stop) -> Any:
        began.set()
        assert go.wait(PATIENCE_SECONDS)
        return iter(())

    read(console)
    first, second = make(console, all="1"), make(console, all="1")
    monkeypatch.setattr("console.pages.plans.carried_out", slow)
    assert console.post(f"{first}/run", {"rate": "500"}).status == 303
    assert began.wait(PATIENCE_SECONDS)
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
        assert go.wait(PATIENCE_SECONDS)
        return iter(())

    read(console)
    address = make(console, all="1")
    monkeypatch.setattr("console.live.shelf.read", slow)
    console.post("/parked-reading")
    assert began.wait(PATIENCE_SECONDS)
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
    """The page of a plan whose canary failed names the error, has one status for it, and says how many were left."""

    def failed(_target: Any, ids: Any, **_: Any) -> Any:
        return (End(pipeline_id=one, status="FAILED", error="Pipeline.Again", cause="<no>") for one in ids)

    monkeypatch.setattr("operations.dlq.plans.ends", failed)
    read(console)
    text = carry_out(console, make(console, all="1"), canary="1", rate="500").text
    for part in (
        "canary failed",
        "the other 1 were left unchanged",
        "Plan the rest again",
        "1 run failed: <strong>Pipeline.Again</strong> &lt;no&gt;",
        "its run failed",
    ):
        assert part in text, part
    assert not re.search(r"</svg>\s+done</span>", text)
    assert count(url("chatbot")) == 2


def test_a_plan_none_of_whose_runs_succeeded_says_so(
    console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """If no run succeeded, a plan is not done in part: its bar is empty, and it leads to what is parked again."""

    def failed(_target: Any, ids: Any, **_: Any) -> Any:
        return (End(pipeline_id=one, status="FAILED") for one in ids)

    monkeypatch.setattr("operations.dlq.plans.ends", failed)
    read(console)
    text = carry_out(console, make(console, all="1"), rate="500").text
    for part in (
        "All 2 messages were acted on; none of their runs succeeded.",
        '<progress max="2" value="0"',
        'in <a href="/parked">Parked</a>',
    ):
        assert part in text, part
    assert "done in part" not in text
    listed = console.get("/plans").text
    assert ("none succeeded" in listed, "0 of 2 messages" in listed) == (True, True)


def test_a_plan_one_of_whose_runs_failed_is_done_in_part(
    console: Console, three: StepFunctions, monkeypatch: pytest.MonkeyPatch
):
    """A run that failed again does not count as an outcome that was reached."""

    def ended(_target: Any, ids: Any, **_: Any) -> Any:
        first, second = sorted(ids)
        return iter((End(pipeline_id=first, status="FAILED"), End(pipeline_id=second, status="SUCCEEDED")))

    monkeypatch.setattr("operations.dlq.plans.ends", ended)
    read(console)
    text = carry_out(console, make(console, all="1"), rate="500").text
    for part in (
        "done in part",
        "1 of 2 messages reached their outcome; 1 run did not succeed",
        "is parked again",
    ):
        assert part in text, part


def test_a_plan_whose_runs_wait_for_a_person_says_so(
    console: Console, three: StepFunctions, target: Any, monkeypatch: pytest.MonkeyPatch
):
    """While a plan follows runs that wait for a person, it says so; one that has not ended is not called failed."""
    began, go = threading.Event(), threading.Event()

    def open_ones(_target: Any, ids: Any, **_: Any) -> Any:
        began.set()
        assert go.wait(PATIENCE_SECONDS)
        return (End(pipeline_id=one, status="RUNNING") for one in ids)

    monkeypatch.setattr("operations.dlq.plans.ends", open_ones)
    monkeypatch.setitem(target.addresses.values, "approvals/table", "approvals")
    read(console)
    address = make(console, all="1")
    console.post(f"{address}/run", {"canary": "1", "rate": "500"})
    assert began.wait(PATIENCE_SECONDS)
    assert (
        'only after a person has approved its answer: see <a href="/approvals">' in console.get(address).text
    )
    go.set()
    console.desk.jobs.join(1)
    page = console.get(address).text
    assert "The canary failed: 1 run had not ended when waiting was given up; the other 1" in page
    assert "approved its answer" not in page


def test_a_run_that_is_not_followed_is_not_called_done(console: Console, three: StepFunctions):
    """A message whose run nobody followed to its end has been acted on; that its run succeeded is not claimed."""
    read(console)
    text = carry_out(console, make(console, all="1"), rate="500").text
    assert text.count("done, its run was not followed") == 3  # one count, two messages


def test_the_cost_of_a_plan_is_known_after_any_success(
    console: Console, machine: StepFunctions, records: Any
):
    """A correction of a message that a replay would leave has an estimate from earlier runs."""
    cost = {"nano_usd": 5_000, "stages": {"chat": 4_000}, "services": {}}
    finish(records, "good", execution_arn=machine.fail("good", "SUCCEEDED"), cost=cost)
    machine.alive.add("a-living-token")
    park("p-3", token="a-living-token", user_message=7)
    read(console)
    (message,) = message_ids(console)
    address = make(console, message=message, what="edit", data='{"user_message": "Hi"}')
    assert "about $0.000004 <span" in console.get(address).text


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
