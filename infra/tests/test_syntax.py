"""Parsing for bundles that are made in parallel."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra import bundling
from infra.syntax import parse

SOURCE = Path(bundling.__file__).read_text("utf-8")


@pytest.fixture
def interrupting_collector() -> Iterator[None]:
    """A garbage collector that runs very often and lets other threads continue meanwhile."""

    def pause(_phase: str, _info: dict[str, int]) -> None:
        time.sleep(0)

    threshold = gc.get_threshold()
    gc.callbacks.append(pause)
    gc.set_threshold(50)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(pause)


@pytest.mark.usefixtures("interrupting_collector")
def test_sources_are_parsed_side_by_side() -> None:
    """Threads that parse at the same time all get their tree, even while garbage is collected."""
    with ThreadPoolExecutor(4) as pool:
        trees = list(pool.map(parse, [SOURCE] * 24))
    assert {len(tree.body) for tree in trees} == {len(trees[0].body)}
