"""The pages over runs whose texts are hostile, secret or huge."""

import json
import os

import pytest

from console.pages.run import PARTS, TABS
from console.tests import hostile
from console.tests.asking import Console
from console.tests.hostile import TOKEN, shape
from console.tests.world import add_run
from operations.runs import journey
from operations.tests.histories import Story
from operations.tests.world import TABLE, client

PAGES = (
    "/runs",
    *(f"/runs/p?tab={tab}" for tab in TABS),
    "/runs/q",
    "/compare?a=p&b=q",
    "/compare?b=q",
    "/ask?again=p",
    "/ask?after=p",
    "/costs",
    "/asked/p",
    "/asked/q",
    "/find?q=nothing%22%3E%3Cb%3E",
)


@pytest.fixture
def put(machine, records):
    """Return a function that replaces all runs by a success `p` and a failure `q` that consist of one text."""

    def replace(text: str) -> None:
        machine.executions.clear()
        for name, status, fields in (("p", "SUCCEEDED", hostile.record), ("q", "FAILED", hostile.failure)):
            client("dynamodb").delete_item(TableName=TABLE, Key={"pipeline_id": {"S": name}})
            add_run(machine, records, name, status, hostile.story(text), **fields(text))
        said = [{"role": role, "text": f'{text} "task_token": "{TOKEN}"'} for role in ("user", "assistant")]
        machine.inputs["p"] = json.dumps({"request": {"user_message": text, "history": said}})

    return replace


def test_hostile_texts_change_no_page(console: Console, put):
    """A hostile string in every field leaves every page with the elements and attributes that a plain text has."""
    put(hostile.BENIGN)
    plain = {path: shape(console.get(path).text) for path in PAGES}
    for text in hostile.STRINGS:
        put(text)
        for path in PAGES:
            answer = console.get(path)
            parts = shape(answer.text)
            if "](" in text and path in (
                "/runs/p?tab=data",
                "/asked/p",
                "/ask?after=p",
                "/ask?again=p",
            ):  # Markdown: the answer's link, and nothing else
                parts = [part for part in parts if part not in (("a", ("href", "rel", "target")), ("/a", ()))]
                assert parts == [part for part in plain[path] if part != ("/a", ())], (path, text)
            else:
                assert parts == plain[path], (path, text)


def test_no_page_shows_a_task_token(console: Console, put):
    """A task token in a run's history and errors is on none of its pages, raw texts and JSON."""
    put("x")
    raws = [f"/runs/p/raw?part={part}&visit=0" for part in ("record", "events", "input", "output")]
    for path in (*PAGES, *raws):
        for suffix in ("", "&format=json" if "?" in path else "?format=json"):
            answer = console.get(path + suffix)
            assert answer.status in (200, 400, 404)
            assert TOKEN not in answer.text, path + suffix


def test_raw_texts_are_saved_never_shown(console: Console, put):
    """A raw text is an attachment of plain text, whatever it holds."""
    put("<b>")
    for part in PARTS:
        answer = console.get(f"/runs/p/raw?part={part}&visit=0")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-disposition"].startswith("attachment")


def test_raw_parts_that_are_not_there(console: Console, machine, records):
    """A part that does not exist is empty or not found, never an error of the console."""
    add_run(machine, records, "p")
    for query in ("part=secrets", "part=input&visit=99", "part=output&visit=-1", "part=input&visit=x", ""):
        assert console.get(f"/runs/p/raw?{query}").status in (200, 404)


def test_a_huge_payload_is_cut(console: Console, machine, records):
    """A payload of a quarter of a million characters leaves the page small, and says where the rest is."""
    story = Story().enter("AnalyzeInput").ask().succeed({"data": {"x": "y" * 250_000}, "meter": {}}).leave()
    add_run(machine, records, "p", "SUCCEEDED", story, final_response="z" * 250_000)
    for tab in ("timeline", "data", "events"):
        text = console.get(f"/runs/p?tab={tab}").text
        assert len(text) < 60_000
        assert "characters more" in text
    assert len(console.get("/runs/p/raw?part=output&visit=0").text) > 250_000


def test_ten_megabytes_are_cut(console: Console, machine, records, monkeypatch):
    """A run with ten megabytes of answer and output, and a megabyte in every other text, has light pages."""
    big = os.urandom(5_000_000).hex()  # nothing compresses it
    some = big[:1_000_000]
    story = Story().enter("AnalyzeInput").ask().succeed({"data": {"x": big}, "meter": {}}).leave()
    for _ in range(300):
        story.add("TaskScheduled", taskScheduledEventDetails={"parameters": some[:3_000]})
    add_run(machine, records, "p", "SUCCEEDED", story)
    failed = {"chat": {"Error": some, "Cause": some}}
    whole = {
        **dict.fromkeys(("user_message", "excerpt", "error", "cause", "trace_id"), some),
        "pipeline_id": "p", "status": "FAILED", "stage": "chat", "analysis": {"x": some}, "chat": {"model_id": some},
        "instead": {"chat": some}, "errors": failed, "degraded": ["chat"], "final_response": big,
    }  # fmt: skip
    monkeypatch.setattr(journey, "read_record", lambda *_: whole)
    turns = [{"role": role, "text": some} for role in ("user", "assistant")]
    machine.inputs["p"] = json.dumps({"request": {"user_message": "x", "history": turns}})
    for path in (*(f"/runs/p?tab={tab}" for tab in TABS[:3]), "/asked/p", "/compare?a=p&b=p"):
        answer = console.get(path)
        assert (answer.status, answer.size < 500_000) == (200, True), (path, answer.size)
