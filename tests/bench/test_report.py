"""docs/benchmarks.md: what was measured, and honest about it."""

import json

from bench import report
from bench.goals import History, Results, remembered

ABOUT = {
    "date": "2026-11-23T10:00:00+00:00", "system": "Linux", "cores": 2, "memory_gb": 23.5, "load_before": 0.1,
    "python": "3.11.7", "packages": {"botocore": "1"}, "commit": "abc",
}  # fmt: skip


def sizes(unreached: int, date: str = "2026-11-23T10:00:00+00:00") -> dict[str, Results]:
    one = {
        "unpacked_kb": 3_400, "zipped_kb": 1_200, "largest_kb": {"botocore": 1_400, "msgspec": 490}, "modules": 200,
        "unreached": unreached, "loaded": 190, "loaded_share": 0.9,
    }  # fmt: skip
    return {"sizes": {"machine": ABOUT | {"date": date}, "functions": {"api": one}}}


def test_the_committed_page_is_what_the_results_say():
    """Nobody edits a number: the page is written from the committed results, whole."""
    history = json.loads(report.HISTORY.read_text("utf-8"))
    assert report.DOCUMENT.read_text("utf-8") == report.document(report.read(), history)
    for name in (report.COLD_PLOT, report.BURST_PLOT):
        assert report.DOCUMENT.with_name(name).exists()


def test_the_latest_results_are_among_the_runs():
    """Results that were committed without the report would show values of another run."""
    history = json.loads(report.HISTORY.read_text("utf-8"))
    assert remembered(history, report.read()) == history


def test_a_goal_that_was_missed_once_is_not_met():
    """Of three runs one is enough, and the page says why first; the good runs are shown beside it."""
    history: History = {}
    for day, unreached in ((21, 0), (22, 3), (23, 0)):
        found = sizes(unreached, f"2026-11-{day}T10:00:00+00:00")
        history = remembered(history, found)
    page = report.document(found, history)
    assert "0 of 1 goals are met." in page
    assert "| api: modules that no import reaches | at most 0 modules | 0, 3, 0 |" in page
    assert "**Bundles.**" in page


def test_what_is_met_needs_no_excuse():
    """No reason is given where nothing was missed."""
    page = report.document(sizes(0), remembered({}, sizes(0)))
    assert "1 of 1 goals are met." in page
    assert "**Bundles.**" not in page
    assert "botocore 1,400, msgspec 490 | 190 of 200 (90% of the bytes)" in page
    assert "2026-11-23 10:00 UTC, commit abc, Linux, 2 cores" in page


def test_what_is_missing_is_said():
    """A part that could not be measured has its section all the same."""
    page = report.document(sizes(0), {})
    assert page.count("Not measured yet, or not possible") == len(report.SECTIONS) - 1
