"""The rights in the templates: which model the chatbot may ask, and what operators may read."""

import json

import pytest

from infra.rules import statements
from infra.tests.support import APPLICATION, allowed, policy, variables

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def test_the_chatbot_may_ask_its_model_alone(dev):
    """The chatbot's right to invoke a model names the configured model."""
    (arn,) = allowed(dev["ai-pipeline-dev-chatbot"], "bedrock:InvokeModel")["Resource"]
    assert json.dumps(arn).endswith('::foundation-model/amazon.nova-lite-v1:0"]]}')


def test_an_inference_profile_needs_two_rights(synthesised):
    """A model id with a geographic prefix needs a right on the profile, and on its model in any region."""
    template = synthesised("dev", model_id="us.amazon.nova-2-lite-v1:0")["ai-pipeline-dev-chatbot"]
    arns = json.dumps(allowed(template, "bedrock:InvokeModel")["Resource"])
    assert ":inference-profile/us.amazon.nova-2-lite-v1:0" in arns
    assert ":bedrock:*::foundation-model/amazon.nova-2-lite-v1:0" in arns


def test_fallbacks_get_their_rights(synthesised):
    """Each fallback's ARNs are in the chatbot's right beside the first model's, and its function knows the list."""
    fallbacks = f"amazon.nova-pro-v1:0,{APPLICATION}"
    options = {
        "fallback_model_ids": fallbacks,
        "model_behind_fallbacks": f"{APPLICATION}=us.amazon.nova-2-lite-v1:0",
    }
    template = synthesised("dev", only="chatbot", **options)["ai-pipeline-dev-chatbot"]
    arns = json.dumps(allowed(template, "bedrock:InvokeModel")["Resource"])
    names = ("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-2-lite-v1:0")
    assert [arns.count(f"foundation-model/{name}") for name in names] == [1, 1, 1]
    assert APPLICATION in arns
    assert variables(template, "ai-pipeline-dev-chatbot")["FALLBACK_MODEL_IDS"] == fallbacks


def test_an_existing_chatbot_is_asked_instead(synthesised):
    """With the ARN of an existing chatbot function, the chatbot may invoke that function and no model."""
    arn = "arn:aws:lambda:us-east-1:111122223333:function:chat"
    template = synthesised("dev", chatbot_function_arn=arn)["ai-pipeline-dev-chatbot"]
    assert allowed(template, "lambda:InvokeFunction")["Resource"] == [arn]
    assert "bedrock:" not in json.dumps(list(statements(template)))
    assert variables(template, "ai-pipeline-dev-chatbot")["CHATBOT_FUNCTION_ARN"] == arn


def test_operators_read_everything_and_change_nothing(dev):
    """The operators' policy reads all of its environment, without a secret, and has no right to write or invoke."""
    granted = policy(dev["ai-pipeline-dev-platform"], "ai-pipeline-dev-operator")
    text = json.dumps(granted)
    assert len(text) < 6_144  # IAM's limit
    assert "-state" not in text
    assert "-answers" not in text
    reading = (
        "BatchGet",
        "Describe",
        "Filter",
        "Get",
        "List",
        "Query",
        "Receive",
        "Scan",
        "ChangeMessageVisib",
    )
    for statement in granted:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert all(action.partition(":")[2].startswith(reading) for action in actions)
        if "sqs:ReceiveMessage" in actions:
            assert json.dumps(statement["Resource"]).endswith('-*-dlq"]]}')
