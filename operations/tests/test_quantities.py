"""The quantities in a run's ledger, each with its unit."""

from typing import Any

import pytest

from operations.money.words import MEASURES, UNITS, quantity
from shared.costs.lines import SERVICES, TOKENS, Line
from shared.costs.prices import PRICE_LISTS, Stated


def line(kind: str, number: int, **fields: Any) -> Line:
    return Line(stage="chat", kind=kind, what="something", quantity=number, price=None, nanos=None, **fields)


@pytest.mark.parametrize(
    ("kind", "number", "parts", "text"),
    [
        ("queue", 1, 1, "1 request"),
        ("queue", 3, 4, "3/4 requests"),
        ("invocation", 1, 10, "1/10 requests"),
        ("cache_read", 2_548, 1, "2,548 tokens"),
        ("logs", 2_548, 1, "0.000002373 GB"),
        ("logs", 1_000, 10, "0.000000931/10 GB"),
        ("time", 0, 1, "0 GB-s"),
        ("time", 512 * 2_000, 1, "1 GB-s"),
    ],
)
def test_a_quantity_has_its_unit(kind: str, number: int, parts: int, text: str):
    """A quantity is told in the unit of its price, with the unit's name, also where the price is not known."""
    assert quantity(line(kind, number, shared_by=parts)) == text


def test_units_are_those_of_the_prices():
    """Every kind of line has a unit, and each listed and stated price is for that unit."""
    assert UNITS.keys() == SERVICES.keys()
    prices = [
        ("time" if name in ("arm64", "x86_64") else name, price)
        for listed in PRICE_LISTS
        for name, price in listed.prices.items()
        if name != "read"  # no run reads through the API that a record would tell
    ]
    models = [model for listed in PRICE_LISTS for model in listed.models.values()]
    prices += [(kind, model.of(kind)) for model in models for kind in TOKENS]
    stated = Stated(answer="0.01").of_answer()
    assert stated
    for kind, price in [*prices, ("answer", stated)]:
        assert (UNITS[kind] in price.unit, price.base) == (True, MEASURES.get(UNITS[kind], 1)), kind
