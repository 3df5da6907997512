"""An event by hand: an example that keeps its contract, checked while one types, published once."""

import html
import json
import re

import pytest

from console.tests import hostile
from console.tests.asking import Console, console_of
from console.tests.hostile import shape
from contracts.catalogue import versions
from shared.tests.fakes import FakeEvents

REQUEST = "pipeline.requested.v1"


@pytest.fixture
def bus(target) -> FakeEvents:
    target._clients["events"] = fake = FakeEvents()
    return fake


def example(console: Console, name: str) -> str:
    page = console.get(f"/ask/event?type={name}").text
    return html.unescape(re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)[0])


@pytest.mark.parametrize("name", [one.detail_type for one in versions()])
def test_each_example_keeps_its_contract(console: Console, name: str):
    """The example that is filled in for any version of any event can be published as it is."""
    answer = console.post("/ask/event/check", {"type": name, "event": example(console, name)})
    assert "It keeps the contract" in answer.text


def test_a_request_leads_to_its_run(console: Console, bus: FakeEvents, records):
    """A published request leads to its question, at once, although the bus delivers it later."""
    text = example(console, REQUEST)
    pipeline_id = json.loads(text)["metadata"]["pipeline_id"]
    answer = console.post("/ask/event/send", {"type": REQUEST, "event": text})
    assert (answer.status, answer.headers["location"]) == (303, f"/asked/{pipeline_id}")
    (entry,) = bus.entries
    assert (entry["DetailType"], json.loads(entry["Detail"])) == (REQUEST, json.loads(text))
    page = console.get(f"/asked/{pipeline_id}").text
    assert "nothing is to be seen of it yet" in page
    assert f'hx-sse:connect="/live/asked/{pipeline_id}"' in page
    records.accept(pipeline_id, user_message="Here now", accepted_at="2026-11-22T10:00:00.000Z")
    assert "Here now" in console.get(f"/asked/{pipeline_id}").text


def test_the_event_that_is_shown_is_published(console: Console, bus: FakeEvents):
    """The list and the text are of one form; after another choice the page is drawn anew before anything is sent."""
    page = console.get(f"/ask/event?type={REQUEST}").text
    form = page.partition('<form method="post" action="/ask/event/send"')[2].partition("</form>")[0]
    assert (form.count('name="type"'), '<select id="type" name="type"' in form) == (1, True)
    other = "analysis.requested.v1"
    event = {"type": other, "event": example(console, other)}
    answer = console.post("/ask/event/send", {**event, "drawn": REQUEST})
    assert (answer.status, bus.entries) == (400, [])
    for part in (
        "nothing was published yet",
        f"sends {other}",
        "starts no run",
        f'name="drawn" value="{other}"',
    ):
        assert part in answer.text, part
    assert console.post("/ask/event/send", {**event, "drawn": other}).status == 303
    assert [entry["DetailType"] for entry in bus.entries] == [other]
    filled = console.post("/ask/event/example", event)
    assert (filled.status, filled.headers["location"]) == (303, f"/ask/event?type={other}")


def test_another_event_leads_back_with_its_id(console: Console, bus: FakeEvents):
    """An event that starts no run leads back to the form, which links to what came of it."""
    name = "pipeline.completed.v1"
    answer = console.post("/ask/event/send", {"type": name, "event": example(console, name)})
    assert answer.status == 303
    page = console.get(answer.headers["location"]).text
    assert "was published" in page
    assert 'href="/find?q=' in page
    assert "starts no run" in page
    assert "was published" not in console.get("/ask/event?published=%3Cb%3E").text


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "An event is a JSON object"),
        ('{"data": {"user_message": 5}}', "must be of type string"),
        ('{"data": {"user_message": "x", "more": 1}}', "has no place for `more`"),
        ('{"detail-type": "other", "detail": {}}', "Leave one out"),
    ],
)
def test_a_broken_event_is_not_published(console: Console, bus: FakeEvents, event: str, says: str):
    """What breaks the contract is said while one types, and refused when it is sent; the text stays in its field."""
    form = {"type": REQUEST, "event": event}
    assert says in html.unescape(console.post("/ask/event/check", form).text)
    answer = console.post("/ask/event/send", form)
    assert answer.status == 400
    assert "nothing was published" in answer.text
    assert html.escape(event, quote=False).replace('"', "&#34;") in answer.text
    assert bus.entries == []


def test_a_bus_that_refuses_keeps_the_text(console: Console, bus: FakeEvents, monkeypatch):
    """If EventBridge refuses the event, the form shows why, with the event."""
    refusal = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Throttled", "ErrorMessage": "slow down"}]}
    monkeypatch.setattr(bus, "put_events", lambda **_: refusal)
    answer = console.post("/ask/event/send", {"type": REQUEST, "event": example(console, REQUEST)})
    assert answer.status == 502
    assert "slow down" in answer.text
    assert "What is a monad?" in answer.text


def test_an_unknown_event_and_a_locked_environment_are_refused(console: Console, nowhere):
    """There is no form for an event that does not exist; on AWS nothing is published while it is locked."""
    assert console.get("/ask/event?type=no.such.v1").status == 400
    assert console.post("/ask/event/send", {"type": "no.such.v1", "event": "{}"}).status == 400
    locked = console_of(nowhere, "prod")
    assert "locked" in locked.get("/ask/event").text
    assert locked.post("/ask/event/send", {"type": REQUEST, "event": example(locked, REQUEST)}).status == 403


def test_a_hostile_event_changes_no_page(console: Console, bus: FakeEvents):
    """An event with HTML in every text and name is text in the form and in what is said of it."""
    pages = []
    for text in (hostile.BENIGN, *hostile.STRINGS):
        event = json.dumps({"data": {text: text, "user_message": [text]}, text: text})
        form = {"type": REQUEST, "event": event}
        pages.append(
            (
                shape(console.post("/ask/event/check", form).text),
                shape(console.post("/ask/event/send", form).text),
            )
        )
    assert all(page == pages[0] for page in pages)
