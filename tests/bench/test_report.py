"""docs/benchmarks.md: what was measured, and honest about it."""

import json

from bench import plots, report
from bench.goals import History, Results, remembered

ABOUT = {
    "date": "2026-11-23T10:00:00+00:00", "system": "Linux", "cores": 2, "memory_gb": 23.5, "load_before": 0.1,
    "python": "3.11.7", "packages": {"botocore": "1"}, "commit": "abc",
}  # fmt: skip


def sizes(unloaded: int, date: str = "2026-11-23T10:00:00+00:00") -> dict[str, Results]:
    one = {
        "unpacked_kb": 3_400, "zipped_kb": 1_200, "largest_kb": {"botocore": 1_400, "msgspec": 490}, "modules": 200,
        "unloaded": ["module"] * unloaded,
    }  # fmt: skip
    return {"sizes": {"machine": ABOUT | {"date": date}, "functions": {"api": one}}}


def test_the_committed_page_is_what_the_results_say():
    """Nobody edits a number: the page is written from the committed results, whole."""
    history = json.loads(report.HISTORY.read_text("utf-8"))
    assert report.DOCUMENT.read_text("utf-8") == report.document(report.read(), history)


def test_the_committed_pictures_are_what_the_results_say(tmp_path):
    """They are drawn from the committed results, to the byte."""
    results = report.read()
    for draw, part, name in (
        (plots.cold_starts, "cold", report.COLD_PLOT),
        (plots.bursts, "end-to-end", report.BURST_PLOT),
    ):
        draw(results[part], tmp_path / name)
        assert (tmp_path / name).read_bytes() == report.DOCUMENT.with_name(name).read_bytes()


def test_the_latest_results_are_among_the_runs():
    """Results that were committed without the report would show values of another run."""
    history = json.loads(report.HISTORY.read_text("utf-8"))
    assert remembered(history, report.read()) == history


def test_a_goal_that_was_missed_once_is_not_met():
    """Of three runs one is enough, and the page says why first; the good runs are shown beside it."""
    history: History = {}
    for day, unloaded in ((21, 0), (22, 3), (23, 0)):
        found = sizes(unloaded, f"2026-11-{day}T10:00:00+00:00")
        history = remembered(history, found)
    page = report.document(found, history)
    assert "0 of 1 goals are met." in page
    assert "| api: modules that a cold start does not load | at most 0 modules | 0, 3, 0 |" in page
    assert "**Bundles.**" in page


def test_what_is_met_needs_no_excuse():
    """No reason is given where nothing was missed; one run alone is not enough to say so."""
    history: History = {}
    for day in (21, 22, 23):
        history = remembered(history, sizes(0, f"2026-11-{day}T10:00:00+00:00"))
    page = report.document(sizes(0), history)
    assert "1 of 1 goals are met." in page
    once = report.document(sizes(0), remembered({}, sizes(0)))
    assert "0 of 1 goals are met.\n\nMet so far, but measured less than 3 times:" in once
    assert "**Bundles.**" not in page
    assert "botocore 1,400, msgspec 490 | 0 of 200 |" in page
    assert "2026-11-23 10:00 UTC, commit abc, Linux, 2 cores" in page


def test_what_is_missing_is_said():
    """A part that was not measured has its section all the same; one that could not be says why."""
    skipped: Results = {"machine": ABOUT, "skipped": "no cgroup can be made"}
    page = report.document({**sizes(0), "limited": skipped}, remembered({}, {"limited": skipped}))
    assert page.count("Not measured yet.") == len(report.SECTIONS) - 2
    assert "Skipped on this machine: no cgroup can be made." in page
