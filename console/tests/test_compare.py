"""Two runs side by side."""

import json
from datetime import timedelta

import pytest

from console.models.compare import DIFF_CHARS, texts
from console.tests.asking import Console
from console.tests.world import NOW, add_run
from operations.errors import DeniedError
from operations.runs.good import last_good
from operations.runs.journey import read_journey
from operations.runs.logs import Line, Read
from operations.tests.histories import METER
from shared.contracts.record import iso
from shared.contracts.stages import STAGES


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


def test_a_good_run_of_the_same_message_comes_first(console: Console, machine, records):
    """The last good run of the same message and conversation is chosen before a later one of another message."""
    asked = (("b", "h1"), ("other", "h2"), ("talk", "h3"), ("same", "h1"), ("first", "h1"))
    for number, (name, digest) in enumerate(asked):
        message = "What?" if name == "other" else "Why?"
        began = iso(NOW - timedelta(seconds=number))
        add_run(
            machine,
            records,
            name,
            user_message=message,
            request_hash=digest,
            excerpt=message,
            started_at=began,
        )
    for name, good in (("b", "same"), ("other", "talk"), ("talk", "same"), ("first", "same")):
        assert console.get(f"/compare?b={name}").headers["location"] == f"/compare?a={good}&b={name}"
    assert "have different messages" in console.get("/compare?a=other&b=b").text
    assert "have different messages" not in console.get("/compare?a=same&b=b").text


def test_the_search_for_the_same_message_ends(target, machine, records):
    """With a good run of another message, four pages are searched for the same one; the result says which it is."""
    add_run(machine, records, "b", user_message="Why?", request_hash="h1")
    for number in range(400):
        machine.add(f"p-{number}", "SUCCEEDED")
    machine.calls.clear()
    good = last_good(target, read_journey(target, "b"))
    assert (good.pipeline_id, good.same_message, good.looked_at) == ("p-0", False, 200)
    assert machine.calls.count("list") == 4


def coded(**revisions: str) -> dict[str, dict[str, object]]:
    return {key: {**METER, "revision": revision} for key, revision in revisions.items()}


def test_a_stage_that_ran_other_code_is_named(console: Console, machine, records):
    """The developer of a stage sees that its code changed between two runs, or that a run does not tell it."""
    first, *others = (stage.key for stage in STAGES)
    same = dict.fromkeys(others, "c1")
    add_run(machine, records, "after", stages=coded(analysis="a2", **same))
    add_run(machine, records, "before", stages=coded(analysis="a1", **same))
    add_run(machine, records, "again", stages=coded(analysis="a1", **same))
    add_run(machine, records, "old")
    text = console.get("/compare?a=before&b=after").text
    for part in (
        "Other code ran in B at analysis.",
        '<span class="id">a1</span>',
        '<span class="id">a2</span>',
    ):
        assert part in text, part
    assert "Every stage ran the same code" in console.get("/compare?a=before&b=again").text
    untold = console.get("/compare?a=old&b=after").text
    assert f"not known for {', '.join([first, *others])}" in untold
    assert "Other code ran" not in untold


def test_stages_are_on_their_own_scales(console: Console, machine, records):
    """The bar of a short stage is as long as that of a long one: each is compared with itself."""
    fast = {
        key: {**METER, "queue_wait_ms": 0, "work_ms": ms} for key, ms in (("analysis", 2), ("chat", 9_000))
    }
    add_run(machine, records, "p", stages=fast)
    machine.histories.clear()
    values = json.loads(console.get("/compare?a=p&b=p&format=json").body)
    worked = {stage["name"]: stage["a"]["worked"] for stage in values["stages"]}
    assert (worked["analysis"], worked["chat"]) == (100.0, 100.0)


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


def test_a_cold_start_is_told_by_the_logs(console: Console, machine, records, monkeypatch):
    """A stage whose function had just started is named on request; the records do not tell it, and no log is read."""
    add_run(machine, records, "cold")
    add_run(machine, records, "warm")
    page = console.get("/compare?a=warm&b=cold").text
    assert 'href="/compare?a=warm&amp;b=cold&amp;logs=1#stages"' in page
    assert ">its function had just started</span>" not in page
    lines = [
        Line(at=NOW, function="chatbot", fields={"cold_start": True}),
        Line(at=NOW, function="enhancer", fields={"cold_start": "yes"}),
    ]
    logs = {"cold": Read(lines=lines, cut=["logger"]), "warm": Read()}
    monkeypatch.setattr("console.pages.compare.read_logs", lambda _, name: logs[name])
    page = console.get("/compare?a=warm&b=cold&logs=1").text
    assert ">its function had just started</span>" in page
    gaps = "But no log lines of A were found, and the logs of logger were not searched to the end."
    for part in ("counts as waiting: chat of B.", gaps, "Look again"):
        assert part in page, part
    view = json.loads(console.get("/compare?a=warm&b=cold&logs=1&format=json").body)
    assert [(one["name"], one["a"]["is_cold"]) for one in view["stages"] if one["b"]["is_cold"]] == [
        ("chat", False)
    ]
    assert "No log line tells of a cold start" in console.get("/compare?a=warm&b=warm&logs=1").text


def test_logs_that_cannot_be_read_leave_the_comparison(console: Console, machine, records, monkeypatch):
    """Without the right to read logs, the comparison stays, and says what is lacking."""
    add_run(machine, records, "p")

    def denied(*_: object) -> Read:
        raise DeniedError("may not read the logs")

    monkeypatch.setattr("console.pages.compare.read_logs", denied)
    answer = console.get("/compare?a=p&b=p&logs=1")
    assert (answer.status, "may not read the logs" in answer.text, "Look for cold starts" in answer.text) == (
        200,
        True,
        True,
    )


def test_runs_that_cannot_be_compared(console: Console, machine, records):
    """Without a good run, or with an unknown one, the page says so and asks for another."""
    add_run(machine, records, "only")
    answer = console.get("/compare?b=only")
    assert (answer.status, "Name the run to compare with" in answer.text) == (404, True)
    assert json.loads(console.get("/compare?b=only&format=json").body)["error"] == "not found"
    assert console.get("/compare?a=nobody&b=only").status == 404
    assert console.get("/compare").status == 200
    assert "Both have the same answer" in console.get("/compare?a=only&b=only").text
