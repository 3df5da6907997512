"""A budget is deployed only where the ledger can count; the options that state prices reach the logger."""

import json
import re

import pytest

from infra.environments import Environment
from infra.option_kinds import OptionError
from infra.options import load, load_deployed
from infra.pricing import stated, unpriced
from infra.tests.support import APPLICATION, BEDROCK, NOVA
from shared.costs.prices import Stated

BUDGET = {"budget_usd_per_day": "5"}
TOKENS = {"price_input_usd_per_million": "0.5", "price_output_usd_per_million": "1.5"}
CACHED = {"price_cache_read_usd_per_million": "0.05", "price_cache_write_usd_per_million": "0.625"}
FREE = dict.fromkeys(TOKENS, "0")
BY_THEMSELVES = ("provisioned-model", "imported-model", "custom-model-deployment")
FUNCTION = {"chatbot_function_arn": "arn:aws:lambda:us-east-1:111122223333:function:mine"}

FALLBACKS = {
    "fallback_model_ids": f"company.model-v1:0, {APPLICATION}",
    "price_fallbacks_usd_per_million": "company.model-v1:0=0.5/1.5",
    "model_behind_fallbacks": f"{APPLICATION}={NOVA}",
}


@pytest.mark.parametrize(
    ("options", "region"),
    [
        ({}, "us-east-1"),
        ({}, "us-west-2"),
        ({}, "eu-west-1"),
        ({"prices_of": "eu-west-1"}, "eu-central-1"),
        ({"prices_of": "us-east-1"}, "ap-southeast-2"),
        ({"model_id": "company.model-v1:0", **TOKENS}, "us-east-1"),
        ({"model_id": APPLICATION, "model_behind": NOVA}, "us-east-1"),
        ({"model_id": APPLICATION, "model_behind": "company.model-v1:0", **TOKENS}, "us-east-1"),
        ({"fallback_model_ids": "amazon.nova-pro-v1:0"}, "us-east-1"),
        (FALLBACKS, "us-east-1"),
        ({**FUNCTION, "price_usd_per_answer": "0"}, "us-east-1"),
        ({"model_id": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"}, "us-east-1"),
        ({"model_id": f"{BEDROCK}:inference-profile/us.{NOVA}"}, "us-east-1"),
        ({"model_id": f"{BEDROCK}:default-prompt-router/a:1", "model_behind": NOVA}, "us-east-1"),
        ({"model_id": APPLICATION, "model_behind": f"us.{NOVA}"}, "us-east-1"),
        ({"model_id_complex": APPLICATION, "model_behind_complex": NOVA}, "us-east-1"),
        *(({"model_id": f"{BEDROCK}:{kind}/abc123def456", **FREE}, "us-east-1") for kind in BY_THEMSELVES),
    ],
)
def test_a_budget_that_can_count_is_deployed(options, region):
    """With a listed or a stated price for everything, a budget is accepted."""
    assert load("dev", {**BUDGET, **options}, region=region).budget_usd_per_day == 5


@pytest.mark.parametrize(
    ("options", "region", "text"),
    [
        ({}, "eu-central-1", "Set prices_of"),
        (TOKENS, "eu-central-1", "Set prices_of"),
        ({"model_id": "company.model-v1:0"}, "us-east-1", "price_input_usd_per_million"),
        ({"model_id_complex": "company.model-v1:0"}, "us-east-1", "price_complex_input_usd_per_million"),
        (
            {"model_id_complex": "company.model-v1:0", **TOKENS},
            "us-east-1",
            "price_complex_input_usd_per_million",
        ),
        ({"model_id": APPLICATION, "model_behind": "company.model-v1:0"}, "us-east-1", "has no listed price"),
        *(
            (
                {"model_id": f"{BEDROCK}:{kind}/abc123def456"},
                "us-east-1",
                "(0 if it is paid for by the hour)",
            )
            for kind in BY_THEMSELVES
        ),
        (
            {"model_id": f"{BEDROCK}:prompt-router/a", "model_behind": f"{NOVA},company.model-v1:0"},
            "us-east-1",
            "no listed price",
        ),
        (
            {"fallback_model_ids": "company.model-v1:0"},
            "us-east-1",
            'price_fallbacks_usd_per_million = "company.model-v1:0=INPUT/OUTPUT"',
        ),
        (FUNCTION, "us-east-1", "price_usd_per_answer"),
        ({**FUNCTION, **TOKENS}, "us-east-1", "price_usd_per_answer"),
    ],
)
def test_a_budget_that_can_not_count_is_refused(options, region, text):
    """A missing price refuses a budget and names the option that states it; without a budget it does not matter."""
    with pytest.raises(OptionError, match=re.escape(text)) as refusal:
        load("dev", {**BUDGET, **options}, region=region)
    assert "budget_usd_per_day" in str(refusal.value)
    assert load("dev", options, region=region).budget_usd_per_day is None


@pytest.mark.parametrize(
    "option",
    [*TOKENS, *CACHED, "price_complex_input_usd_per_million", "price_complex_cache_read_usd_per_million"],
)
def test_half_a_price_is_refused(option):
    """The price of input tokens needs that of output tokens, of reads of a cache that of writes, and the reverse."""
    with pytest.raises(OptionError, match="need each other"):
        load("dev", {option: "1"})


def test_prices_of_a_cache_need_those_of_the_model():
    """The prices of a model's cache are stated together with its others, and belong to the same model."""
    with pytest.raises(OptionError, match="need price_input_usd_per_million"):
        load("dev", CACHED)
    assert stated(load("dev", {**TOKENS, **CACHED})).cached == {NOVA: ("0.05", "0.625")}
    assert stated(load("dev", TOKENS)).cached == {}


@pytest.mark.parametrize(
    "value", ["-1", "10001", "1,5", "abc", "inf", "0.0000000001", "1e-30", "true", "1_000"]
)
def test_a_wrong_price_is_refused(value):
    """A price is a decimal number of dollars with at most nine digits after the point."""
    with pytest.raises(OptionError, match="must be dollars, 0 to 10,000"):
        load("dev", {**TOKENS, "price_input_usd_per_million": value})


@pytest.mark.parametrize("value", ["1/2", "=1/2", "m=1", "m=1/", "m=1/2/3", "m=1/2,", "m=x/2", "m=-1/2"])
def test_a_wrong_price_of_a_fallback_is_refused(value):
    """The price of a fallback names its model and both directions."""
    with pytest.raises(OptionError, match="must be model id=input/output"):
        load("dev", {"fallback_model_ids": "m", "price_fallbacks_usd_per_million": value})


def test_prices_of_must_have_a_list():
    """Another region's prices can be used only if it has a list."""
    with pytest.raises(OptionError, match="one of us-east-1"):
        load("dev", {"prices_of": "eu-central-1"})


def test_a_price_in_a_file_is_read_as_a_number(folder):
    """A number in TOML keeps its value, in whichever way it is written."""
    (folder / "dev.toml").write_text("price_input_usd_per_million = 1e-3\nprice_output_usd_per_million = 2\n")
    assert stated(load_deployed("dev")).tokens == {NOVA: ("0.001", "2")}


def test_a_list_that_is_not_valid_yet_does_not_count():
    """A budget can't count with a price list of a later day."""
    (sentence,) = unpriced(load("dev"), "2026-08-31")
    assert "no price list for us-east-1" in sentence


def test_what_is_stated():
    """Stated prices belong to the ids with which the models are asked; a function's price needs the function."""
    options = {
        "model_id": APPLICATION,
        "model_behind": NOVA,
        "model_id_complex": "company.model-v1:0",
        "price_complex_input_usd_per_million": "1",
        "price_complex_output_usd_per_million": "2",
        "price_usd_per_answer": "0.01",
        "prices_of": "eu-west-1",
    }
    assert stated(load("dev", options)) == Stated(
        prices_of="eu-west-1", tokens={"company.model-v1:0": ("1", "2")}, listed_as={APPLICATION: NOVA}
    )
    assert stated(load("dev", FALLBACKS)) == Stated(
        tokens={"company.model-v1:0": ("0.5", "1.5")}, listed_as={APPLICATION: NOVA}
    )
    assert stated(load("dev", {**FUNCTION, "price_usd_per_answer": "0.01"})) == Stated(answer="0.01")
    assert stated(Environment(name="dev")) == Stated()


def variables_of(templates):
    """Return the variables of the functions that record ends: the logger and the reconciler."""
    resources = templates["ai-pipeline-dev-logger"]["Resources"].values()
    functions = [one["Properties"] for one in resources if one["Type"] == "AWS::Lambda::Function"]
    return {one["FunctionName"]: one["Environment"]["Variables"] for one in functions}


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_stated_prices_reach_every_function_that_records(synthesised):
    """The logger and the reconciler get the stated prices as JSON, and no such variable if there are none."""
    functions = variables_of(synthesised("dev", prices_of="eu-west-1", **TOKENS))
    assert set(functions) == {"ai-pipeline-dev-logger", "ai-pipeline-dev-reconciler"}
    for variables in functions.values():
        stated_prices = json.loads(variables["STATED_PRICES"])
        assert stated_prices == {"prices_of": "eu-west-1", "tokens": {NOVA: ["0.5", "1.5"]}}
    assert not [name for name, given in variables_of(synthesised("dev")).items() if "STATED_PRICES" in given]
