"""The parts of a deployment depend on each other in one order."""

from infra.parts import OPTIONAL, PARTS, in_order, needed_by


def test_each_part_comes_after_those_that_it_needs():
    """In the order of a deployment, every part comes once and after what it needs; an optional part is not needed."""
    order = in_order()
    assert sorted(order) == sorted(PARTS)
    for position, part in enumerate(order):
        assert set(needed_by(part)) <= set(order[:position])
        assert not set(needed_by(part)) & set(OPTIONAL)
