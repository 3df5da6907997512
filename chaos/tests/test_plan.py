"""The plan of a campaign, and the scripts of its callback faults."""

from collections import Counter

import pytest

from chaos.callbacks import Script
from chaos.faults import CALLBACK_FAULTS, Fault
from chaos.plan import CALLING, FEWEST, TRIES, number_in, plan
from shared.aws import CLIENT_TRIES

SIZES = (FEWEST, 80, 2000)


def test_a_seed_decides_everything() -> None:
    """The same seed and size give the same plan, and another seed gives another plan."""
    assert plan(1, 80) == plan(1, 80)
    assert plan(1, 80) != plan(2, 80)


@pytest.mark.parametrize("pipelines", SIZES)
@pytest.mark.parametrize("seed", range(5))
def test_each_fault_of_a_pipeline_finds_one(seed: int, pipelines: int) -> None:
    """Even the smallest campaign has every fault of the model, of publishing and of stage requests."""
    planned = plan(seed, pipelines)
    model = {fault for fate in planned.fates for fault, _ in fate.model}
    model |= {Fault.MODEL_SLOW for fate in planned.fates if fate.slow}
    assert model >= {
        Fault.MODEL_THROTTLED, Fault.MODEL_FAILING, Fault.MODEL_TOO_SLOW, Fault.MODEL_SLOW, Fault.MODEL_GARBAGE,
    }  # fmt: skip
    assert any(fate.exhausts for fate in planned.fates)
    assert {fate.via for fate in planned.fates if fate.published_twice} == {"api", "bus"}
    assert any(fate.duplicated for fate in planned.fates)
    assert any(fate.repeated for fate in planned.fates)


@pytest.mark.parametrize("pipelines", SIZES)
def test_each_function_has_each_fault_of_a_callback(pipelines: int) -> None:
    """Every function that calls Step Functions gets each callback fault, early enough to happen."""
    for function in CALLING:
        chosen = plan(1, pipelines).callbacks[function]
        assert set(chosen.values()) == set(CALLBACK_FAULTS)
        assert max(chosen) < pipelines


def test_a_pipeline_is_told_by_its_message() -> None:
    """The marker in a message identifies its pipeline, and a text without a marker belongs to none."""
    for fate in plan(1, FEWEST).fates:
        assert number_in(fate.message) == fate.number
    assert number_in("Hello") is None


def test_only_those_meant_to_use_up_their_tries() -> None:
    """A model that fails for good fails four times; every other pipeline gets its answer within four attempts."""
    fates = plan(3, 2000).fates
    lengths = Counter(len(fate.model) for fate in fates)
    assert max(lengths) == TRIES
    assert all(len(fate.model) < TRIES for fate in fates if not fate.exhausts)


def test_a_script_is_told_by_first_sight() -> None:
    """The n-th new token gets the n-th fault, and repeated calls with a token do not change the count."""
    script = Script({1: Fault.TWICE, 2: Fault.REFUSED})
    assert script.step("a") == ("pass", None)
    step, fault = script.step("b")
    assert (step, fault) == ("forward twice, answer the first", Fault.TWICE)
    assert script.step("a") == ("pass", None)
    assert script.step("b") == ("pass", None)
    calls = [script.step("c") for _ in range(CLIENT_TRIES + 1)]
    assert [fault for _, fault in calls] == [Fault.REFUSED, None, None, None]
    assert [step.startswith("refuse") for step, _ in calls] == [True, True, True, False]


def test_a_script_ends() -> None:
    """When the campaign is over, all calls pass."""
    script = Script({0: Fault.KILLED_BEFORE})
    script.over = True
    assert script.step("a") == ("pass", None)
