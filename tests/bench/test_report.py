"""docs/benchmarks.md reports the measured values and the goals that were missed."""

import json

from bench import plots, report, sections
from bench.goals import History, Results, with_latest

ABOUT = {
    "date": "2026-11-23T10:00:00+00:00", "system": "Linux", "cores": 2, "memory_gb": 23.5, "load_before": 0.1,
    "python": "3.11.7", "packages": {"botocore": "1"}, "commit": "abc",
}  # fmt: skip


def sizes(unloaded: int, date: str = "2026-11-23T10:00:00+00:00") -> dict[str, Results]:
    bundle = {
        "unpacked_kb": 3_400, "zipped_kb": 1_200, "largest_kb": {"botocore": 1_400, "msgspec": 490}, "modules": 200,
        "unloaded": ["botocore/module.py"] * unloaded + ["shared/worker/starts.py"], "byte_code_kb": 1_700,
    }  # fmt: skip
    return {"sizes": {"machine": ABOUT | {"date": date}, "functions": {"api": bundle}}}


def test_the_committed_page_is_what_the_results_say():
    """The whole committed page is what the report writes from the committed results."""
    history = json.loads(report.HISTORY.read_text("utf-8"))
    assert report.DOCUMENT.read_text("utf-8") == report.document(report.read(), history)


def test_the_committed_pictures_are_what_the_results_say(tmp_path):
    """The committed plots are, byte for byte, those drawn from the committed results."""
    results = report.read()
    for draw, part, name in (
        (plots.cold_starts, "cold", sections.COLD_PLOT),
        (plots.bursts, "end-to-end", sections.BURST_PLOT),
    ):
        draw(results[part], tmp_path / name)
        assert (tmp_path / name).read_bytes() == report.DOCUMENT.with_name(name).read_bytes()


def test_the_latest_results_are_among_the_runs():
    """The committed results are the latest run in the committed history of goals."""
    history = json.loads(report.HISTORY.read_text("utf-8"))
    assert with_latest(history, report.read()) == history


def test_a_goal_that_was_missed_once_is_not_met():
    """A goal missed in one of three runs is not met, and the page shows all three values and the reason."""
    history: History = {}
    for day, unloaded in ((21, 0), (22, 3), (23, 0)):
        latest = sizes(unloaded, f"2026-11-{day}T10:00:00+00:00")
        history = with_latest(history, latest)
    page = report.document(latest, history)
    assert "0 of 1 goals are met." in page
    assert "| api: packages' modules that a cold start does not load | at most 0 modules | 0, 3, 0 |" in page
    assert "**Bundles.**" in page


def test_what_is_met_needs_no_excuse():
    """A goal met in three runs is met and needs no reason; one run is not enough."""
    history: History = {}
    for day in (21, 22, 23):
        history = with_latest(history, sizes(0, f"2026-11-{day}T10:00:00+00:00"))
    page = report.document(sizes(0), history)
    assert "1 of 1 goals are met." in page
    once = report.document(sizes(0), with_latest({}, sizes(0)))
    assert "0 of 1 goals are met.\n\nMet so far, but measured less than 3 times:" in once
    assert "**Bundles.**" not in page
    assert "botocore 1,400, msgspec 490 | 1 of 200 |" in page
    assert "2026-11-23 10:00 UTC, commit abc, Linux, 2 cores" in page


def test_what_is_missing_is_said():
    """A part that was not measured has a section that says so; a skipped one gives the reason."""
    skipped: Results = {"machine": ABOUT, "skipped": "no cgroup can be made"}
    page = report.document({**sizes(0), "limited": skipped}, with_latest({}, {"limited": skipped}))
    assert page.count("Not measured yet.") == len(sections.SECTIONS) - 2
    assert "Skipped on this machine: no cgroup can be made." in page
