"""The catalogue of events, its versions side by side, and the documents to save."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from console.models.events import events_view
from console.models.graph import graph
from console.pages import events
from console.tests import hostile
from console.tests.asking import Console, console_of
from console.tests.hostile import shape
from contracts import references
from contracts.catalogue import entry, versions
from contracts.comparison import compare
from contracts.references import Reference, current
from operations.tests.log_lines import NOW, line, write
from operations.violations import violations


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget what was compared: a test may replace what is compared with."""
    events._compared_with.cache_clear()
    yield
    events._compared_with.cache_clear()


@pytest.fixture
def console() -> Console:
    """Return a console whose environment is not reachable: contracts need none."""
    return console_of(None)


def test_the_catalogue_names_senders_and_readers(console: Console):
    """Every version of every event is in the list, with who sends and who reads it, also without an engine."""
    page = console.get("/events").text
    for one in versions():
        assert f'href="/events/{one.name}/v{one.version}"' in page
    assert "pipeline contracts check" in page
    assert json.loads(console.get("/events?format=json").body)["rows"][0]["readers"] == "trigger"


def test_the_drawing_says_what_the_table_says(console: Console):
    """Each sender and reader of each event is one line of the drawing; each event in it leads to its page."""
    drawn = graph(versions())
    said = {edge.text for edge in drawn.edges}
    for one in versions():
        assert {f"{name} sends {one.detail_type}" for name in one.parties.publishers} <= said
        assert {f"{name} reads {one.detail_type}" for name in one.parties.consumers} <= said
    assert len(said) == len(drawn.edges)
    assert all(0 <= box.y <= drawn.height - drawn.box for box in drawn.boxes)
    assert all(drawn.box <= abs(a.y - b.y) for a in drawn.boxes for b in drawn.boxes if a.x == b.x and a != b)
    page = console.get("/events").text.partition("<svg class=")[2].partition("</svg>")[0]
    assert page.count("<path") == len(drawn.edges)
    assert 'href="/events/chat.requested/v1"' in page
    assert graph(()).boxes == ()


def test_an_example_can_be_published_from_its_page(console: Console):
    """The page of an event leads to the form with its example filled in."""
    for one in versions():
        address = f"/ask/event?type={one.detail_type}"
        assert f'href="{address}"' in console.get(f"/events/{one.name}/v{one.version}").text
        assert console.get(address).status == 200


def refusal(seconds: float, text: str, **fields: Any) -> dict[str, Any]:
    known = {"outcome": "Parked", "error": "Pipeline.ContractViolation", "message": text, **fields}
    return {**line("p-1", seconds), **known}


def test_refusals_of_the_last_day_are_read_on_request(target, machine):
    """The button finds what was refused in a day, the latest first, with a link; nothing else with that name."""
    write(
        "starter",
        refusal(1, "first"),
        refusal(2, "other", error="Pipeline.Transient"),
        refusal(3, "x", outcome="Failed"),
    )
    write("chatbot", refusal(5, "second", pipeline_id=None, event_id=None, message_id=None), at=NOW)
    write("chatbot", refusal(0, "too old"), at=NOW - timedelta(days=2))
    over = console_of(target)
    assert "Read the refusals" in over.get("/events").text
    assert "first" not in over.get("/events").text
    assert over.post("/read/refusals").headers["location"] == "/events#refused"
    over.desk.readings.of("refusals 0").join()
    page = over.get("/events").text
    assert "2 messages refused" in page
    assert re.findall(r'<td class="wrap">(first|second|other|too old|x)</td>', page) == ["second", "first"]
    assert 'href="/find?q=p-1"' in page
    assert "Without logs: " in page


def test_hostile_refusals_change_no_page(console: Console):
    """A refused message whose every text is hostile leaves the page made of the same elements."""
    pages = []
    for text in (hostile.BENIGN, *hostile.STRINGS):
        reading = console.desk.readings.of("refusals 0")
        reading.begin(partial(lambda text, _tell, _stop: hostile.refusals(text), text))
        reading.join()
        pages.append(shape(console.get("/events").text))
        assert "1 are not" in console.get("/events").text
    assert all(page == pages[0] for page in pages)


@pytest.mark.parametrize("version", versions(), ids=lambda one: one.detail_type)
def test_each_version_has_a_page(console: Console, version):
    """A version's page has its fields with bounds, an example that keeps the contract, and refusals that don't."""
    found = entry(version.detail_type)
    page = console.get(f"/events/{version.name}/v{version.version}").text
    assert all(field.path in page for field in found.fields)
    assert not violations(version.detail_type, found.examples[-1])
    assert all(violations(version.detail_type, one.detail) for one in found.refusals)
    assert len(found.refusals) >= 2
    assert "has no place for unknown_field" in page


def test_two_versions_are_compared(console: Console):
    """Any two versions can be compared field by field; an unknown one is refused in words."""
    page = console.get("/events/pipeline.requested/v2?with=pipeline.requested.v1").text
    assert "$.detail.data.messages is new, required: array of object Turn, 1 to 21 items" in page
    assert "put_events" in page
    assert console.get("/events/pipeline.requested/v2?with=nothing.v9").status == 400
    for path in ("/events/pipeline.requested/v9", "/events/%3Cb%3E/v1", "/events/x/v"):
        assert console.get(path).status == 404


def test_what_breaks_is_said_first(console: Console, monkeypatch):
    """A change that breaks a reader since the last release is named with the reader that breaks."""
    old = current()
    before = json.loads(json.dumps(old))
    data = before["analysis.requested.v1"]["$defs"]["AnalysisRequested"]
    data["properties"]["gone"] = {"type": "string"}
    data["required"].append("gone")
    reference = Reference(said="release 0", revision=None, commit=None, schemas=before)
    monkeypatch.setattr(references, "reference", lambda *_, **__: reference)
    page = console.get("/events").text
    assert "Breaks: analysis.requested.v1" in page
    assert "analyzer breaks" in page
    assert "$.detail.data.gone is gone; it was required" in page


def test_without_a_release_nothing_is_compared(console: Console, monkeypatch):
    """Without a release or a branch to compare with, the page says so."""
    monkeypatch.setattr(references, "reference", lambda *_, **__: None)
    assert "nothing to compare with" in console.get("/events").text
    assert (
        events_view(versions(), "x", current(), compare(current(), current())).verdict
        == "Nothing changed since."
    )


def test_documents_are_saved(console: Console):
    """The documents of bus, API and schemas are attachments with what the command exports."""
    for name, part in (
        ("asyncapi.json", "asyncapi"),
        ("openapi.json", "openapi"),
        ("Analysis.v1.json", "title"),
    ):
        answer = console.get(f"/contracts/{name}")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert part in json.loads(answer.text)
    assert console.get("/contracts/nothing.json").status == 404
