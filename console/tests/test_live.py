"""Feeds and streams: one look for all who watch, none when nobody does, each message a whole state."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.live.feed import MOST_STREAMS, SECONDS, Feed, Feeds, Look
from console.live.shelf import Shown
from console.live.stream import ALIVE, DONE, message, streamed
from console.models.now import now_view
from console.pages import now
from console.pages.run import is_settled
from console.tests.asking import Console
from console.tests.world import add_run
from operations.dlq.messages import Parked
from operations.dlq.plan import Action, Decision, Planned
from operations.dlq.snapshot import Snapshot as DlqSnapshot
from operations.errors import UnreachableError
from operations.health.failures import Failure, FailureGroup
from operations.health.watch import LastMinutes, Rates, Snapshot, StageNow
from operations.money.budget import described
from operations.money.estimate import Rates as EstimateRates
from operations.runs.history import History
from operations.runs.journey import assemble
from operations.tests.dead_letters import park
from operations.tests.histories import Story
from shared.budget import Orders, State
from shared.tests.fakes import PATIENCE_SECONDS, stopped_clock

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
PARKED = Parked(
    id="m",
    service="chatbot",
    kind="dlq",
    sent_at=AT,
    deleted_at=AT,
    error_type="E",
    error="e",
    body="",
    detail_type="",
)


class Looks:
    """What a feed looks at: counts the looks, and fails while it is `down`."""

    def __init__(self) -> None:
        self.count = 0
        self.down = False
        self.looked = threading.Event()

    def __call__(self) -> int:
        self.count += 1
        self.looked.set()
        if self.down:
            raise UnreachableError("no answer")
        return self.count


def test_pages_loaded_at_once_cost_one_look():
    """Within two seconds everybody gets the same look; after that there is a new one."""
    now, looks = [100.0], Looks()
    feed = Feed(looks, clock=lambda: now[0])
    assert {feed.latest().value for _ in range(50)} == {1}
    now[0] += SECONDS
    assert (feed.latest().value, looks.count) == (2, 2)


def test_a_failed_look_keeps_the_last_value():
    """After a look that failed, the last value stays, with the error; the next success takes the error away."""
    now, looks = [0.0], Looks()
    feed = Feed(looks, clock=lambda: now[0])
    feed.latest()
    looks.down, now[0] = True, 10.0
    assert (feed.latest().value, feed.latest().error) == (1, "no answer")
    looks.down, now[0] = False, 20.0
    assert (feed.latest().value, feed.latest().error, list(feed.history)) == (3, "", [1, 3])


def test_nobody_watching_means_no_looks():
    """The looking begins with the first who watches and ends with the last."""
    looks = Looks()
    feed = Feed(
        looks, clock=lambda: 0.0
    )  # else the next look would be due after two seconds, however they pass
    with feed.watched():
        with feed.watched():
            assert looks.looked.wait(PATIENCE_SECONDS)
        thread = feed._thread
        assert thread is not None
        assert feed.is_watched
    thread.join(PATIENCE_SECONDS)
    assert (thread.is_alive(), feed.is_watched, looks.count) == (False, False, 1)


def read(response: Any, count: int) -> list[bytes]:
    """Return the first messages of a stream, which is then left."""

    async def first() -> list[bytes]:
        got = []
        async for part in response.body_iterator:
            got.append(part)
            if len(got) == count:
                break
        await response.body_iterator.aclose()
        return got

    return asyncio.run(first())


def test_a_stream_begins_with_the_whole_state_and_ends():
    """A stream sends the state at once, drawn as HTML, and says when nothing will change any more."""
    response = streamed(Feeds(), Feed(lambda: 7), lambda look: f"<p>\n{look.value}</p>", ended=lambda _: True)
    assert read(response, 9) == [b"data: <p>\ndata: 7</p>\n\n", DONE]


def test_a_state_that_stays_is_not_sent_again(monkeypatch):
    """A look that shows the same is a short message: the page is not drawn again, and not stale either."""
    feed = Feed(lambda: 7)
    monkeypatch.setattr(feed, "watched", threading.Lock)
    numbers = iter(range(1, 99))
    monkeypatch.setattr(feed, "seen", lambda: Look(number=next(numbers), value=7))
    assert read(streamed(Feeds(), feed, lambda _: "x"), 2) == [b"data: x\n\n", ALIVE]


def test_too_many_streams_are_told():
    """A stream beyond the limit says that it is paused, and ends; the browser tries again later."""
    feeds = Feeds()
    held = [feeds.stream() for _ in range(MOST_STREAMS)]
    for one in held:
        assert one.__enter__()
    (told,) = read(streamed(feeds, Feed(lambda: 7), str), 2)
    assert b'data-live="paused"' in told
    for one in held:
        one.__exit__(None, None, None)
    assert b"paused" not in read(streamed(feeds, Feed(lambda: 7), lambda _: "x"), 1)[0]


def test_streams_end_when_the_console_stops():
    """A stream, which has no end of its own, ends when the console stops."""
    feeds = Feeds()
    feeds.stop()
    assert read(streamed(feeds, Feed(lambda: 7), str), 1) == []


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\rb"])
def test_lines_of_a_message_stay_in_it(text: str):
    """A line end in the data, which could begin a message of its own, stays inside the message."""
    assert message(f"{text}\n\nevent: evil") == b"data: a\ndata: b\ndata: \ndata: event: evil\n\n"


def test_feeds_that_nobody_watches_are_forgotten():
    """Pages of thousands of runs leave no more feeds behind than a few."""
    feeds = Feeds()
    for number in range(1_000):
        feeds.feed(f"run {number}", lambda: 1)
    assert len(feeds._feeds) <= 2 * MOST_STREAMS + 1


def snapshot(**fields: Any) -> Snapshot:
    rates = Rates(started=0, finished=0, failed=0, stopped=0)
    whole = {"at": AT, "stages": (), "running": 42, "more_running": False, "per_minute": rates, **fields}
    return Snapshot(**whole)


def failing(
    recent: int, before: int = 0, stage: str | None = "chat", error: str = "Throttled"
) -> FailureGroup:
    latest = Failure(pipeline_id="p", status="FAILED", ended_at=AT, stage=stage, error=error)
    return FailureGroup(
        stage=stage, error=error, count=recent + before, recent=recent, first_at=AT, latest=latest
    )


def test_the_first_sentence_says_what_matters():
    """The headline is what fails now and was not mended, else what is parked, else that all is well."""
    chat = StageNow(stage="chat", service="chatbot", waiting=0, working=0, parked=3)
    assert now_view(snapshot(), []).sentence == "42 running, nothing parked."
    assert now_view(snapshot(stages=(chat,), failing=(failing(0, 1),)), []).status.word == "parked"
    two = now_view(snapshot(stages=(chat,), failing=(failing(2, 1), failing(1, error="E"))), [])
    assert two.sentence == (
        "2 runs failed at chat in 10 minutes: Throttled, and 1 run otherwise; 3 messages parked."
    )
    many = now_view(snapshot(failing=(failing(100, stage=None),), at_least=True), [])
    assert many.sentence == "At least 100 runs failed in 10 minutes: Throttled; nothing parked."
    assert now_view(snapshot(more_running=True), []).sentence == "At least 42 running, nothing parked."
    mended = now_view(snapshot(mended=2), [])
    assert (mended.status.word, mended.mended) == (
        "healthy",
        "2 runs that failed were redriven or restarted since, and have not failed again.",
    )


def test_lines_say_where_they_are_from():
    """What waits is drawn for the times at which somebody looked, with gaps; what ended, from the list of runs."""
    seconds = (5_400, 902, 900, 2, 0)
    looks = [snapshot(at=AT - timedelta(seconds=one)) for one in seconds]
    assert now_view(looks[-1], looks[-1:]).sparks == ()
    (waiting,) = now_view(looks[-1], looks).sparks
    assert waiting.lines == ("149.7,39.0 150.0,39.0", "299.7,39.0 300.0,39.0")
    assert waiting.source == "only while a console looks"
    ended = LastMinutes(finished=(0,) * 29 + (4,), failed=(0,) * 29 + (2,), at_least=True)
    finished, failed = now_view(snapshot(last_minutes=ended), []).sparks
    assert (finished.last, failed.last, finished.source) == (4, 2, "from the list of runs, at least")
    assert finished.lines[0].endswith("290.0,39.0 290.0,1.0 300.0,1.0")


def test_now_is_one_look_for_page_and_json(console: Console, machine, records, monkeypatch):
    """The first page has the stages, the rates and the latest failures, which lead to their runs."""
    monkeypatch.setattr(
        "console.live.feed.SECONDS", 3_600.0
    )  # JSON comes in time, however long the page takes
    add_run(machine, records, "p", "FAILED", error="E", cause="c", stage="chat")
    page = console.get("/").text
    for part in (
        "Latest failures",
        'href="/runs/p"',
        "0 waiting",
        "pipeline watch",
        'hx-sse:connect="/live/now"',
    ):
        assert part in page
    assert 'data-state="opening" hidden>' in page  # without a script nothing is opened: a link looks again
    assert '<noscript><a class="button" href="/">Look again</a></noscript>' in page
    looks = machine.calls.count("list")
    assert b'"running": 0' in console.get("/?format=json").body
    assert machine.calls.count("list") == looks


def test_what_does_not_answer_is_not_called_healthy(console: Console, machine, records):
    """When the looks fail, Now and Parked say so, and no more that all is well; what was seen has its time."""
    well = {"/": "healthy", "/parked": "Nothing is parked."}
    for path, text in well.items():
        assert text in console.get(path).text
    looks = Looks()
    looks.down = True
    for feed in console.desk.feeds._feeds.values():
        feed._look, feed._looked_at = looks, float("-inf")
    for path, text in well.items():
        page = console.get(path).text
        assert ("no answer" in page, "not known" in page, text in page) == (True, True, False), path
        assert 'class="good"' not in page
    assert "it was looked at <time" in console.get("/").text


def test_the_first_page_leads_on(console: Console, machine, records, monkeypatch):
    """A failure leads to those like it, the budget to the costs, what is parked to its cause and time."""
    add_run(machine, records, "p", "FAILED", error="E", cause="c", stage="chat")
    park("p-1")
    budget = described(State(), Orders(), 10**9, datetime.now(UTC))
    monkeypatch.setattr(now, "read_budget", lambda _: budget)
    text = console.get("/").text
    for part in (
        'href="/runs?stage=chat&amp;error=E&amp;still_failed=1"',
        "0 % spent",
        "is known after <a href",
    ):
        assert part in text, part
    item = Planned(message=PARKED, decision=Decision(action=Action.LEAVE, reason="-"))
    snapshot = DlqSnapshot(at=AT, planned=(item,), rates=EstimateRates())
    monkeypatch.setattr(console.desk.shelf, "shown", lambda _: Shown(snapshot=snapshot))
    text = console.get("/").text
    for part in ("1 message of chatbot, E", "SQS deletes the oldest", 'href="/parked?cause='):
        assert part in text, part


@pytest.mark.parametrize(
    ("status", "seconds", "settled"),
    [("ACCEPTED", 10, False), ("ACCEPTED", 11, True), ("SUCCEEDED", 0, True)],
)
def test_a_run_is_over_when_its_record_says_so(
    monkeypatch: pytest.MonkeyPatch, status: str, seconds: int, settled: bool
):
    """A record that was read before its execution ended is read again, unless it stays as it is for ten seconds."""
    monkeypatch.setattr("console.pages.run.datetime", stopped_clock(AT))
    ended = History(status="SUCCEEDED", finished_at=AT - timedelta(seconds=seconds))
    assert is_settled(assemble("p", {"status": status}, ended)) is settled


def test_a_finished_run_needs_no_stream(console: Console, machine, records):
    """The page of a run that goes on has a stream, that of a finished run none; an unknown run's is not found."""
    add_run(machine, records, "p")
    add_run(machine, records, "going", "RUNNING", Story().enter("AnalyzeInput").ask())
    assert "hx-sse:connect" not in console.get("/runs/p").text
    assert 'hx-sse:connect="/live/runs/going"' in console.get("/runs/going").text
    assert console.get("/live/runs/nobody").status == 404
    assert console.watch("/live/runs/p").body.endswith(DONE)
