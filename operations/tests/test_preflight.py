"""Preflight finds each fault of an account, says how to mend it, and calls unknown what it may not or can't ask."""

import pytest

from infra.models import FAMILY
from operations.errors import InvalidInputError
from operations.preflight.account import BOOTSTRAP, BOOTSTRAP_VERSION
from operations.preflight.preflight import CHECKS, preflight
from operations.tests.accounts import ACCOUNT, FakeAccount, Refusal, concurrency, refusal, stack
from operations.tests.preflighting import FUNCTION, findings, only, outcomes

pytestmark = pytest.mark.usefixtures("file")


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


def test_a_bootstrap_stack_with_another_qualifier(file):
    """The bootstrap stack of the environment's own qualifier is looked for, and its command names the qualifier."""
    file('bootstrap_qualifier = "team"')
    account = FakeAccount(GetParameter=Refusal("ParameterNotFound"))
    finding = only(account, "bootstrap")
    assert "/cdk-bootstrap/team/version" in finding.what
    assert f"bootstrap aws://{ACCOUNT}/us-east-1 --qualifier team" in finding.fix


def test_an_old_bootstrap_stack():
    """A bootstrap stack of a version that the CDK does not accept is an error."""
    account = FakeAccount(GetParameter={"Parameter": {"Value": "5"}})
    assert "version is 5" in only(account, "bootstrap").what


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_the_bootstrap_version_is_the_one_that_templates_demand(synthesised):
    """Preflight asks for the parameter and the version that the synthesised templates check by themselves."""
    template = synthesised("dev")["ai-pipeline-dev-platform"]
    assert template["Parameters"]["BootstrapVersion"]["Default"] == BOOTSTRAP.format("hnb659fds")
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


DEMANDS = 'permissions_boundary = "team/Boundary"\napi_account_role = false\n'


def test_what_the_account_demands_is_there(file):
    """A boundary and a role for API Gateway's logs are looked for if the options rely on them, and are in order."""
    file(DEMANDS)
    account = FakeAccount()
    assert findings(account) == []
    assert {"GetPolicy", "GetAccount"} <= set(account.calls)
    file("")
    findings(account := FakeAccount())
    assert not {"GetPolicy", "GetAccount"} & set(account.calls)


def test_a_boundary_that_is_missing(file):
    """A boundary that the account does not have is an error that names its ARN in the region's partition."""
    file(DEMANDS)
    account = FakeAccount(region="us-gov-west-1", GetPolicy=Refusal("NoSuchEntity", 404))
    (finding,) = [found for found in findings(account) if found.check == "boundary"]
    assert (finding.severity, finding.where) == (
        "error",
        f"arn:aws-us-gov:iam::{ACCOUNT}:policy/team/Boundary",
    )


def test_a_missing_role_for_the_logs_of_apis(file):
    """Without a role of the account or of the deployment, the API's stage could not be created: an error."""
    file(DEMANDS)
    assert "no role" in only(FakeAccount(GetAccount={"throttleSettings": {}}), "api-logs").what


@pytest.mark.parametrize("kind", ["denied", "throttled", "broken", "unreachable", "garbage"])
@pytest.mark.parametrize("operation", ["GetPolicy", "GetAccount"])
def test_demands_that_can_not_be_asked_are_unknown(file, operation, kind):
    """What the account demands is not called missing because it could not be asked for."""
    file(DEMANDS)
    got = outcomes(FakeAccount(**{operation: refusal(kind)}))
    assert not [finding for outcome in got.values() for finding in outcome.findings]
    if (operation, kind) != ("GetPolicy", "garbage"):  # an answer without a refusal: the policy is there
        assert got["boundary" if operation == "GetPolicy" else "api-logs"].skipped


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
