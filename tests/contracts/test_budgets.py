"""The committed budgets for what a cold start loads and what a run calls."""

import pytest

from bench import budgets


@pytest.mark.timeout(180)
def test_nothing_is_over_its_budget():
    """Modules loaded, bundle sizes, states and service calls of a run are within the committed budget."""
    problems = budgets.overruns(budgets.count(), budgets.read())
    assert problems == [], "undo the increase, or accept it (after a change of the stages, too): make tables"


def test_growth_and_stray_budgets_are_told():
    """Each excess and each unused budget is named; a small growth of a bundle is tolerated."""
    budget = {"api": {"modules": 10, "unpacked_kb": 1_000, "calls Gone": 1}}
    counted = {"api": {"modules": 11, "unpacked_kb": 1_015, "calls New": 1}}
    assert budgets.overruns(counted, budget) == [
        "api: calls Gone has a budget but is no longer counted",
        "api: calls New is 1, its budget is 0",
        "api: modules is 11, its budget is 10",
    ]
    assert budgets.overruns({"api": {"unpacked_kb": 1_050}}, {"api": {"unpacked_kb": 1_000}})
