"""Two runs side by side."""

import json

import pytest

from console.models.compare import DIFF_CHARS, texts
from console.tests.asking import Console
from console.tests.world import add_run


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("", ""),
        ("one two", "one two"),
        ("one two  three\n", "one 2  three\n"),
        ("", "new"),
        ("a b a b a", "b a b"),
        ("x " * 4_000, "y x " * 2_000),
    ],
)
def test_the_pieces_are_both_texts(a: str, b: str):
    """The pieces of a comparison are the first text without the new ones, and the second without the gone ones."""
    found = texts(a, b)
    assert "".join(one.text for one in found.pieces if one.kind != "new") == a
    assert "".join(one.text for one in found.pieces if one.kind != "gone") == b
    assert found.same == (a == b)


def test_only_what_changed_is_marked():
    """Words that both texts have are not marked, and texts beyond the limit are compared as far as it."""
    pieces = [(one.kind, one.text) for one in texts("a type with laws", "a class with laws").pieces]
    assert pieces == [("same", "a "), ("gone", "type"), ("new", "class"), ("same", " with laws")]
    long = texts("word " * DIFF_CHARS, "word " * DIFF_CHARS + "end")
    assert (long.left_out, long.same) == (True, False)


@pytest.fixture
def runs(machine, records):
    """Add a failed run, and before it a good, a degraded and another good one."""
    meter = {"queue_wait_ms": 5, "work_ms": 2_000, "attempt": 1, "receives": 1, "memory_mb": 512}
    add_run(machine, records, "later")
    add_run(machine, records, "failed", "FAILED")
    add_run(machine, records, "degraded", degraded=["enhancement"])
    add_run(
        machine,
        records,
        "good",
        cost={"nano_usd": 100},
        analysis={"complexity": "hard", "deep": {"er": 1}},
        chat={"model_id": "another-model"},
        stages={"chat": {**meter, "model_id": "another-model", "output_tokens": 9}},
    )
    add_run(machine, records, "older", started_at="2026-11-22T09:59:56.000Z")


def test_a_run_is_compared_with_the_last_good_one(console: Console, runs):
    """The link of a run leads to the comparison with the latest run before it that lacks nothing."""
    assert "/compare?b=failed" in console.get("/runs/failed").text
    assert console.get("/compare?b=failed").headers["location"] == "/compare?a=good&b=failed"
    assert console.get("/compare?b=older").headers["location"] == "/compare?a=good&b=older"


def test_what_differs_is_shown(console: Console, runs):
    """Model, times, tries, results, settings and answers of both runs are on the page and in its JSON."""
    text = console.get("/compare?a=good&b=later").text
    for part in (
        "another-model",
        "2 tries",
        "analysis.deep.er",
        "chat.model_id",
        "<del>",
        "<ins>",
        "pipeline show",
    ):
        assert part in text
    values = json.loads(console.get("/compare?a=good&b=later&format=json").body)
    assert [one["name"] for one in values["settings"]] == ["chat.model_id"]
    assert values["message"] is None
    changes = {one["name"]: one["change"] for one in values["stages"]}
    assert changes["chat"].startswith("\N{MINUS SIGN}")


def test_runs_that_cannot_be_compared(console: Console, machine, records):
    """Without a good run, or with an unknown one, the page says so and asks for another."""
    add_run(machine, records, "only")
    answer = console.get("/compare?b=only")
    assert (answer.status, "Name the run to compare with" in answer.text) == (404, True)
    assert json.loads(console.get("/compare?b=only&format=json").body)["error"] == "not found"
    assert console.get("/compare?a=nobody&b=only").status == 404
    assert console.get("/compare").status == 200
    assert "Both have the same answer" in console.get("/compare?a=only&b=only").text
