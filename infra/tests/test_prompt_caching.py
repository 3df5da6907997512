"""Which models get a cache checkpoint after the system prompt, and which are asked without a parameter."""

import pytest

from infra.option_kinds import OptionError
from infra.options import load
from infra.prompt_caching import cached_models
from infra.tests.support import APPLICATION, BEDROCK, NOVA

LONG = "Answer as our handbook says. " * 80
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"


@pytest.mark.parametrize(
    "model_id",
    [
        *(NOVA, f"us.{NOVA}", SONNET, f"{BEDROCK}:inference-profile/{SONNET}"),
        *("global.anthropic.claude-opus-5", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        *(
            "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/" + NOVA,
        ),
    ],
)
def test_a_long_prompt_is_cached_where_the_model_takes_a_checkpoint(model_id):
    """A model that takes a checkpoint gets one, however its id is spelt, if the system prompt is long enough."""
    assert cached_models(load("dev", {"model_id": model_id, "system_prompt": LONG})) == (model_id,)
    assert cached_models(load("dev", {"model_id": model_id})) == ()
    assert cached_models(load("dev", {"model_id": model_id, "system_prompt": "off"})) == ()
    assert (
        cached_models(load("dev", {"model_id": model_id, "system_prompt": LONG, "prompt_caching": "off"}))
        == ()
    )


@pytest.mark.parametrize(
    "options",
    [
        *(
            {"model_id": model}
            for model in (LLAMA, "amazon.nova-2-lite-v1:0", "anthropic.claude-3-haiku-20240307-v1:0")
        ),
        *(
            {"model_id": f"{BEDROCK}:{kind}/abc123def456"}
            for kind in ("provisioned-model", "imported-model", "custom-model-deployment")
        ),
        {"model_id": APPLICATION, "model_behind": LLAMA},
        {"model_id": f"{BEDROCK}:prompt-router/abc", "model_behind": f"{NOVA},{LLAMA}"},
        {"chatbot_function_arn": "arn:aws:lambda:us-east-1:111122223333:function:mine"},
    ],
)
def test_a_model_that_may_refuse_a_checkpoint_gets_none(options):
    """A model that takes no checkpoint, or of which that is not known, gets none unless the option says so."""
    environment = load("dev", {**options, "system_prompt": LONG})
    assert cached_models(environment) == ()
    forced = load("dev", {**options, "system_prompt": "Short.", "prompt_caching": "on"})
    assert cached_models(forced) == ((options["model_id"],) if "model_id" in options else ())


def test_each_model_is_looked_at_by_itself():
    """Of two models only the one that takes a checkpoint gets one; a profile's ARN counts as the model behind it."""
    options = {"model_id": LLAMA, "model_id_complex": APPLICATION, "model_behind_complex": SONNET}
    assert cached_models(load("dev", {**options, "system_prompt": LONG})) == (APPLICATION,)
    fallbacks = {"model_id": LLAMA, "fallback_model_ids": f"{SONNET}, amazon.nova-2-lite-v1:0"}
    assert cached_models(load("dev", {**fallbacks, "system_prompt": LONG})) == (SONNET,)


@pytest.mark.parametrize("value", ["yes", "true", "AUTO", "1h"])
def test_a_wrong_value_is_refused(value):
    """The option is auto, on or off."""
    with pytest.raises(OptionError, match="prompt_caching must be auto, on or off"):
        load("dev", {"prompt_caching": value})


@pytest.mark.parametrize("option", ["models_without_temperature", "models_without_system_prompt"])
def test_a_list_of_models_names_only_models_that_are_asked(option):
    """A misspelt id in a list of models is refused with the ids that it may name; an existing function asks none."""
    with pytest.raises(OptionError, match=f"{option} names us.nova, .* Write one of: {NOVA}, {SONNET}"):
        load("dev", {option: f"{SONNET}, us.nova", "model_id_complex": SONNET})
    both = {option: f" {SONNET} ,{NOVA}", "model_id_complex": SONNET}
    assert getattr(load("dev", both).chatbot, option) == f" {SONNET} ,{NOVA}"
    function = {"chatbot_function_arn": "arn:aws:lambda:us-east-1:111122223333:function:mine"}
    assert load("dev", {option: "us.nova", **function})
