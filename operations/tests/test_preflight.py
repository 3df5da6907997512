"""Preflight finds each planted fault, says how to mend it, and calls unknown what it may not or can't ask."""

from typing import Any

import pytest

from infra import options
from infra.doctor.checks.capacity import PUBLISHED_BY_FUNCTIONS
from infra.doctor.findings import Finding, Outcome
from infra.models import FAMILY
from operations.errors import InvalidInputError
from operations.preflight.account import BOOTSTRAP, BOOTSTRAP_VERSION
from operations.preflight.preflight import CHECKS, preflight
from operations.tests.accounts import (
    ACCOUNT,
    FakeAccount,
    Refusal,
    availability,
    concurrency,
    foundation_model,
    inference_profile,
    quota,
    refusal,
    stack,
)
from shared.contracts.stages import STAGES

APPLICATION = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc123def456"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:mine"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A function that writes the environment's file of options."""
    monkeypatch.setattr(options, "FOLDER", tmp_path)

    def write(text: str) -> None:
        (tmp_path / "dev.toml").write_text(text)

    return write


@pytest.fixture(autouse=True)
def no_file(file):
    """No options of this checkout reach the tests."""


def outcomes(account: FakeAccount, **given: Any) -> dict[str, Outcome]:
    return {outcome.check: outcome for outcome in preflight(account, **given)}


def findings(account: FakeAccount, **given: Any) -> list[Finding]:
    return [finding for outcome in preflight(account, **given) for finding in outcome.findings]


def only(account: FakeAccount, check: str, severity: str = "error", **given: Any) -> Finding:
    """Return the only finding, which must be of this check."""
    (finding,) = findings(account, **given)
    assert (finding.check, finding.severity) == (check, severity), finding
    assert finding.fix
    assert finding.why
    return finding


@pytest.mark.parametrize(
    "region", ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2", "us-gov-west-1"]
)
def test_an_account_that_is_ready_has_no_findings(region):
    """Every check of an account that is ready compares something and finds nothing, in each kind of region."""
    prices = {"eu-central-1", "ap-southeast-2", "us-gov-west-1"}
    got = outcomes(FakeAccount(region=region))
    assert set(got) == {"options", "credentials", *(check.name for check in CHECKS)}
    for outcome in got.values():
        assert outcome.skipped is None, outcome
        if outcome.check == "price" and region in prices:
            assert [finding.severity for finding in outcome.findings] == ["warning"]
        else:
            assert outcome.comparisons, outcome
            assert not outcome.findings, outcome


def test_nothing_is_changed_and_no_model_is_asked():
    """Preflight makes reading calls only; a model is asked on demand alone."""
    account = FakeAccount()
    preflight(account)
    assert all(call.startswith(("Get", "List", "Describe")) for call in account.calls)
    preflight(account := FakeAccount(), call_model=True)
    assert account.calls.count("Converse") == 1


# --- the account -------------------------------------------------------------------------------------------------


def test_invalid_credentials_end_the_checks():
    """Credentials that AWS refuses are one finding; nothing else is asked, and the rest is not checked."""
    account = FakeAccount(GetCallerIdentity=Refusal("InvalidClientTokenId", 403))
    got = outcomes(account)
    assert [outcome.check for outcome in got.values() if outcome.findings] == ["credentials"]
    assert account.calls == ["GetCallerIdentity"]
    assert all(got[check.name].skipped for check in CHECKS)
    assert "may not be enabled" in got["credentials"].findings[0].fix


def test_another_account_is_refused(file):
    """Credentials of an account that the file does not allow are refused before anything is asked."""
    file('account = "999999999999"')
    account = FakeAccount()
    assert "999999999999" in only(account, "credentials").what
    assert account.calls == ["GetCallerIdentity"]


def test_an_endpoint_that_is_not_aws_is_refused(monkeypatch):
    """With AWS_ENDPOINT_URL set, the checks would not reach AWS, and say so."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    account = FakeAccount()
    assert "AWS_ENDPOINT_URL" in only(account, "credentials").where
    assert account.calls == []


def test_a_missing_bootstrap_stack():
    """A missing bootstrap stack is an error with the command that makes it."""
    account = FakeAccount(GetParameter=Refusal("ParameterNotFound"))
    assert f"bootstrap aws://{ACCOUNT}/us-east-1" in only(account, "bootstrap").fix


def test_an_old_bootstrap_stack():
    """A bootstrap stack of a version that the CDK does not accept is an error."""
    account = FakeAccount(GetParameter={"Parameter": {"Value": "5"}})
    assert "version is 5" in only(account, "bootstrap").what


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_the_bootstrap_version_is_the_one_that_templates_demand(synthesised):
    """Preflight asks for the parameter and the version that the synthesised templates check by themselves."""
    template = synthesised("dev")["ai-pipeline-dev-platform"]
    assert template["Parameters"]["BootstrapVersion"]["Default"] == BOOTSTRAP
    (rule,) = template["Rules"].values()
    refused = rule["Assertions"][0]["Assert"]["Fn::Not"][0]["Fn::Contains"][0]
    assert max(map(int, refused)) + 1 == BOOTSTRAP_VERSION


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_FAILED"])
def test_a_broken_bootstrap_stack(status):
    """A bootstrap stack that is broken or still changing is an error."""
    assert status in only(FakeAccount(DescribeStacks={"Stacks": [stack(status)]}), "bootstrap").what


def test_a_bootstrap_stack_of_another_name_is_in_order():
    """Only the version counts: the stack may have a name of its own."""
    absent = Refusal("ValidationError", text="Stack with id CDKToolkit does not exist")
    assert findings(FakeAccount(DescribeStacks=absent)) == []


def test_a_strange_version_is_unknown():
    """A version that is no number is not known, and no error."""
    got = outcomes(FakeAccount(GetParameter={"Parameter": {"Value": "new"}}))["bootstrap"]
    assert not got.findings
    assert "'new'" in str(got.skipped)


@pytest.mark.parametrize("status", ["DISABLED", "DISABLING", "ENABLING"])
def test_a_region_that_is_not_enabled(status):
    """A region that the account has not enabled is an error."""
    account = FakeAccount(GetRegionOptStatus={"RegionName": "us-east-1", "RegionOptStatus": status})
    assert status.lower() in only(account, "region").what


def test_a_region_without_a_schema_registry(file):
    """In a region without EventSchemas nothing is missing, since no registry is deployed there by itself."""
    file('model_id = "global.amazon.nova-2-lite-v1:0"')
    assert not outcomes(FakeAccount(region="il-central-1"))["region"].findings


def test_an_unknown_region_is_unknown(file):
    """The services of a region newer than the installed botocore are not known."""
    file('model_id = "global.amazon.nova-2-lite-v1:0"')
    got = outcomes(FakeAccount(region="eu-west-9"))["region"]
    assert not got.findings
    assert "does not know this region" in str(got.skipped)


@pytest.mark.parametrize(
    ("limit", "text"), [(10, "functions run at a time"), (400, "queues and the API may take")]
)
def test_too_little_concurrency_is_a_warning(limit, text):
    """A new account's few concurrent executions are a warning, by the rate's need and by the queues' limits."""
    assert text in only(FakeAccount(GetAccountSettings=concurrency(limit)), "concurrency", "warning").what


# --- the model ---------------------------------------------------------------------------------------------------


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


# --- money and quotas --------------------------------------------------------------------------------------------


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


# --- what can't be known -----------------------------------------------------------------------------------------

OPERATIONS = sorted(set(FakeAccount().answers) - {"GetCallerIdentity", "Converse"})


@pytest.mark.parametrize("kind", ["denied", "throttled", "broken", "unreachable", "garbage"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("model_id", [FAMILY, f"us.{FAMILY}", FUNCTION])
def test_what_can_not_be_asked_is_unknown(file, operation, kind, model_id):
    """A call that is denied, throttled, unanswered, broken or answered with nothing is no error of the account."""
    option = "chatbot_function_arn" if model_id == FUNCTION else "model_id"
    file(f'{option} = "{model_id}"\nprice_usd_per_answer = 0\n')
    account = FakeAccount(**{operation: refusal(kind)})
    got = outcomes(account)
    found = [finding.what for outcome in got.values() for finding in outcome.findings]
    if (operation, kind, model_id) == ("GetInferenceProfile", "garbage", f"us.{FAMILY}"):
        assert found == ["The inference profile's status is None."]
    else:
        assert found == []
    if operation in account.calls and kind != "garbage":
        assert any(outcome.skipped for outcome in got.values())


def test_what_was_found_before_a_failure_stays():
    """A check whose second call fails keeps what the first one showed."""
    got = outcomes(FakeAccount(DescribeStacks=refusal("denied")))["bootstrap"]
    assert got.comparisons == ("bootstrap version 30 ≥ 6",)
    assert "do not allow DescribeStacks" in str(got.skipped)


def test_an_unknown_environment():
    """An environment that the code does not know is refused with the known ones."""
    with pytest.raises(InvalidInputError, match="dev, staging, prod"):
        preflight(FakeAccount(env="production"))
