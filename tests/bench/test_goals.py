"""The goals: from measured results to values and verdicts."""

import pytest

from bench import goals
from bench.goals import Goal, Results, with_latest
from bench.texts import ABOUT, REASONS


def goal(part: str, results: Results, name: str) -> Goal:
    (match,) = [goal for goal in goals.PARTS[part](results) if goal.name == name]
    return match


def test_a_goal_is_met_up_to_its_limit():
    """A goal is met at its limit and on the right side of it, and not beyond."""
    at_most = [Goal(name="g", value=value, limit=2, unit="ms").met for value in (1.9, 2, 2.1)]
    at_least = [
        Goal(name="g", value=value, limit=3, unit="times", at_least=True).met for value in (2.9, 3, 3.1)
    ]
    assert (at_most, at_least) == ([True, True, False], [False, True, True])


def test_cold_starts_are_compared_within_their_round():
    """A round in which the machine is twice as slow does not change a ratio, and yardsticks have no goals."""
    slow = (1, 2, 1)
    rounds = {
        "bare boto3": [{"cold_cpu_ms": 100.0 * times} for times in slow],
        "conventional": [{"cold_cpu_ms": 400.0 * times} for times in slow],
        "bare boto3, with byte code": [{"init_cpu_ms": 50.0 * times} for times in slow],
        "api": [
            {"cold_cpu_ms": 120.0, "init_cpu_ms": 60.0},
            {"cold_cpu_ms": 240.0, "init_cpu_ms": 120.0},
            {"cold_cpu_ms": 90.0, "init_cpu_ms": 50.0},
        ],
    }
    bare, conventional, init = goals.of_cold({"rounds": rounds})
    assert (bare.value, bare.met) == (1.2, False)
    assert (conventional.value, conventional.met) == (0.3, True)
    assert (init.value, init.met) == (1.2, False)


def test_the_slowest_start_the_most_memory_and_the_95th_message_count():
    """Limits apply to the slowest start, the highest memory and the 95th percentile, not to medians."""
    rounds = [
        {"cold_ms": 100.0, "memory_mb": 40.0, "warm_ms": [10.0] * 18},
        {"cold_ms": 2_100.0, "memory_mb": 101.0, "warm_ms": [60.0, 70.0]},
    ]
    values = {goal.name: (goal.value, goal.met) for goal in goals.of_limited({"rounds": {"api": rounds}})}
    assert values == {
        "api: cold start, the slowest": (2_100.0, False),
        "api: memory, the most": (101.0, False),
        "api: warm message, p95": (60.0, False),
    }


def test_memory_is_flat_if_it_no_longer_grows():
    """Memory that grows in the first tenth is accepted; a megabyte more after that is a missed goal."""
    flat = {"messages": 100_000, "memory_mb": {"api": [30.0] * 10 + [40.0] * 90}}
    leaking = {"messages": 100_000, "memory_mb": {"api": [40.0 + sample / 50 for sample in range(100)]}}
    name = "api: memory grown in 100,000"
    assert goal("soak", flat, name).met
    assert not goal("soak", leaking, name).met


def test_the_worst_message_of_each_group_counts():
    """The slowest message of a group decides, and a group that was not measured has no goal."""
    rows = [{"group": "kind", "median_ms": value} for value in (1.0, 5.5, 2.0)]
    (slowest,) = goals.of_analyzer({"rows": rows})
    assert (slowest.name, slowest.value, slowest.met) == (
        "analyzer, 32 KB: the slowest ordinary kind",
        5.5,
        False,
    )


def test_the_slowest_first_page_and_the_heaviest_page_count():
    """The slowest first page of the console decides, the 95th percentile of others, the heaviest with its files."""
    light, slow, heavy = (
        {"ms": ms, "bytes": size} for ms, size in ((50.0, 5_000), (151.0, 5_000), (60.0, 41_000))
    )
    rounds = [{"first": light, "pages": [light] * 18}, {"first": slow, "pages": [slow, heavy]}]
    first, others, weight = goals.of_console({"runs": 100_000, "files_bytes": 20_000, "rounds": rounds})
    assert [(one.value, one.met) for one in (first, others, weight)] == [
        (151.0, False),
        (60.0, True),
        (61.0, False),
    ]


def results(day: int, unloaded: int = 0) -> dict[str, Results]:
    about = {"date": f"2026-11-{day}T10:00:00+00:00", "commit": f"c{day}", "load_before": 0.1}
    return {"sizes": {"machine": about, "functions": {"api": {"unloaded": ["module"] * unloaded}}}}


def test_the_last_three_runs_are_remembered():
    """The history has the last three runs in order, each once, and no part that was skipped."""
    history: goals.History = {}
    for day in (20, 21, 21, 22, 23):
        history = with_latest(history, results(day, unloaded=day))
    assert [run["commit"] for run in history["sizes"]] == ["c21", "c22", "c23"]
    assert [list(run["values"].values()) for run in history["sizes"]] == [[21], [22], [23]]
    skipped = {"machine": results(20)["sizes"]["machine"], "skipped": "no cgroups"}
    assert with_latest({}, {"limited": skipped}) == {}


@pytest.mark.parametrize("part", goals.PARTS)
def test_every_unmet_goal_has_its_reason(part):
    """For each part with goals, there is a text on how it is measured and a reason for a missed goal."""
    assert part in REASONS
    assert part in ABOUT
