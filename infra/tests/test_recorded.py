"""Templates record the options that they were made with, and only where that is stored with the next change."""

import json

import pytest

from infra.environments import ENVIRONMENTS
from infra.options import OPTIONS
from infra.recorded import NOT_RECORDED, RECORDED, options_of

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

VALUES = {
    "allowed_origin": "https://a.example",
    "alarm_email": "a@example.com",
    "approval": "true",
    "approval_hours": "48",
    "approval_at_deadline": "fail",
    "approval_reminder_hours": "12",
    "approval_rejected_text": "Not released.",
    "budget_usd_per_day": "6",
    "prices_of": "us-west-2",
    "schema_registry": "false",
    "bootstrap_qualifier": "team",
    "permissions_boundary": "Boundary",
    "api_account_role": "false",
    "requests_per_second": "33",
    "max_waiting": "7",
    "invocation_reports": "true",
    "keep_records_days": "400",
    "log_retention_days": "365",
    "model_id": "amazon.nova-pro-v1:0",
    "model_id_complex": "amazon.nova-pro-v1:0",
    "fallback_model_ids": "amazon.nova-pro-v1:0,us.amazon.nova-lite-v1:0",
    "system_prompt": "Be brief.",
    "max_tokens": "77",
    "temperature": "0.25",
    "models_without_temperature": "amazon.nova-lite-v1:0",
    "models_without_system_prompt": "amazon.nova-lite-v1:0",
    "retries_after_timeout": "1",
    "guardrail_id": "gr-1",
    "guardrail_version": "2",
    "chatbot_function_arn": "arn:aws:lambda:us-east-1:123456789012:function:bot",
    "memory": "512",
    "timeout": "29",
    "max": "9",
}
BASE = {"budget_usd_per_day": "5", "price_usd_per_answer": "0", "guardrail_id": "gr-0"}
"""Options without which others have no effect: a version belongs to a guardrail, a budget changes to another one,
and needs a price for each answer of an existing function.
"""


def value_of(option):
    return VALUES.get(option) or VALUES[option.split("_")[0]]


def test_every_option_is_recorded():
    """Each option is recorded by a part, or named as one that changes no resource."""
    assert set(RECORDED) | NOT_RECORDED == set(OPTIONS)
    assert not set(RECORDED) & NOT_RECORDED


@pytest.mark.parametrize(
    ("option", "part"), [(option, part) for option, (parts, _) in RECORDED.items() for part in parts]
)
def test_a_recorded_option_changes_a_resource_of_the_same_template(synthesised, option, part):
    """A part records the option, and a change of its value changes a resource, so that CloudFormation stores both."""
    (before,) = synthesised("dev", only=part, **BASE).values()
    (after,) = synthesised("dev", only=part, **{**BASE, option: value_of(option)}).values()
    assert options_of(after)[option] == value_of(option) != options_of(before)[option]
    assert json.dumps(after["Resources"]) != json.dumps(before["Resources"])


def test_an_option_that_is_off_is_written_so(synthesised):
    """An option without a value is recorded as off, as it would be written in a file."""
    (trigger,) = synthesised("dev", only="trigger").values()
    assert options_of(trigger)["budget_usd_per_day"] == "off"


def test_a_value_survives_cloudformation(synthesised):
    """A value of any characters is recorded in ASCII, which CloudFormation gives back as it is."""
    prompt = 'Grüße 😀 "now" \\u00fc\n'
    (chatbot,) = synthesised("dev", only="chatbot", system_prompt=prompt).values()
    assert json.dumps(chatbot["Metadata"], ensure_ascii=False).isascii()
    assert options_of(chatbot)["system_prompt"] == prompt


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_templates_have_no_character_that_cloudformation_does_not_keep(synthesised, env):
    """Templates are in ASCII: a change of other characters alone could not be seen in what is deployed."""
    templates = synthesised(env, monitoring="true", budget_usd_per_day="5")
    assert json.dumps(templates, ensure_ascii=False).isascii()


@pytest.mark.parametrize("template", [{}, {"Metadata": None}, {"Metadata": {"AiPipelineOptions": "x"}}])
def test_a_template_without_options_is_read(template):
    """A template of another version, which recorded nothing or something else, has no options."""
    assert options_of(template) == {}
