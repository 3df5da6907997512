"""What the smoke test asks IAM's simulator: forged events and other models must be denied."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from infra.functions import FUNCTIONS
from operations.smoke.forging import forging
from operations.smoke.model import MODELS, denied_model
from operations.smoke.trial import Trial
from operations.smoke.verdicts import Check
from operations.tests.smoke_world import Client, by_subject, refusal, replace


def contexts(arguments: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the detail-type and the type of the condition keys that the simulator was asked about."""
    for entry in arguments.get("ContextEntries", ()):
        if entry["ContextKeyName"] == "events:detail-type":
            return entry["ContextKeyValues"][0], entry["ContextKeyType"]
    return None


def simulator(allows: Callable[[tuple[str, str] | None], bool]) -> Client:
    """Return IAM with a policy for publishers, whose simulator decides by `allows`."""

    def decide(**arguments: Any) -> dict[str, Any]:
        decision = "allowed" if allows(contexts(arguments)) else "implicitDeny"
        return {"EvaluationResults": [{"EvalDecision": decision}]}

    return Client(
        get_policy={"Policy": {"DefaultVersionId": "v3"}},
        get_policy_version={"PolicyVersion": {"Document": {"Statement": [{"Action": "events:PutEvents"}]}}},
        simulate_custom_policy=decide,
        simulate_principal_policy=decide,
    )


@pytest.fixture
def iam(trial: Trial) -> Callable[[Client], dict[str, Check]]:
    """Return a function that makes the simulations with this IAM."""
    policies = [
        {"ResourceType": "AWS::IAM::ManagedPolicy", "PhysicalResourceId": "arn:aws:iam::1:policy/publisher"},
        {"ResourceType": "AWS::DynamoDB::Table", "PhysicalResourceId": "PipelineLogs-dev"},
    ]
    replace(
        trial.target,
        "cloudformation",
        Client(describe_stack_resources={"StackResources": policies}),
    )
    replace(
        trial.target,
        "lambda",
        Client(
            get_function_configuration=lambda FunctionName: {"Role": f"arn:aws:iam::1:role/{FunctionName}"}
        ),
    )

    def judge(fake: Client) -> dict[str, Check]:
        replace(trial.target, "iam", fake)
        return by_subject(forging(trial))

    return judge


REQUEST = "pipeline.requested.v2"


def test_policies_that_hold_either_way_pass_as_simulated(iam):
    """Policies that allow requests alone, with single values and with lists, pass, and are said to be simulated."""
    fake = simulator(lambda asked: asked is not None and asked[0] == REQUEST)
    checks = iam(fake)
    assert {check.outcome for check in checks.values()} == {"passed"}
    assert {check.evidence for check in checks.values()} == {"simulation"}
    asked = {call["PolicySourceArn"].rpartition("/")[2] for call in fake.of("simulate_principal_policy")}
    assert asked == {*(f"ai-pipeline-dev-{function.name}" for function in FUNCTIONS), "workflow"}


@pytest.mark.parametrize(
    ("allows", "words"),
    [
        (lambda asked: asked == (REQUEST, "string"), "implicitDeny if the condition keys have lists"),
        (
            lambda asked: asked == (REQUEST, "stringList"),
            "implicitDeny if the condition keys have single values",
        ),
        (lambda asked: asked is None or asked[0] == REQUEST, "without source and detail-type is allowed"),
        (lambda _asked: True, "chat.requested"),
    ],
    ids=["no lists", "lists only", "absent keys", "anything"],
)
def test_a_policy_that_holds_one_way_only_fails(iam, allows, words):
    """A policy that fails for lists, for single values, or for absent keys, or allows anything, is a failed check."""
    check = iam(simulator(allows))["policy for publishers"]
    assert check.outcome == "failed"
    assert words in check.text
    assert "infra/constructs/publishing.py" in str(check.fix)


def test_a_role_that_could_forge_is_named(iam):
    """Each role that the simulator would let publish a foreign event is named."""
    check = iam(simulator(lambda asked: asked is not None and asked[0].startswith("chat.")))[
        "no forged events"
    ]
    assert check.outcome == "failed"
    assert "analyzer (" in check.text
    assert "workflow (" not in check.text


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("AccessDenied", "not possible"), ("Throttling", "failed")],
    ids=["denied", "throttled"],
)
def test_a_simulator_that_does_not_answer(iam, code, outcome):
    """A caller who may not simulate proves nothing and breaks nothing; a throttled call is a failed check."""
    fake = simulator(lambda _asked: False)
    error = refusal("Simulate", code)
    fake._operations |= {"simulate_custom_policy": error, "simulate_principal_policy": error}
    assert {check.outcome for check in iam(fake).values()} == {outcome}


# --- denied-model --------------------------------------------------------------------------------------------


def configured(trial: Trial, model: str, allows: Callable[[str], bool] | Exception) -> Client:
    variables = {"MODEL_ID": model}
    role = {"Role": "arn:aws:iam::1:role/chatbot", "Environment": {"Variables": variables}}
    replace(trial.target, "lambda", Client(get_function_configuration=role))

    def decide(ResourceArns: Sequence[str], **_more: Any) -> dict[str, Any]:
        assert not isinstance(allows, Exception)
        decision = "allowed" if allows(ResourceArns[0]) else "implicitDeny"
        return {"EvaluationResults": [{"EvalDecision": decision}]}

    simulate = allows if isinstance(allows, Exception) else decide
    fake: Client = replace(trial.target, "iam", Client(simulate_principal_policy=simulate))
    return fake


def test_other_models_are_denied(trial: Trial):
    """The step passes if IAM denies models other than the configured one, which is not asked about."""
    fake = configured(trial, f"us.{MODELS[1]}", lambda _arn: False)
    (check,) = denied_model(trial)
    assert (check.outcome, check.evidence) == ("passed", "simulation")
    asked = [call["ResourceArns"][0].rpartition("/")[2] for call in fake.of("simulate_principal_policy")]
    assert asked == [MODELS[0], *MODELS[2:]]


def test_a_role_that_may_call_any_model_fails(trial: Trial):
    """A role that may call other models fails the step and names them."""
    configured(trial, "a-model", lambda arn: "nova" in arn)
    (check,) = denied_model(trial)
    assert (check.outcome, MODELS[2] in check.text, MODELS[1] in check.text) == ("failed", True, False)


def test_models_can_not_be_judged_without_the_simulator(trial: Trial):
    """A caller who may not simulate gets `not possible`, with the missing right."""
    configured(trial, "a-model", refusal("SimulatePrincipalPolicy", "AccessDenied"))
    (check,) = denied_model(trial)
    assert (check.outcome, "SimulatePrincipalPolicy" in check.text) == ("not possible", True)
