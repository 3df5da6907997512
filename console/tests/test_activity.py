"""Activity: what runs now, who did what, and the plan that did it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

from console.live.feed import Feed, Look
from console.tests import hostile
from console.tests.asking import Console, carry_out, read
from console.tests.hostile import shape
from console.tests.parking import make
from console.tests.parking import read as read_queues
from operations.dlq.audit import read_audit
from operations.dlq.journal import UNKNOWN, Entry, Journal
from operations.stop import Stop
from operations.tests.dead_letters import machine, park
from operations.tests.world import OPERATIONS, client
from services.logger.reconciler.handler import ITEM
from shared.tests.fakes import PATIENCE_SECONDS

__all__ = ["machine"]


def entry(number: int, **fields: Any) -> Entry:
    known = {
        "pipeline_id": "p",
        "at": f"2026-11-22T10:{number:02}:00.000Z",
        "who": "arn:aws:sts::123456789012:assumed-role/operator/ana",
        "what": "redrive",
        "why": "the model answers again",
        "outcome": "done",
        "message_id": f"m-{number}",
    }
    return Entry(**{**known, **fields})


@pytest.fixture
def journal(target) -> Journal:
    return Journal(target, "arn:aws:iam::123456789012:user/ana")


def test_the_audit_is_read_on_request(console: Console, journal: Journal):
    """After the button the acts of all runs are listed by pages, the latest first, and can be narrowed to a kind."""
    for number in range(60):
        journal.note(entry(number, what="archive" if number == 7 else "redrive"))
    journal.note(entry(0, pipeline_id=UNKNOWN, at="2026-11-22T09:00:00.000Z"))
    assert "the model answers again" not in console.get("/activity").text
    read(console, "audit")
    page = console.get("/activity").text
    assert page.count("data-row") == 50
    assert page.index("10:59:00") < page.index("10:58:00")
    assert "ana" in page
    assert console.get("/activity?page=1").text.count("data-row") == 11
    assert console.get("/activity?what=archive").text.count("data-row") == 1
    for garbage in ("page=-1", "page=99999", "page=x", "page=²", "what=nothing"):
        assert console.get(f"/activity?{garbage}").status == 200


def test_the_audit_of_one_run_is_read_at_once(console: Console, journal: Journal):
    """A run's page leads to what operators did with it, without reading the whole table."""
    journal.note(entry(1))
    journal.note(entry(2, pipeline_id="other"))
    page = console.get("/activity?run=p").text
    assert (page.count("data-row"), "pipeline show p" in page) == (1, True)
    assert "No operator did anything" in console.get("/activity?run=nobody").text
    assert console.get(f"/activity?run={'x' * 3_000}").status == 200


def test_an_empty_audit_says_so(console: Console, target):
    """If nobody has done anything yet, the page says that."""
    read(console, "audit")
    assert "nobody has replayed" in console.get("/activity").text


def test_archives_and_damaged_lines_are_left_out(target, journal: Journal):
    """Archives and the reconciler's progress are no acts; a line that can't be read is counted."""
    journal.note(entry(1))
    for key, more in (("archived#m#000", {"part": {"B": b"x"}}), ("2026#x#y", {"who": {"N": "5"}})):
        item = {"pipeline_id": {"S": "p"}, "entry": {"S": key}, **more}
        client("dynamodb").put_item(TableName=OPERATIONS, Item=item)
    client("dynamodb").put_item(TableName=OPERATIONS, Item={**ITEM, "progress": {"S": "{}"}})
    found = read_audit(target, limit=100)
    assert (len(found.entries), found.read, found.damaged, found.complete) == (1, 4, 1, True)


def test_reading_the_audit_stops(target, journal: Journal, monkeypatch):
    """Reading ends at its limit, or on request after a page, and says that it is not complete."""
    for number in range(3):
        journal.note(entry(number))
    assert read_audit(target, limit=2).complete is False
    monkeypatch.setattr("operations.dlq.audit.PAGE", 1)
    stop = Stop()

    def on_page(_read: int, _lines: int) -> None:
        stop.requested = True

    assert read_audit(target, limit=100, on_page=on_page, stop=stop).read == 1


def test_hostile_acts_change_no_page(console: Console, journal: Journal):
    """A hostile text in every field of an act changes no element of the page."""
    shapes = []
    for text in (hostile.BENIGN, *hostile.STRINGS):
        client("dynamodb").delete_item(
            TableName=OPERATIONS, Key={"pipeline_id": {"S": "p"}, "entry": {"S": "x"}}
        )
        fields = {"who": text, "what": text, "why": text, "outcome": text, "service": text, "at": text}
        item = {"pipeline_id": "p", "entry": "x", **fields}
        stored = {name: {"S": value} for name, value in item.items()}
        client("dynamodb").put_item(TableName=OPERATIONS, Item=stored)
        read(console, "audit")
        shapes.append(shape(console.get("/activity").text))
    assert shapes[1:] == shapes[:1] * len(hostile.STRINGS)


def test_an_act_leads_to_its_plan(
    console: Console, machine: Any, target: Any, monkeypatch: pytest.MonkeyPatch
):
    """An act has the number of the plan of this console that did it; a name is short, its whole ARN a hint."""
    monkeypatch.setattr("operations.dlq.plans.ends", lambda *_args, **_options: iter(()))
    machine.alive.add("a-living-token")
    park("p-1", token="a-living-token")
    read_queues(console)
    address = make(console, all="1")
    carry_out(console, address, rate="500")
    Journal(target, "arn:me").note(entry(0, who="arn:aws:iam::123456789012:root", message_id="elsewhere"))
    read(console, "audit")
    page = console.get("/activity").text
    assert page.count('<a href="/plans/1">plan 1</a>') == 1
    assert '<span title="arn:aws:iam::123456789012:root">root</span>' in page
    assert '<a href="/plans/1">plan 1</a>' in console.get("/activity?run=p-1").text
    assert "plan_of" not in console.watch("/live/read/audit").text


def test_what_runs_is_shown(console: Console, machine: Any, monkeypatch: pytest.MonkeyPatch):
    """A plan that is being carried out is on the page, with its link and how far it is, until it ends; live."""
    began, go = threading.Event(), threading.Event()

    def slow(*_: Any) -> Any:
        began.set()
        assert go.wait(PATIENCE_SECONDS)
        return iter(())

    streams = []

    def streamed(_: Any, feed: Feed[Any], draw: Callable[[Look[Any]], str]) -> Response:
        streams.append((feed, draw))
        return Response()

    def shown() -> str:
        """Return what the stream of the page shows next."""
        console.get("/live/activity")
        feed, draw = streams[-1]
        feed._looked_at = float("-inf")
        return draw(feed.latest())

    monkeypatch.setattr("console.pages.activity.streamed", streamed)
    monkeypatch.setattr("console.pages.plans.carried_out", slow)
    machine.alive.add("a-living-token")
    park("p-1", token="a-living-token")
    read_queues(console)
    page = console.get("/activity").text
    assert ("Running now" in page, 'hx-sse:connect="/live/activity"' in page) == (False, True)
    assert "No plan and no batch" in shown()
    console.post(f"{make(console, all='1')}/run", {"rate": "500"})
    assert began.wait(PATIENCE_SECONDS)
    page = console.get("/activity").text
    assert '<a href="/plans/1">plan 1</a> Replay: 0 of 1 message, running' in page
    assert '<a href="/plans/1">plan 1</a> Replay: 0 of 1 message, running' in shown()
    go.set()
    console.desk.jobs.join(1)
    assert "Running now" not in console.get("/activity").text
    assert "Running now" not in shown()


def test_an_event_that_was_archived_has_started_no_run(console: Console, journal: Journal):
    """The id of an archived event that asked for a run is shown without a link, since no run has it."""
    journal.note(entry(1, service="trigger", what="archive", pipeline_id="p-rejected"))
    read(console, "audit")
    page = console.get("/activity").text
    assert ("p-rejected" in page, 'href="/runs/p-rejected"' in page) == (True, False)
