"""Environments can be changed by options, and a wrong name or option is refused with an explanation."""

from dataclasses import replace

import pytest

from infra.environments import CALLS_PER_RUN, ENVIRONMENTS, Throttle, UnknownEnvironmentError
from infra.functions import FUNCTIONS
from infra.names import Names
from infra.option_kinds import OptionError
from infra.options import DERIVED_SETTINGS, load


def test_an_unknown_environment_names_the_known_ones():
    """An unknown environment is refused with the list of known ones."""
    with pytest.raises(UnknownEnvironmentError, match="dev, staging, prod, local"):
        load("production")


def test_a_chatbot_setting_is_an_option():
    """Options set the chatbot's model and number of tokens."""
    chatbot = load("dev", {"model_id": "us.amazon.nova-2-lite-v1:0", "max_tokens": "256"}).chatbot
    assert (chatbot.model_id, chatbot.max_tokens) == ("us.amazon.nova-2-lite-v1:0", 256)


@pytest.mark.parametrize(
    "option",
    [{"max_tokens": "many"}, {"temperature": "3"}, {"monitoring": "maybe"}, {"alarm_email": "on-call"}],
)
def test_a_wrong_option_is_refused_at_synth(option):
    """An invalid value, such as one that the function would refuse, is refused at synth with the option's name."""
    with pytest.raises(OptionError, match=next(iter(option))):
        load("dev", option)


def test_a_functions_memory_is_an_option():
    """An option changes one function's memory and nothing else."""
    environment = load("dev", {"memory_chatbot": "512"})
    assert environment.sizing_of("chatbot") == replace(load("dev").sizing_of("chatbot"), memory_mb=512)
    assert environment.sizing_of("logger") == load("dev").sizing_of("logger")


def test_a_functions_timeout_is_an_option():
    """An option changes a function's timeout; one that is too long is refused, earlier if nothing slow is asked."""
    for seconds in (20, 900):
        assert load("dev", {"timeout_chatbot": f"{seconds}"}).sizing_of("chatbot").timeout_seconds == seconds
    for option, seconds in (("timeout_chatbot", 901), ("timeout_logger", 32), ("timeout_api", 60)):
        with pytest.raises(OptionError, match=option):
            load("dev", {option: f"{seconds}"})


@pytest.mark.parametrize("option", DERIVED_SETTINGS)
def test_what_follows_from_the_deployment_is_no_option(option):
    """Options cannot change the settings that the chatbot's deployment determines."""
    assert load("dev", {option: "9"}).chatbot == load("dev").chatbot


@pytest.mark.parametrize("memory", ["64", "1 GB", "99999"])
def test_memory_lambda_does_not_offer_is_refused(memory):
    """An invalid memory size is refused at synth with the option's name."""
    with pytest.raises(OptionError, match="memory_api"):
        load("dev", {"memory_api": memory})


def test_the_engines_address_is_no_option_on_aws():
    """The option for the engine's address is refused for environments on AWS."""
    with pytest.raises(OptionError, match="local engine"):
        load("prod", {"engine": "http://127.0.0.1:4566"})


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_every_queue_is_capped(environment):
    """Every queue's concurrency is limited, and the chatbot receives one message at a time."""
    for function in FUNCTIONS:
        assert 2 <= environment.sizing_of(function.name).max_concurrency <= 1_000
    assert environment.sizing_of("chatbot").batch_size == 1


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_throttle_follows_from_the_intended_rate(environment):
    """Every environment's throttle admits the calls of its intended rate, and little more."""
    rate = environment.requests_per_second
    assert CALLS_PER_RUN * rate <= environment.throttle.rate < CALLS_PER_RUN * rate + 1
    assert replace(environment, requests_per_second=0.1).throttle == Throttle(rate=1, burst=2)


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_few_callers_wait_where_few_functions_run(environment):
    """Callers who wait leave the stages of every environment on AWS most of its account's default concurrency."""
    assert 1 <= environment.max_waiting <= 50


@pytest.mark.parametrize(
    ("env", "table"), [("prod", "PipelineLogs"), ("local", "PipelineLogs"), ("dev", "PipelineLogs-dev")]
)
def test_the_table_has_its_promised_name(env, table):
    """The table is called `PipelineLogs` in prod and local, and has the environment's name appended elsewhere."""
    assert Names(env).table == table
