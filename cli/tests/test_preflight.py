"""`pipeline preflight`, and what a deployment does with its findings."""

import json
from functools import partial
from typing import Any

import pytest

from cli.tests import support
from local import aws_deploy, targets
from local.aws_deploy import AwsTarget, Prepared
from operations.deployment.changes import Changes, StackChange
from operations.tests.accounts import FakeAccount, Refusal, concurrency

call = partial(support.call, "--env", "dev")


@pytest.fixture
def account(monkeypatch):
    """A function that sets the account that the commands reach."""

    def use(**answers: Any) -> None:
        monkeypatch.setattr(targets, "find_target", lambda env, **_: FakeAccount(env=env, **answers))

    use()
    return use


@pytest.fixture
def deployed(monkeypatch, tmp_path):
    """The deployments that were made."""
    done: list[AwsTarget] = []
    new = Changes(stacks=(StackChange(stack="ai-pipeline-dev-platform", part="platform", status="new"),))

    def aws_target(env, service, *, profile, region):
        return AwsTarget(env=env, account="1", region="us-east-1", caller=f"{profile}{region}", stacks=())

    def prepare(goal, _progress):
        return Prepared(goal=goal, assembly=tmp_path, changes=new, failed=(), first={})

    def deploy_to_aws(prepared, _progress):
        done.append(prepared.goal)
        return ("platform",)

    monkeypatch.setattr(aws_deploy, "STATE", tmp_path)
    monkeypatch.setattr(aws_deploy, "aws_target", aws_target)
    monkeypatch.setattr(aws_deploy, "prepare", prepare)
    monkeypatch.setattr(aws_deploy, "deploy_to_aws", deploy_to_aws)
    monkeypatch.setattr("cli.commands.deploy.look", lambda *_: [])
    monkeypatch.setattr("cli.commands.deploy.removed_stages", lambda *_: ())
    return done


ABSENT = {"GetParameter": Refusal("ParameterNotFound")}
FEW = {"GetAccountSettings": concurrency(10)}


def test_an_account_that_is_ready(account):
    """Each check is a line of at most 80 columns that says what it compared."""
    result = call("preflight")
    assert result.exit_code == 0, result.output
    assert "✓ bootstrap          bootstrap version 30 ≥ 6" in result.stdout
    assert result.stdout.splitlines()[-1] == "10 checks, in order."
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_an_error_fails_and_a_warning_only_where_asked_to(account):
    """Exit code 1 for an error; a warning is shown and fails with --strict alone."""
    account(**ABSENT)
    result = call("preflight")
    assert result.exit_code == 1
    assert "What to do: Run .venv/bin/python -m local.cdk bootstrap" in result.stdout
    account(**FEW)
    assert (call("preflight").exit_code, call("preflight", "--strict").exit_code) == (0, 1)


def test_json_has_each_check_with_what_is_unknown(account):
    """JSON lists checks, findings and what was not checked."""
    account(DescribeStacks=Refusal("AccessDenied", 403), **FEW)
    report = json.loads(call("preflight", "--json").stdout)
    assert (report["env"], report["in_order"]) == ("dev", True)
    checks = {check["check"]: check for check in report["checks"]}
    assert checks["concurrency"]["findings"][0]["severity"] == "warning"
    assert "DescribeStacks" in checks["bootstrap"]["skipped"]
    assert checks["bootstrap"]["held"] == ["bootstrap version 30 ≥ 6"]


def test_what_is_unknown_is_shown_beside_what_is_known(account):
    """A check that could be made in part shows both parts."""
    account(DescribeStacks=Refusal("AccessDenied", 403))
    lines = call("preflight").stdout
    assert "✓ bootstrap          bootstrap version 30 ≥ 6\n" in lines
    assert "not checked: Could not call cloudformation:describe_stacks" in lines


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_local_engine_needs_no_account(options):
    """On the local engine there is nothing to check, which is no error."""
    result = support.call("preflight", *options)
    assert result.exit_code == 0
    assert "The local engine needs none" in result.stderr
    assert json.loads(result.stdout or "{}").get("checks", []) == []


def test_an_error_stops_a_deployment(account, deployed):
    """A deployment to AWS is refused before the question if preflight finds an error, and says how to go on."""
    account(**ABSENT)
    result = call("deploy", "--yes")
    assert (result.exit_code, deployed) == (1, [])
    assert "ParameterNotFound" not in result.stdout
    assert "/cdk-bootstrap/" in result.stderr
    assert "pipeline --env dev preflight. --skip-preflight deploys anyway." in " ".join(result.stderr.split())


def test_a_warning_is_shown_and_stops_nothing(account, deployed):
    """A warning is printed to stderr, and the deployment goes on; JSON on stdout stays JSON."""
    account(**FEW)
    result = call("deploy", "--yes", "--json")
    assert (result.exit_code, len(deployed)) == (0, 1)
    assert "concurrent executions are free" in " ".join(result.stderr.split())
    assert json.loads(result.stdout)["deployed"] == ["platform"]


def test_preflight_can_be_skipped(account, deployed):
    """With --skip-preflight the account is not asked, and the output says so."""
    account(**ABSENT)
    result = call("deploy", "--yes", "--skip-preflight")
    assert (result.exit_code, len(deployed)) == (0, 1)
    assert "were not checked (--skip-preflight)" in result.stderr
