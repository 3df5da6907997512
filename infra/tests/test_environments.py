"""Environments are data, and a wrong name or option says so."""

from dataclasses import replace

import pytest

from infra.environments import DERIVED_SETTINGS, ENVIRONMENTS, ContextError, UnknownEnvironmentError, load
from infra.functions import FUNCTIONS
from infra.names import Names


def test_an_unknown_environment_names_the_known_ones():
    """Who mistypes `-c env` reads which names there are."""
    with pytest.raises(UnknownEnvironmentError, match="dev, staging, prod, local"):
        load("production")


def test_a_chatbot_setting_is_an_option():
    """`-c` sets the chatbot's model and tokens without an edit."""
    chatbot = load("dev", {"model_id": "us.amazon.nova-2-lite-v1:0", "max_tokens": "256"}).chatbot
    assert (chatbot.model_id, chatbot.max_tokens) == ("us.amazon.nova-2-lite-v1:0", 256)


@pytest.mark.parametrize("option", [{"max_tokens": "many"}, {"temperature": "3"}])
def test_a_wrong_setting_is_refused_at_synth(option):
    """A setting the function would refuse is refused before it is deployed, by its name."""
    with pytest.raises(ContextError, match=next(iter(option))):
        load("dev", option)


def test_a_functions_memory_is_an_option():
    """One function gets more memory, and keeps the rest of its environment's sizing."""
    environment = load("dev", {"memory_chatbot": "512"})
    assert environment.sizing_of("chatbot") == replace(load("dev").sizing_of("chatbot"), memory_mb=512)
    assert environment.sizing_of("logger").memory_mb == 128


def test_a_functions_timeout_is_an_option():
    """A function gets another timeout, and one that would not fit the stages' own is refused."""
    assert load("dev", {"timeout_chatbot": "20"}).sizing_of("chatbot").timeout_seconds == 20
    with pytest.raises(ContextError, match="timeout_chatbot"):
        load("dev", {"timeout_chatbot": "60"})


@pytest.mark.parametrize("option", DERIVED_SETTINGS)
def test_what_follows_from_the_deployment_is_no_option(option):
    """Nobody points the chatbot at another table of answers, or tells it another timeout than it has."""
    assert load("dev", {option: "9"}).chatbot == load("dev").chatbot


@pytest.mark.parametrize("memory", ["64", "1 GB", "99999"])
def test_memory_lambda_does_not_offer_is_refused(memory):
    """A wrong size is refused by its option's name, before anything is deployed."""
    with pytest.raises(ContextError, match="memory_api"):
        load("dev", {"memory_api": memory})


def test_the_engines_address_is_no_option_on_aws():
    """An API address of the local engine can't end up in a deployment to AWS."""
    with pytest.raises(ContextError, match="local engine"):
        load("prod", {"engine": "http://127.0.0.1:4566"})


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_every_queue_is_capped(environment):
    """No queue may start more than a bounded number of functions, and the chatbot takes one message at a time."""
    for function in FUNCTIONS:
        assert 2 <= environment.sizing_of(function.name).max_concurrency <= 1_000
    assert environment.sizing_of("chatbot").batch_size == 1


@pytest.mark.parametrize(
    ("env", "table"), [("prod", "PipelineLogs"), ("local", "PipelineLogs"), ("dev", "PipelineLogs-dev")]
)
def test_the_table_has_its_promised_name(env, table):
    """`PipelineLogs` where a deployment is alone, suffixed elsewhere."""
    assert Names(env).table == table
