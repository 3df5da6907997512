"""The list of runs: what a page costs however many there are, what waits to be shown, what is made of ticked rows."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from console import assets
from console.live import feed as feeds
from console.live.feed import Feed, Feeds, Look
from console.live.stream import streamed
from console.models.runs import Since, news
from console.pages import runs
from console.tests.asking import Console, carry_out
from console.tests.parking import message_ids, read
from console.views import html
from operations.asking.cancel import Cancelled
from operations.errors import DeniedError
from operations.runs.pages import NEWEST, Begun
from operations.tests.dead_letters import StepFunctions, machine, park
from operations.tests.world import finish

__all__ = ["machine"]
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
MANY = 100_000
HEAVIEST = 60_000
"""Bytes of a page of 50 runs, with everything that a browser loads for it, compressed."""


class Crowd:
    """Step Functions with `MANY` executions, one a second, of which each page is made when it is asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.calls: list[str] = []

    def list_executions(self, *, maxResults: int, nextToken: str = "0", **_: Any) -> dict[str, Any]:
        self.calls.append("list")
        start = int(nextToken)
        end = min(start + maxResults, self.count)
        more = {"nextToken": str(end)} if end < self.count else {}
        return {"executions": [self._one(number) for number in range(start, end)], **more}

    def _one(self, number: int) -> dict[str, Any]:
        at = AT - timedelta(seconds=number)
        status = "FAILED" if number % 7 == 0 else "SUCCEEDED"
        return {"name": f"run-{number:032d}", "status": status, "startDate": at, "stopDate": at}


def calls_of_page(
    console: Console, monkeypatch: pytest.MonkeyPatch, count: int, cursor: str = ""
) -> list[str]:
    """Return the calls to AWS for one page of 50 among `count` runs."""
    target, crowd, calls = console.desk.environment.target(), Crowd(count), list[str]()
    inner = target.client

    class Counted:
        def __init__(self, name: str) -> None:
            self._inner = crowd if name == "stepfunctions" else inner(name)

        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            return getattr(self._inner, name)

    with monkeypatch.context() as patch:
        patch.setattr(target, "client", Counted)
        assert console.get(f"/runs?cursor={cursor}").text.count("data-row") == 50
    return calls


def test_a_page_costs_as_many_calls_of_many_runs_as_of_few(console: Console, monkeypatch):
    """A page of 50 asks AWS twice, for the list and the records, among a hundred runs and deep in 100,000."""
    calls_of_page(console, monkeypatch, 100)  # the first page also reads the addresses of the environment
    expected = ["list_executions", "batch_get_item"]
    for count, cursor in ((100, ""), (MANY, ""), (MANY, str(MANY - 50))):
        assert calls_of_page(console, monkeypatch, count, cursor) == expected


def test_a_page_is_light(console: Console, machine, records, monkeypatch):
    """A page of 50 runs with long messages weighs little, with all its files, compressed."""
    for number in range(50):
        text = f"{number} {hash(str(number))} Why is the sky blue, and what would change if it were green?"
        finish(records, f"run-{number:032d}", user_message=text * 3, cost={"nano_usd": number * 7_919})
    monkeypatch.setattr(machine, "list_executions", Crowd(MANY).list_executions)
    page = console.get("/runs").body
    assert page.count(b"Why is the sky blue") == 50
    whole = len(gzip.compress(page, 5)) + sum(len(assets.asset(name).packed) for name in assets.FILES)
    assert whole < HEAVIEST


def test_ten_streams_cost_one_look_in_a_period(monkeypatch):
    """Ten tabs are shown the same looks, and between two of them a whole period passes."""
    monkeypatch.setattr(feeds, "SECONDS", 0.05)
    monkeypatch.setattr(feeds, "MOST_STREAMS", 10)
    all_feeds, begun = Feeds(), list[float]()
    shared: Feed[int]

    def look() -> int:
        begun.append(shared._looked_at)
        return len(begun)

    shared = all_feeds.feed("runs", look)

    async def watch() -> list[bytes]:
        body = streamed(all_feeds, shared, lambda seen: str(seen.value), ended=lambda seen: seen.number > 3)
        return [part async for part in body.body_iterator]  # type: ignore[misc]

    async def ten() -> list[list[bytes]]:
        return await asyncio.gather(*(watch() for _ in range(10)))

    told = asyncio.run(ten())
    assert all(parts for parts in told)
    assert min(later - earlier for earlier, later in pairwise(begun)) >= 0.05


def begun(seconds: int, status: Any = "RUNNING", ended: int | None = None) -> Begun:
    at = AT + timedelta(seconds=seconds)
    return Begun(
        status=status, started_at=at, finished_at=None if ended is None else AT + timedelta(seconds=ended)
    )


@pytest.mark.parametrize(
    ("seen", "status", "searched", "text"),
    [
        ([begun(-5)], "", False, ""),
        ([begun(1), begun(2, "FAILED"), begun(0)], "", False, "2 new"),
        ([begun(1), begun(2, "FAILED")], "FAILED", False, "1 new"),
        ([begun(1)], "", True, "1 run has started since"),
        ([begun(-5, "SUCCEEDED", 3), begun(-50, "SUCCEEDED", 3)], "", False, "1 of these has ended"),
        ([begun(n) for n in range(1, NEWEST + 1)], "", False, f"at least {NEWEST} new"),
    ],
)
def test_new_rows_are_counted(seen: list[Begun], status: str, searched: bool, text: str):
    """What has come since a page was loaded is told as a number, as far as its filter lets the list know."""
    shown = Since(at=AT, newest=AT, oldest=AT - timedelta(seconds=9), status=status, is_searched=searched)
    assert news(seen, shown) == text


def test_only_the_newest_page_is_live(console: Console, machine, monkeypatch):
    """The first page counts what comes after it, with its own filter; an older page does not change."""
    monkeypatch.setattr(machine, "list_executions", Crowd(MANY).list_executions)
    assert "/live/runs?status=FAILED&amp;at=" in console.get("/runs?status=FAILED").text
    assert "/live/runs" not in console.get("/runs?cursor=50").text
    for query in ("at=never&newest=2026-13-01&oldest=x", "status=SUCCEEDED"):
        console.desk.feeds.stop()
        assert console.watch(f"/live/runs?{query}").status == 200


def test_rows_of_an_earlier_engine_are_told(console: Console, machine, monkeypatch):
    """A page from before the engine was restarted says that its rows are gone; one loaded since does not."""
    monkeypatch.setattr(machine, "list_executions", Crowd(1).list_executions)
    fragment = []

    def drawn(_feeds: Any, _feed: Any, draw: Any) -> Any:
        fragment.append(draw(Look(number=1, value=())))
        return html("")

    monkeypatch.setattr(runs, "streamed", drawn)
    console.desk.environment.restarts = 1
    for query in ("", "restarts=1"):
        console.get(f"/live/runs?{query}")
    assert ["restarted" in text for text in fragment] == [True, False]
    assert "&amp;at=" in console.get("/runs").text.partition("/live/runs?restarts=1")[2]


def tick(*names: str, what: str) -> dict[str, str]:
    return {"what": what, **{f"run-{number}": name for number, name in enumerate(names, start=1)}}


def test_two_ticked_runs_are_compared(console: Console, machine):
    """Two ticked rows lead to their comparison, the older one first; one or three are refused in words."""
    answer = console.post("/runs-ticked", tick("new", "old", what="compare"))
    assert answer.headers["location"] == "/compare?a=old&b=new"
    for names in ((), ("p",), ("p", "q", "r")):
        assert console.post("/runs-ticked", tick(*names, what="compare")).status == 400
    assert console.post("/runs-ticked", {"what": "again"}).status == 400


@pytest.fixture
def failed(machine: StepFunctions, records: Any, monkeypatch: pytest.MonkeyPatch) -> StepFunctions:
    """Add two failed runs, one of which has a parked message, and one that has succeeded."""
    for name in ("p-1", "p-2"):
        machine.fail(name)
        finish(records, name, status="FAILED", stage="chat")
    finish(records, "p-3")
    park("p-2")
    monkeypatch.setattr("operations.dlq.plans.ends", lambda *_args, **_options: iter(()))
    return machine


def test_ticked_runs_run_again_by_a_plan(console: Console, failed: StepFunctions):
    """The plan starts nothing; carried out, it starts the failed run once and leaves the others with a reason."""
    where = console.post("/runs-ticked", tick("p-1", "p-2", "p-3", "gone", what="again")).headers["location"]
    text = console.get(where).text
    for part in ("Run again: 1 run", "restart", "has a parked message", "The run has succeeded", "goes on"):
        assert part in text, part
    assert failed.calls == []
    for _ in range(2):
        assert "1 of 1 run reached its outcome" in carry_out(console, where).text
    assert failed.calls == ["start p-1-restart-1"]
    assert "Run again" in console.get("/plans").text


def test_a_run_with_a_parked_message_leads_to_it(console: Console, failed: StepFunctions, records: Any):
    """No plan is kept of runs that would all be left: the page leads to the reading, after it to the message."""
    ticked = tick("p-2", "p-3", what="again")
    unread = console.post("/runs-ticked", ticked)
    assert unread.status == 409
    for part in ("a replay of that message", 'action="/parked-reading"', 'href="/runs/p-2"', "has succeeded"):
        assert part in unread.text, part
    assert "`" not in unread.text
    read(console)
    known = console.post("/runs-ticked", ticked).text
    assert f'href="/parked/{message_ids(console)[0]}"' in known
    assert 'action="/parked-reading"' not in known
    assert console.post("/runs-ticked", tick("p-3", what="cancel")).status == 409
    assert console.desk.jobs.latest() == []
    beside = console.get(
        console.post("/runs-ticked", tick("p-1", "p-2", what="again")).headers["location"]
    ).text
    assert 'runs it again. <a href="/parked">' in beside


def test_what_changed_since_the_plan_is_left(console: Console, failed: StepFunctions, records: Any):
    """A run that was started by somebody else after the plan was made is left by it."""
    where = console.post("/runs-ticked", tick("p-1", what="again")).headers["location"]
    failed.runs["p-1-restart-1"] = {"status": "RUNNING", "input": failed.runs["p-1"]["input"]}
    assert "A later execution of the run" in carry_out(console, where).text
    assert failed.calls == []


def test_ticked_runs_are_cancelled_by_a_plan(console: Console, machine, records, monkeypatch):
    """The plan cancels the runs that go on, leaves those that have ended, and shows each refusal."""
    for name in ("p-1", "p-2"):
        records.accept(name, user_message="Why?", accepted_at="2026-11-22T10:00:00.000Z")
    finish(records, "p-3")
    asked = []

    def cancel(_: Any, pipeline_id: str) -> Cancelled:
        asked.append(pipeline_id)
        if pipeline_id == "p-2":
            raise DeniedError("The run is of another caller.")
        return Cancelled(pipeline_id=pipeline_id, status="RUNNING")

    monkeypatch.setattr("operations.dlq.run_plans.cancel", cancel)
    where = console.post("/runs-ticked", tick("p-1", "p-2", "p-3", what="cancel")).headers["location"]
    assert "Cancel 2 runs" in console.get(where).text
    assert asked == []
    text = carry_out(console, where).text
    for part in ("1 of 2 runs reached", "The run is of another caller", "The run has ended"):
        assert part in text, part
    assert asked == ["p-1", "p-2"]
