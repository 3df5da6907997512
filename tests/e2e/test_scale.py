"""The simulation compared with the engine: the same burst has the same outcomes. Durations are not compared."""

import pytest

from local.targets import local_target
from scale.measure import Bench
from tests.e2e.conftest import Deployment

SIZE = 100

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(400),
]


def test_a_burst_ends_as_simulated(pipeline: Deployment, record_property):
    """All runs of a burst of a hundred events succeed, on the engine and in the simulation."""
    bench = Bench(local_target(pipeline.connection), pipeline.engine.running().pid)
    burst = bench.burst(SIZE, bench.calm(5))
    record_property("simulated time to drain by measured", round(burst.ratio, 2))
    assert (burst.succeeded, burst.failed, burst.lost) == (SIZE, 0, 0)
    assert burst.simulated_succeeded == SIZE
