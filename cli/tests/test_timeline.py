"""The timeline of a run is true to its times and readable in 80 columns."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.view.journeys import _Live
from cli.view.timeline import OPEN, OTHER, PAUSED, WAITED, WORKED, drawn, legend
from operations.runs.journey import Journey
from operations.runs.stage_views import StageView
from operations.runs.timeline import Longest, bars, hops, longest

ZERO = datetime(2026, 11, 23, 9, tzinfo=UTC)
STAGES = ("analysis", "chat", "enhancement", "log")


def at(ms: float) -> datetime:
    return ZERO + timedelta(milliseconds=ms)


def stage(key: str, **fields: Any) -> StageView:
    return StageView(
        **{"key": key, "state": key, "service": key, "critical": False, "status": "done", **fields}
    )


def journey(*stages: StageView, **fields: Any) -> Journey:
    whole = {
        "pipeline_id": "p",
        "status": "SUCCEEDED",
        "finished": True,
        "accepted_at": ZERO,
        "started_at": at(10),
    }
    return Journey(stages=stages, **{**whole, **fields})


def text(run: Journey, now: datetime = ZERO) -> list[str]:
    return [line.plain for line in drawn(bars(run, now))]


def test_time_goes_where_it_went():
    """Waiting, working and other time (failed attempts, pauses) have their share of a stage's bar."""
    run = journey(
        stage("chat", started_at=at(100), finished_at=at(1_000), queue_wait_ms=300, work_ms=150, attempt=2)
    )
    start, chat = bars(run, ZERO)
    assert (start.waited_ms, start.other_ms, chat.start_ms) == (10, 90, 100)
    assert (chat.waited_ms, chat.worked_ms, chat.other_ms) == (300, 150, 450)
    _, line = text(run)
    assert (line.count(WAITED), line.count(OTHER), line.count(WORKED)) == (16, 25, 8)
    assert line.rstrip().endswith("900 ms")


def test_the_pause_before_a_restart_is_no_waiting():
    """The bars of a restarted run begin with its latest execution, and what is longest is a part of that one."""
    run = journey(
        stage("chat", started_at=at(300_010), finished_at=at(300_900), queue_wait_ms=300, work_ms=580),
        started_at=at(300_000),
        execution_arn="arn:aws:states:eu-west-1:1:execution:m:p-restart-1",
    )
    start, chat = bars(run, ZERO)
    assert (start.waited_ms, start.other_ms, chat.start_ms) == (0, 10, 10)
    assert longest([start, chat]) == Longest(name="chat", what="working", ms=580, of_ms=900)


def test_a_restart_did_not_wait_since_the_acceptance():
    """The line of a run that has started tells how long it waited, but not of a restart, which begins much later."""
    out = Console(file=io.StringIO(), width=80)
    arn = "arn:aws:states:eu-west-1:1:execution:m:p-restart-1"
    for run in (journey(), journey(execution_arn=arn, started_at=at(300_000))):
        _Live(out, None, "").update(run)
    first, restart = out.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO
    assert first.endswith("10 ms after it was accepted")
    assert restart.rstrip().endswith("started")


def test_a_person_who_is_waited_for_is_told_where_to_decide():
    """A run that waits for a person says so once, with the command that shows what waits; other stages are silent."""
    out = Console(file=io.StringIO(), width=80)
    display = _Live(out, None, "pipeline approvals list")
    chat = stage("chat", status="running", started_at=at(20))
    asked = stage("approval", status="running", started_at=at(30))
    for seen in ((chat,), (asked,), (msgspec.structs.replace(asked, attempt=1),)):
        display.update(journey(*seen, status="RUNNING", finished=False))
    _, line = out.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO
    assert line.endswith("waits for approval by a person: pipeline approvals list")


def test_the_pause_before_a_redrive_is_told_apart():
    """The time until a redrive is no retry of its stage, nor a part of the whole that the longest part is of."""
    run = journey(
        stage(
            "chat",
            started_at=at(10),
            finished_at=at(60_910),
            queue_wait_ms=300,
            work_ms=150,
            paused_ms=60_000,
        )
    )
    timeline = bars(run, ZERO)
    chat = timeline[-1]
    assert (chat.waited_ms, chat.worked_ms, chat.other_ms, chat.paused_ms) == (300, 150, 450, 60_000)
    assert longest(timeline) == Longest(name="chat", what="retries and hops", ms=450, of_ms=910)
    assert text(run)[-1].count(PAUSED) > 40
    assert PAUSED in legend(timeline)


def test_a_record_without_history_is_drawn_one_after_the_other():
    """Where the execution's history is gone, the stages follow one another as their workers measured."""
    run = journey(stage("analysis", queue_wait_ms=5, work_ms=5), stage("chat", queue_wait_ms=10, work_ms=70))
    assert [(bar.start_ms, bar.length_ms) for bar in bars(run, ZERO)] == [(0, 10), (10, 10), (20, 80)]


def test_what_is_stuck_grows_to_now_and_stays_open():
    """A running stage reaches to the present and is marked as open; a later stage is not drawn."""
    run = journey(
        stage("analysis", started_at=at(10), finished_at=at(20), queue_wait_ms=4, work_ms=6),
        stage("chat", status="running", started_at=at(20)),
        stage("log", status="waiting"),
        status="RUNNING",
        finished=False,
    )
    lines = text(run, at(60_020))
    assert len(lines) == 3
    assert OPEN in lines[-1]
    assert "1 min" in lines[-1] or "60" in lines[-1]


def test_nothing_is_drawn_of_what_is_not_known():
    """A run without times has no timeline; a run that has not started has one open bar."""
    assert bars(journey(accepted_at=None, started_at=None), ZERO) == []
    (line,) = text(journey(started_at=None, status="ACCEPTED", finished=False), at(500))
    assert OPEN in line


def test_where_it_was_stuck_is_named():
    """The longest part of a journey is named with the total time; a journey without times has none."""
    run = journey(
        stage("analysis", started_at=at(10), finished_at=at(300), queue_wait_ms=280, work_ms=10),
        stage("chat", started_at=at(300), finished_at=at(1_010), queue_wait_ms=100, work_ms=150, attempt=2),
    )
    assert longest(bars(run, ZERO)) == Longest(name="chat", what="retries and hops", ms=460.0, of_ms=1_010.0)
    assert longest([]) is None


def test_hops_can_be_the_longest_part():
    """The hop at the start, and one between two stages, are parts like the others, and called what they are."""
    analysis = stage("analysis", started_at=at(160), finished_at=at(200), queue_wait_ms=20, work_ms=10)
    chat = stage("chat", started_at=at(201), finished_at=at(261), queue_wait_ms=45, work_ms=10)
    timeline = bars(journey(analysis, chat), ZERO)
    assert longest(timeline) == Longest(name="start", what="hops", ms=150, of_ms=261)
    late = stage("chat", started_at=at(400), finished_at=at(460), queue_wait_ms=45, work_ms=10)
    timeline = bars(journey(analysis, late), ZERO)
    assert longest(timeline) == Longest(name="chat", what="hops before it", ms=200, of_ms=460)
    assert list(hops(timeline)) == [("chat", 200)]


def test_the_longest_part_is_one_of_the_time_that_the_run_took():
    """The longest part is told of the run's own time; waiting before the start is told of both together."""
    chat = stage("chat", started_at=at(20), finished_at=at(120), queue_wait_ms=80, work_ms=10)
    waited = longest(bars(journey(chat), ZERO), 110)
    assert waited == Longest(name="chat", what="waiting", ms=80, of_ms=110)
    late = stage("chat", started_at=at(5_010), finished_at=at(5_110), queue_wait_ms=80, work_ms=10)
    before = longest(bars(journey(late, started_at=at(5_000)), ZERO), 110)
    assert before == Longest(name="start", what="waiting", ms=5_000, of_ms=5_110)
    short = longest(bars(journey(chat), ZERO), 0)
    assert short is not None
    assert short.ms == short.of_ms == 80


def test_a_failed_stage_is_not_said_to_have_worked_or_waited():
    """A failed stage has no meter, so all its time is shown as other time."""
    run = journey(stage("chat", status="failed", started_at=at(10), finished_at=at(43_010)), status="FAILED")
    _, chat = bars(run, ZERO)
    assert (chat.waited_ms, chat.worked_ms, chat.other_ms, chat.is_metered) == (0, 0, 43_000, False)
    longest_bar = longest([chat])
    assert longest_bar is not None
    assert longest_bar.what == "waiting and failed tries"


TIMES = st.integers(0, 10**8)


@given(st.lists(st.tuples(TIMES, TIMES, TIMES), max_size=4), TIMES, st.booleans())
def test_every_journey_fits_80_columns(times, began, is_open):
    """For any times there is a line for each stage, at most 80 columns wide, with a visible bar."""
    stages, moment = [], began
    for key, (waited, worked, rest) in zip(STAGES, times, strict=False):
        end = moment + waited + worked + rest
        stages.append(
            stage(key, started_at=at(moment), finished_at=at(end), queue_wait_ms=waited, work_ms=worked)
        )
        moment = end
    if is_open and stages:
        stages[-1] = stage(stages[-1].key, status="running", started_at=stages[-1].started_at)
    lines = text(journey(*stages, started_at=at(began)), at(moment))
    assert len(lines) == len(stages) + 1
    for line in lines:
        assert len(line) <= 80
        assert any(sign in line for sign in (WAITED, WORKED, OTHER))
