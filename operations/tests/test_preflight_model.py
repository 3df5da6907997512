"""Preflight finds each fault of the model, its price and its quotas, and says how to mend it."""

import pytest

from infra.doctor.checks.capacity import PUBLISHED_BY_FUNCTIONS
from infra.models import FAMILY
from operations.preflight.preflight import CHECKS
from operations.tests.accounts import (
    ACCOUNT,
    FakeAccount,
    Refusal,
    availability,
    foundation_model,
    inference_profile,
    quota,
)
from operations.tests.preflighting import FUNCTION, findings, only, outcomes
from shared.contracts.stages import STAGES

pytestmark = pytest.mark.usefixtures("file")
APPLICATION = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc123def456"


def test_a_model_that_answers_through_a_profile_only(file):
    """A bare id that does not answer on demand is an error with the profile's id."""
    file('model_id = "anthropic.claude-haiku-4-5-20251001-v1:0"')
    account = FakeAccount(GetFoundationModel={"modelDetails": foundation_model("PROVISIONED")})
    (finding,) = outcomes(account)["model"].findings
    assert "us.anthropic.claude-haiku-4-5-20251001-v1:0" in finding.fix


def test_an_unknown_model():
    """A model that does not exist in the region is an error with the commands that list the models."""
    account = FakeAccount(GetFoundationModel=Refusal("ValidationException", text="invalid identifier"))
    finding = only(account, "model")
    assert "invalid identifier" in finding.what
    assert "list-foundation-models" in finding.fix


def test_an_unknown_profile(file):
    """An inference profile that does not exist is an error with the command that lists the profiles."""
    file(f'model_id = "us.{FAMILY}"')
    account = FakeAccount(GetInferenceProfile=Refusal("ResourceNotFoundException", 404))
    assert "list-inference-profiles" in only(account, "model").fix


def test_a_model_that_will_end():
    """A model that AWS calls legacy is a warning."""
    account = FakeAccount(GetFoundationModel={"modelDetails": foundation_model("ON_DEMAND", status="LEGACY")})
    assert "LEGACY" in only(account, "model", "warning").what


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (availability("NOT_AVAILABLE"), "no agreement"),
        (availability("ERROR"), "no agreement"),
        (availability(authorizationStatus="NOT_AUTHORIZED"), "not authorized"),
        (availability(entitlementAvailability="NOT_AVAILABLE"), "not entitled"),
        (availability(regionAvailability="NOT_AVAILABLE"), "not in this region"),
    ],
)
def test_no_access_to_the_model(answer, text):
    """A model that the account has no access to is an error, and says who may subscribe."""
    finding = only(FakeAccount(GetFoundationModelAvailability=answer), "model")
    assert text in finding.what
    assert "aws-marketplace:Subscribe" in finding.fix


def test_a_pending_subscription_is_a_warning():
    """While a subscription is being made, calls may succeed and then be denied."""
    account = FakeAccount(GetFoundationModelAvailability=availability("PENDING"))
    assert "later ones be denied" in only(account, "model", "warning").what


def test_a_profiles_model_need_not_be_in_the_region(file):
    """Through a profile the model answers in other regions, so that its absence here is no fault."""
    file(f'model_id = "us.{FAMILY}"')
    account = FakeAccount(GetFoundationModelAvailability=availability(regionAvailability="NOT_AVAILABLE"))
    assert findings(account) == []


@pytest.mark.parametrize(
    ("behind", "profile", "text"),
    [
        (
            "amazon.nova-pro-v1:0",
            inference_profile("abc", "us-east-1"),
            f"is {FAMILY}, not amazon.nova-pro-v1:0",
        ),
        (FAMILY, inference_profile("abc", "us-east-1", "us-west-2"), "covers 2 regions"),
    ],
)
def test_another_model_behind_a_profile(file, behind, profile, text):
    """If another model, or other regions, are behind an application profile than the option says, it is an error."""
    file(f'model_id = "{APPLICATION}"\nmodel_behind = "{behind}"')
    (finding,) = outcomes(FakeAccount(GetInferenceProfile=profile))["model"].findings
    assert (finding.where, finding.severity) == ("model_behind", "error")
    assert text in finding.what


@pytest.mark.parametrize(
    ("behind", "regions"), [(FAMILY, ["us-east-1"]), (f"us.{FAMILY}", ["us-east-1", "us-west-2"])]
)
def test_the_right_model_behind_a_profile(file, behind, regions):
    """An application profile whose model and regions the option names is in order."""
    file(f'model_id = "{APPLICATION}"\nmodel_behind = "{behind}"')
    assert findings(FakeAccount(GetInferenceProfile=inference_profile("abc", *regions))) == []


def test_each_fallback_is_checked(file):
    """The account's access to each fallback is checked as that to the first model, under the option's name."""
    file(
        f'fallback_model_ids = ["amazon.nova-pro-v1:0", "{APPLICATION}"]\n'
        f'model_behind_fallbacks = "{APPLICATION}=amazon.nova-pro-v1:0"'
    )
    account = FakeAccount(
        GetInferenceProfile=inference_profile("abc", "us-east-1"),
        GetFoundationModelAvailability=availability("NOT_AVAILABLE"),
    )
    where = [finding.where for finding in outcomes(account)["model"].findings]
    assert where == [
        f"model_id: {FAMILY}",
        "fallback_model_ids: amazon.nova-pro-v1:0",
        "model_behind_fallbacks",
        "fallback_model_ids: amazon.nova-pro-v1:0",
    ]


def test_a_resource_that_answers_by_itself_is_unknown_until_it_is_asked(file):
    """Whether provisioned throughput answers is known only after it was asked."""
    file(f'model_id = "arn:aws:bedrock:us-east-1:{ACCOUNT}:provisioned-model/abc123def456"')
    assert "only --call-model" in str(outcomes(FakeAccount())["model"].skipped)
    assert outcomes(FakeAccount(), call_model=True)["model"].comparisons == ("abc123def456 answers",)


def test_a_model_that_does_not_answer():
    """A model that was asked and refused is an error with AWS's reason."""
    account = FakeAccount(
        Converse=Refusal("AccessDeniedException", 403, "aws-marketplace:Subscribe is missing")
    )
    problem = only(account, "model", call_model=True)
    assert "aws-marketplace:Subscribe is missing" in problem.what
    assert "aws-marketplace:Subscribe" in problem.fix


@pytest.mark.parametrize(
    ("code", "text", "fix"),
    [
        ("ValidationException", "`temperature` is deprecated for this model.", 'temperature = "off"'),
        ("ValidationException", "This model doesn't support system prompts.", "models_without_system_prompt"),
        ("AccessDeniedException", "Your request did not allow prompt caching.", 'prompt_caching = "off"'),
    ],
)
def test_a_model_that_refuses_what_the_chatbot_sends(file, code, text, fix):
    """A model is asked with what the chatbot would send; the fix of a refusal is the option that leaves it out."""
    file('prompt_caching = "on"\ntemperature = 0.3')
    account = FakeAccount(Converse=Refusal(code, 400, text))
    assert fix in only(account, "model", call_model=True).fix


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Refusal("ResourceNotFoundException", 404, "Function not found"), "not found"),
        ({"State": "Failed"}, "Failed"),
    ],
)
def test_an_existing_function_that_can_not_answer(file, answer, text):
    """An existing chatbot function that is missing or broken is an error, and no model is looked for."""
    file(f'chatbot_function_arn = "{FUNCTION}"\nprice_usd_per_answer = 0\n')
    account = FakeAccount(GetFunctionConfiguration=answer)
    assert text in only(account, "model").what
    assert "GetFoundationModel" not in account.calls


def test_a_budget_without_a_price_is_an_error(file):
    """Invalid options, such as a budget that can't count, are an error; what needs the options is not checked."""
    file("budget_usd_per_day = 5")
    got = outcomes(FakeAccount(region="eu-central-1"))
    assert "would stop nothing" in got["options"].findings[0].what
    assert got["bootstrap"].comparisons
    assert {name for name, outcome in got.items() if outcome.skipped == "the options are invalid"} == {
        check.name for check in CHECKS if check.with_options
    }


def test_a_missing_price_is_a_warning_without_a_budget(file):
    """Without a budget, a model whose cost can't be counted is a warning."""
    file('model_id = "company.model-v1:0"')
    (finding,) = outcomes(FakeAccount())["price"].findings
    assert finding.severity == "warning"
    assert "price_input_usd_per_million" in finding.fix


def test_low_quotas_are_warnings():
    """Each quota that is below the intended rate is a warning with the rate that it suffices for."""
    low = [
        {"Quotas": [quota("StartExecution throttle token refill rate per second", 5)]},
        {"Quotas": [quota("PutEvents throttle limit in transactions per second", 10)]},
    ]
    account = FakeAccount(ListServiceQuotas=low, GetServiceQuota={"Quota": quota("tokens", 48_000)})
    found = outcomes(account)["quotas"].findings
    assert [finding.severity for finding in found] == ["warning"] * 3
    assert "enough for 5 requests/s" in found[0].what
    published = PUBLISHED_BY_FUNCTIONS + sum(stage.via == "bus" for stage in STAGES)
    assert f"enough for {10 / published:.3g} requests/s" in found[1].what
    assert "enough for 1 requests/s" in found[2].what


def test_quotas_of_other_names_are_unknown():
    """A quota that Service Quotas does not list under the known name, or whose code is not known, is not checked."""
    got = outcomes(FakeAccount(ListServiceQuotas=[{"Quotas": []}, {"Quotas": []}]))["quotas"]
    assert not got.findings
    assert str(got.skipped).count("does not list it") == 5


def test_endless_quotas_end():
    """A list of quotas that never ends is read for a few pages only."""
    endless = {"Quotas": [quota("x", 1)], "NextToken": "again"}
    account = FakeAccount(ListServiceQuotas=endless)
    assert not outcomes(account)["quotas"].findings
    assert account.calls.count("ListServiceQuotas") == 10
