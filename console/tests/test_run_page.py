"""A run's page: its executions apart, one scale of time, one duration, tabs that can be read."""

from datetime import timedelta
from typing import Any

import pytest

from console.models.runs import full_bar, histogram, runs_view
from console.models.tabs import since
from console.models.waterfall import SCALE, waterfall
from console.pages import health
from console.tests.asking import Console
from console.tests.world import NOW, Machine, add_run
from operations.deployment.functions import Deployed
from operations.errors import DeniedError
from operations.runs.journey import read_journey
from operations.runs.pages import Page
from operations.runs.rows import Row
from operations.runs.trail import trail
from operations.target import Target
from operations.tests.histories import METER, START, Story
from shared.contracts.stages import SERVICES
from shared.records import Records


def later(story: Story, **by: float) -> list[dict[str, Any]]:
    return [{**event, "timestamp": event["timestamp"] + timedelta(**by)} for event in story.events]


@pytest.fixture
def restarted(machine: Machine, records: Records, target: Target) -> None:
    """Add a run whose first execution failed at the chatbot; its restart, an hour later, succeeded."""
    failed = Story().done("AnalyzeInput").enter("CallExistingChatbot").ask().fail("A", "first")
    failed.add("ExecutionFailed", executionFailedEventDetails={"error": "A", "cause": "first"})
    machine.add("p", "FAILED", failed.events)
    good = Story().done("AnalyzeInput").done("CallExistingChatbot")
    machine.add("p-restart-1", "SUCCEEDED", later(good, hours=1))
    machine.executions["p-restart-1"]["startDate"] = START + timedelta(hours=1)
    machine.executions["p-restart-1"]["stopDate"] = START + timedelta(hours=1, milliseconds=354)
    add_run(
        machine,
        records,
        "p-record",
        execution_arn=target.addresses.execution_arn("p-record"),
    )
    records.advance(
        "p",
        "SUCCEEDED",
        {
            "execution_arn": target.addresses.execution_arn("p-restart-1"),
            "started_at": "2026-11-22T11:00:00.000Z",
            "finished_at": "2026-11-22T11:00:00.274Z",
            "execution_time_ms": 274,
            "user_message": "Why?",
            "final_response": "Because.",
            "cost": {"nano_usd": 5},
        },
        first={"accepted_at": "2026-11-22T10:00:00.000Z"},
    )


def test_an_earlier_execution_is_shown_alone(console: Console, restarted: None):
    """An earlier execution has its own status, times and stages, says which it is, and leads to the latest."""
    text = console.get("/runs/p?execution=p").text
    for part in (
        "This is an earlier execution",
        '<a href="/runs/p">its latest execution</a>',
        "This execution has failed at stage chat after 120 ms: A: first.",
        '<strong aria-current="true">first execution</strong>, shown here',
        '<a href="/runs/p">restart 1</a>',
        "/runs/p?tab=events&amp;execution=p",
    ):
        assert part in text, part
    for part in ("succeeded after", "Because.", "Plan to run it again", "Compare with the last good one"):
        assert part not in text, part


def test_what_is_of_the_latest_execution_is_not_shown_as_of_another(console: Console, restarted: None):
    """Tabs of what the record tells lead to the latest execution; raw texts are of the one that is shown."""
    for tab in ("data", "cost"):
        text = console.get(f"/runs/p?tab={tab}&execution=p").text
        assert "The record tells of the latest execution only" in text
        assert "Because." not in text
    assert "ExecutionFailed" in console.get("/runs/p/raw?part=events&execution=p").text
    assert "ExecutionFailed" not in console.get("/runs/p/raw?part=events").text


def test_a_restart_begins_its_own_scale(console: Console, restarted: None):
    """The hour before a restart is neither drawn nor called waiting, and the page has one duration of the run."""
    text = console.get("/runs/p").text
    for part in (
        "0 is the start of this execution; it took 274 ms until its end was recorded",
        "has succeeded after 274 ms",
        '<td class="tight">274 ms</td>',
        '<a href="/runs/p?execution=p">first execution</a>',
    ):
        assert part in text, part
    for part in ("1 h", "min", "354 ms"):
        assert part not in text.partition("<main")[2].partition("</main>")[0].replace("min-", ""), part


def test_a_lost_history_and_a_stranger_lead_to_the_latest(
    console: Console, restarted: None, machine: Machine
):
    """An execution whose history is gone says so; a name that is no execution of the run is not looked at."""
    assert "earlier execution" not in console.get("/runs/p?execution=someone-else").text
    del machine.histories["p"]
    text = console.get("/runs/p?execution=p").text
    assert "The history of the execution p is gone" in text
    assert "has succeeded after 274 ms" in text


def test_who_may_not_see_executions_still_sees_their_names(
    console: Console, restarted: None, monkeypatch: pytest.MonkeyPatch
):
    """Without the permission to describe executions, they are named and can be opened."""

    def refuse(*_: Any) -> None:
        raise DeniedError("You may not describe executions.")

    monkeypatch.setattr("operations.runs.earlier.describe", refuse)
    text = console.get("/runs/p").text
    assert '<a href="/runs/p?execution=p">first execution</a>' in text
    assert "not known" in text


def test_a_long_pause_leaves_room_for_the_bars(machine: Machine, records: Records, target: Target):
    """A day until a redrive takes a small part of the drawing, and the scale says that it is drawn shorter."""
    story = Story().enter("AnalyzeInput").ask().fail("A", "first")
    story.add("ExecutionFailed", executionFailedEventDetails={"error": "A", "cause": "first"})
    rest = Story()
    rest.events.clear()
    rest.add("ExecutionRedriven", executionRedrivenEventDetails={"redriveCount": 1})
    rest.ask().succeed({"data": {}, "meter": {}}).leave()
    events = [*story.events, *later(rest, days=1)]
    add_run(machine, records, "p", started_at="2026-11-22T10:00:00.000Z", execution_time_ms=86_400_030)
    machine.histories["p"] = events
    fall = waterfall(read_journey(target, "p"), trail("arn:p", events), NOW)
    band = next(row for row in fall.rows if row.name == "redrive 1")
    assert band.pieces[0].width < SCALE / 5
    assert band.took == "23 h 59 min"
    assert "Long pauses are drawn shorter than they were." in fall.scale
    xs = [piece.x for row in fall.rows for piece in row.pieces]
    assert xs == sorted(xs)
    assert max(piece.x + piece.width for row in fall.rows for piece in row.pieces) < SCALE + 10


def test_the_start_has_one_time(console: Console, machine: Machine, records: Records):
    """The card of the start has the time of its row, and the scale says what all times add up to."""
    story = Story().done("AnalyzeInput")
    add_run(
        machine,
        records,
        "p",
        story=story,
        started_at="2026-11-22T10:00:00.004Z",
        finished_at="2026-11-22T10:00:00.040Z",
        execution_time_ms=36,
    )
    text = console.get("/runs/p").text
    for part in (
        '<span class="name">start</span>',
        'done</span><span class="soft">10 ms</span>',
        "it waited 4 ms until it started, and took 36 ms from there until its end was recorded",
        "the last hop ended 10 ms later",
        "<dt>longest</dt><dd>analysis: retries and hops 38 ms, 100% of 38 ms</dd>",
    ):
        assert part in text, part
    asked = console.get("/asked/p").text
    for part in (
        'done</span><span class="soft">10 ms</span>',
        "The stages add up to 60 ms since the run was accepted: it waited 4 ms until it started, and took 36 ms",
    ):
        assert part in asked, part


def test_an_early_end_is_told_once_and_plainly(console: Console, machine: Machine, records: Records):
    """The list and the page name the stage that ended a run; the state that decided it is no row of the timeline."""
    story = Story().done("AnalyzeInput")
    story.add("ChoiceStateEntered", stateEnteredEventDetails={"name": "AfterAnalyzeInput"})
    story.add("ChoiceStateExited", stateExitedEventDetails={"name": "AfterAnalyzeInput"})
    story.done("LogResults")
    meters = {"analysis": METER}
    add_run(
        machine,
        records,
        "p",
        story=story,
        chat=None,
        stages=meters,
        ended_by="analysis",
        end_reason="a refused word..",
    )
    text = console.get("/runs/p").text
    assert "The run ended by analysis; the model was not asked. The reason: a refused word.<" in text
    assert "AfterAnalyzeInput" not in text
    assert 'href="#visit-2">log</a>' in text
    assert "AfterAnalyzeInput" in console.get("/runs/p?tab=events").text
    assert '<span class="note">ended by analysis</span>' in console.get("/runs").text


def test_all_tabs_but_the_first_have_a_short_head(console: Console, machine: Machine, records: Records):
    """The first tab has strip, timeline and actions; the others one line before what they show, live ones too."""
    add_run(machine, records, "p", cost={"nano_usd": 162_384})
    add_run(machine, records, "going", "RUNNING")
    first = console.get("/runs/p").text
    for tab in ("data", "events", "cost", "logs"):
        text = console.get(f"/runs/p?tab={tab}").text
        assert ("$0.0001624" in text, "a-model" in text) == (True, True)
        for part in ('class="waterfall"', 'aria-label="Stages"', "For a ticket"):
            assert (part in first, part in text) == (True, False), (tab, part)
    assert "/live/runs/going?tab=events" in console.get("/runs/going?tab=events").text


def test_costs_are_summed_by_stage(console: Console, machine: Machine, records: Records, target: Target):
    """The tab of the cost has the sum of each stage before its lines, and the total below them."""
    add_run(machine, records, "p", execution_arn=target.addresses.execution_arn("p"))
    text = console.get("/runs/p?tab=cost").text
    assert text.count('scope="rowgroup"') == len(SERVICES)
    foot = text.partition("<tfoot>")[2].partition("</tfoot>")[0]
    total = text.partition("It cost <strong>")[2].partition("<")[0]
    assert total.startswith("$")
    assert total in foot


def test_moments_have_milliseconds_and_their_distance(console: Console, machine: Machine, records: Records):
    """An event shows the time of day to the millisecond, and how long after the run's start it was."""
    add_run(machine, records, "p", story=Story().done("AnalyzeInput"), started_at="2026-11-22T10:00:00.000Z")
    console.cookies["pipeline-console-clock"] = "utc"
    text = console.get("/runs/p?tab=events").text
    for part in ('<span class="day">11-22 </span>10:00:00.010', "+0.010 s", "+0.060 s"):
        assert part in text, part
    assert since(NOW, NOW - timedelta(milliseconds=16)) == "\N{MINUS SIGN}0.016 s"
    assert since(None, NOW) == ""


@pytest.mark.parametrize(
    ("times", "full"),
    [
        ([], 0),
        ([5], 5),
        ([200] * 49 + [60_000], 400),
        ([200] * 30 + [3_000] * 20, 800),
        ([200] * 30 + [500] * 20, 500),
        ([100, 200, 300], 300),
    ],
)
def test_a_few_slow_runs_do_not_shrink_the_bars_of_the_others(times: list[int], full: int):
    """A full bar stands for what most runs take, not for the slowest one."""
    assert full_bar(times) == full


def test_a_bar_beyond_the_scale_is_marked(console: Console):
    """A run that took longer than a full bar fills it and is marked, and the head says what a full bar stands for."""

    def row(name: str, ms: int) -> Row:
        return Row(
            pipeline_id=name, restart=0, status="SUCCEEDED", started_at=NOW, finished_at=NOW,
            execution_time_ms=ms, waited_ms=ms // 2, worked_ms=ms // 2,
        )  # fmt: skip

    view = runs_view(Page(rows=(*(row(f"p-{number}", 200) for number in range(9)), row("slow", 60_000))))
    usual, slow = view.rows[0], view.rows[-1]
    assert (view.full_ms, usual.waited, slow.waited) == (400, 25.0, 50.0)
    assert (usual.is_longer, slow.is_longer) == (False, True)


def test_the_histogram_is_of_the_rows_of_the_page(console: Console, machine: Machine):
    """The list shows when its rows started, with those that failed; a list of a few rows has no histogram."""
    for number in range(9):
        machine.add(f"p-{number}", "SUCCEEDED")
    assert "<figure" not in console.get("/runs").text
    machine.add("failed", "FAILED")
    text = console.get("/runs").text
    assert "at most 1 in a fiftieth of the time; 1 failed or were stopped" in text
    rows = [
        Row(pipeline_id="p", restart=0, status="ABORTED" if number % 4 == 0 else "SUCCEEDED", started_at=at)
        for number, at in enumerate([NOW] * 30 + [NOW - timedelta(days=1)] * 10)
    ]
    drawn = histogram(rows)
    assert drawn is not None
    assert [(one.x, one.count, one.failed) for one in drawn.columns] == [(0, 10, 2), (49, 30, 8)]
    assert (drawn.most, drawn.failed, drawn.first) == (30, 10, NOW - timedelta(days=1))
    assert histogram([rows[0]] * 50) is None


def test_a_stage_shows_the_code_that_it_ran(console: Console, machine: Machine, records: Records):
    """What is told of a stay in a state names the code that ran, where the stage's meter has it."""
    story = Story().enter("AnalyzeInput").ask().succeed({"meter": {"revision": "a1b2c3d4e5f6"}}).leave()
    story.enter("CallExistingChatbot").ask().succeed({"meter": ["odd"]}).leave()
    add_run(machine, records, "p", story=story)
    text = console.get("/runs/p").text
    assert text.count('code <span class="id">a1b2c3d4e5f6</span>') == text.count("code <span") == 1
    assert "deployed now" not in text


def test_a_run_says_whether_its_code_is_deployed_now(
    console: Console, machine: Machine, records: Records, monkeypatch: pytest.MonkeyPatch
):
    """Each stage's code is compared with what is deployed now, by the revision that Health shows as well."""
    story = Story()
    for state, revision in (("AnalyzeInput", "a1b2c3d4e5f6"), ("CallExistingChatbot", "0123456789ab")):
        story.enter(state).ask().succeed({"meter": {"revision": revision}}).leave()
    add_run(machine, records, "p", story=story)
    functions = [
        Deployed(name=name, service=name, changed_at=NOW, revision=revision)
        for name, revision in (("analyzer", "a1b2c3d4e5f6"), ("chatbot", "ffffffffffff"), ("logger", None))
    ]
    monkeypatch.setattr(health, "read_functions", lambda _: functions)
    text = console.get("/runs/p").text
    for part in (
        'code <span class="id">a1b2c3d4e5f6</span>, deployed now',
        'code <span class="id">0123456789ab</span>, <span class="changed">other code is deployed now</span>',
        'Other code is deployed now at chat than this run ran: <a href="/health">Health</a>',
    ):
        assert part in text, part
    shown = console.get("/health").text
    for one in functions[:2]:
        assert f'<td class="id">{one.revision}</td>' in shown
    functions[1] = functions[0]
    console.desk.feeds._feeds.clear()
    assert "At analysis this run ran the code that is deployed now" in console.get("/runs/p").text


def test_the_code_of_a_stage_that_failed_is_not_known(
    console: Console, machine: Machine, records: Records, monkeypatch: pytest.MonkeyPatch
):
    """A stage that failed tells no code, which the page says beside what is known of the others."""
    story = Story().enter("AnalyzeInput").ask().succeed({"meter": {"revision": "a1b2c3d4e5f6"}}).leave()
    story.enter("CallExistingChatbot").ask().fail()
    add_run(machine, records, "p", "FAILED", story)
    functions = [
        Deployed(name=name, service=name, revision="a1b2c3d4e5f6") for name in ("analyzer", "chatbot")
    ]
    monkeypatch.setattr(health, "read_functions", lambda _: functions)
    assert "Of chat it is not known" in console.get("/runs/p").text


def test_who_may_not_read_functions_sees_the_run(
    console: Console, machine: Machine, records: Records, monkeypatch: pytest.MonkeyPatch
):
    """Without the permission to read functions a run shows its code, and does not say what is deployed."""

    def refuse(_: Any) -> None:
        raise DeniedError("You may not read functions.")

    monkeypatch.setattr(health, "read_functions", refuse)
    story = Story().enter("AnalyzeInput").ask().succeed({"meter": {"revision": "a1b2c3d4e5f6"}}).leave()
    add_run(machine, records, "p", story=story)
    text = console.get("/runs/p").text
    assert ("a1b2c3d4e5f6" in text, "deployed now" in text) == (True, False)


@pytest.mark.parametrize("status", ["FAILED", "SUCCEEDED"])
def test_a_denied_call_leads_to_health(console: Console, machine: Machine, records: Records, status: str):
    """A run that failed, or lacks a stage, for lack of a right leads to Health and says what one finds there."""
    cause = "Converse answered {} (HTTP 403)"
    for name, code in (("p", "AccessDeniedException"), ("q", "ValidationException")):
        story = Story().enter("AnalyzeInput").ask().fail("Pipeline.Permanent", cause.format(code)).leave()
        failed = {"error": "Pipeline.Permanent", "cause": cause.format(code), "stage": "analysis"}
        add_run(machine, records, name, status, story, **(failed if status == "FAILED" else {}))
    advice = '<a href="/health">Health</a> reads the policies of the deployed roles'
    assert [advice in console.get(f"/runs/{name}").text for name in "pq"] == [True, False]
