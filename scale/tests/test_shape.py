"""The simulated shape is the pipeline's, and the arithmetic agrees with the simulation."""

import math
from dataclasses import replace

import pytest

from infra.environments import ENVIRONMENTS
from scale.ceilings import MODEL, binding, ceilings, mean, per_request, raised
from scale.quotas import US_EAST_1
from scale.scenarios import RATES, Scenario, prepared
from scale.shape import Span, shape
from scale.simulation import simulate
from shared.contracts.stages import STAGES


def test_the_stages_are_the_table():
    """Order, route and criticality of each step come from the stage table, sizes and times from the environment."""
    plan, environment = shape(), ENVIRONMENTS["prod"]
    for stage, step in zip(STAGES, plan.steps, strict=True):
        sizing = environment.sizing_of(stage.service)
        assert (step.station.name, step.via, step.critical) == (stage.service, stage.via, stage.critical)
        assert step.timeout_seconds == environment.task_seconds(stage.service)
        assert (step.station.concurrency, step.station.batch) == (sizing.max_concurrency, sizing.batch_size)


def test_a_run_uses_what_the_arithmetic_says():
    """The simulation uses as much of every quota as `per_request` says."""
    result = simulate(Scenario(name="calm", rate=20, load_seconds=60))
    assert result.answered == result.requests
    for name, times in per_request(shape()).items():
        assert result.taken[name] == pytest.approx(times * result.requests), name


def test_the_lowest_ceiling_is_what_the_simulation_hits():
    """Below the lowest ceiling its quota refuses nothing, and well above it the quota refuses calls."""
    quotas = replace(US_EAST_1, poller_start=1_000, model_tokens=US_EAST_1.model_tokens.times(0.1))
    quotas = replace(
        quotas, model_tokens=replace(quotas.model_tokens, burst=quotas.model_tokens.per_second * 10)
    )
    assert binding(shape(), quotas) == MODEL
    ceiling = ceilings(shape(), quotas)[MODEL]
    below, above = (
        simulate(Scenario(name="", rate=ceiling * share, load_seconds=120, quotas=quotas))
        for share in (0.6, 2.0)
    )
    assert below.refused[MODEL] == 0
    assert above.refused[MODEL] > 0


@pytest.mark.parametrize("rate", RATES)
def test_raised_quotas_carry_their_rate(rate: int):
    """With raised quotas and caps, each of them allows more than the rate they were raised for."""
    assert min(ceilings(*raised(shape(), US_EAST_1, rate)).values()) > rate


def test_a_minute_at_the_raised_quotas_answers_everybody():
    """With raised quotas, all of 100 requests a second are answered."""
    result = simulate(replace(prepared(100), load_seconds=60))
    assert result.answered == result.requests


def test_the_mean_of_a_span():
    """The mean of a span without spread is its median, and that of a wide span is larger."""
    assert mean(Span(median=2, p95=2)) == 2
    assert math.isclose(mean(Span(median=2, p95=5)), 2.336, rel_tol=0.01)
