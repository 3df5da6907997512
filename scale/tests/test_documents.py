"""The generated parts of docs/scale.md are up to date."""

from dataclasses import replace

import pytest

from scale import cost, tables
from scale.__main__ import DOCS, PAGE, block, static_blocks, written
from scale.scenarios import today
from scale.shape import shape
from scale.simulation import simulate


def test_the_tables_without_a_simulation_are_current():
    """The document's tables of quotas, ceilings, raised quotas and costs are those that the code writes."""
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    for name, text in static_blocks().items():
        assert block(page, name) == text, f"{name}: run `make scale`"


def test_a_row_of_the_results_is_current():
    """A new simulation of 100 requests a second gives exactly the document's row."""
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    row = tables.results_table([simulate(today(100))]).splitlines()[-1]
    assert row in block(page, "results").splitlines(), "run `make scale`"


def test_writing_keeps_the_text_around_a_block():
    """Writing a block replaces only the text between its marks."""
    page = "before <!-- scale:cost -->old<!-- /scale:cost --> after"
    assert written(page, {"cost": "new"}) == "before <!-- scale:cost -->\nnew\n<!-- /scale:cost --> after"


def test_a_plot_is_the_same_bytes_again(tmp_path):
    """Drawing a plot twice gives the same bytes, without a date or random ids."""
    from scale.plots import draw_ceilings  # noqa: PLC0415 -- matplotlib takes a second to load

    for name in ("one.svg", "two.svg"):
        draw_ceilings(tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.svg").read_bytes() == (DOCS / "scale-ceilings.svg").read_bytes()


def test_a_run_costs_what_its_services_do():
    """The services' costs add up to the run's cost, and twice the tokens cost twice as much."""
    plan = shape()
    assert sum(cost.by_service(plan).values()) == pytest.approx(cost.run_usd(plan))
    twice = replace(plan, tokens=replace(plan.tokens, input=1_000, output=600))
    assert cost.question_usd(twice) == pytest.approx(2 * cost.question_usd(plan))
