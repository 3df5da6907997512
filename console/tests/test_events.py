"""The catalogue of events, its versions side by side, and the documents to save."""

import json
from collections.abc import Iterator

import pytest

from console.models.events import events_view
from console.pages import events
from console.tests.asking import Console, console_of
from contracts import references
from contracts.catalogue import entry, versions
from contracts.comparison import compare
from contracts.references import Reference, current
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
