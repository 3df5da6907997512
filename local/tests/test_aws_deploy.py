"""A deployment to AWS is compared first, protected last, and can be repeated after a failure.

CloudFormation and the CDK CLI are stand-ins; the CLI synthesises two templates and logs its calls.
"""

import json
import sys
from pathlib import Path

import pytest

from local import aws_deploy, cdk
from local.aws_deploy import AwsTarget, aws_target, deploy_to_aws, prepare
from local.errors import AwsAccessError, DeployError
from operations.errors import NotDeployedError, RefusedError
from operations.tests.stacks_world import FakeCloudFormation, FakeStack, account_target
from operations.tests.world import client
from shared.contracts.stages import STAGES

# Synthesises platform (with a table) and analyzer, and fails a deployment of a stack named in the file `fail`.
_CLI = """
import json, os, pathlib, sys
home, arguments = pathlib.Path({home!r}), sys.argv[1:]
context = dict(pair.split("=") for flag, pair in zip(arguments, arguments[1:]) if flag == "-c")
(home / "calls").open("a").write(json.dumps(arguments) + "\\n")
(home / "environment").write_text(json.dumps(dict(os.environ)))
if arguments[0] == "synth":
    folder = pathlib.Path(arguments[arguments.index("--output") + 1])
    folder.mkdir(exist_ok=True, parents=True)
    artifacts = {{}}
    for part in [context["only"]] if "only" in context else ["platform", "analyzer"]:
        guarded = part == "platform" and part not in context.get("unprotected", "").split(",")
        name = "ai-pipeline-prod-" + part
        table = {{"TableName": "PipelineLogs", "Replicas": [{{"DeletionProtectionEnabled": guarded}}]}}
        resource = {{"Type": "AWS::SSM::Parameter", "Properties": {{"Name": "/p", "Value": "1"}}}}
        if part == "platform":
            resource = {{"Type": "AWS::DynamoDB::GlobalTable", "Properties": table}}
        (folder / (name + ".template.json")).write_text(json.dumps({{"Resources": {{"Only": resource}}}}))
        artifacts[name] = {{"type": "aws:cloudformation:stack", "properties": {{
            "templateFile": name + ".template.json", "terminationProtection": guarded}}}}
    (folder / "manifest.json").write_text(json.dumps({{"artifacts": artifacts}}))
elif (home / "fail").exists() and (home / "fail").read_text() in " ".join(arguments):
    print("the bucket is on fire: error")
    sys.exit(1)
"""
PLATFORM, ANALYZER = "ai-pipeline-prod-platform", "ai-pipeline-prod-analyzer"
WORKERS = [stage.service for stage in STAGES]


@pytest.fixture
def cli(
    aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloudformation: FakeCloudFormation
) -> Path:
    """Return the folder of the CLI's stand-in. The credentials lead to moto's account."""
    script = tmp_path / "cdk.py"
    script.write_text(_CLI.format(home=str(tmp_path)))
    monkeypatch.setattr(cdk, "command", lambda: [sys.executable, str(script)])
    monkeypatch.setattr(aws_deploy, "STATE", tmp_path / "state")
    monkeypatch.setattr(aws_deploy, "operations_target", lambda env, **_: account_target(env, cloudformation))
    return tmp_path


def calls(cli: Path) -> list[list[str]]:
    log = cli / "calls"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def goal(service: str | None = None) -> AwsTarget:
    return aws_target("prod", service, region="eu-west-1")


def deployed(cloudformation: FakeCloudFormation, prepared: aws_deploy.Prepared) -> None:
    """Let the prepared stacks be deployed as they are."""
    for name, template in cdk.templates(prepared.assembly).items():
        cloudformation.stacks[name] = FakeStack(template, protected=name == PLATFORM)


def test_what_was_compared_is_what_is_deployed(cli: Path, cloudformation: FakeCloudFormation) -> None:
    """The app is synthesised once, and that very folder is deployed to the confirmed region."""
    deployed(cloudformation, prepare(goal()))
    cloudformation.stacks[ANALYZER].template = {"Resources": {}}
    (cli / "calls").unlink()
    prepared = prepare(goal())
    assert [stack.status for stack in prepared.changes.stacks] == ["unchanged", "changed"]
    assert deploy_to_aws(prepared) == ("platform", "analyzer")
    synth, deploy = calls(cli)
    assert (synth[0], deploy[0]) == ("synth", "deploy")
    assert deploy[deploy.index("--app") + 1] == str(prepared.assembly) == synth[synth.index("--output") + 1]
    assert "region=eu-west-1" in synth
    assert json.loads((cli / "environment").read_text())["AWS_REGION"] == "eu-west-1"


def test_a_stack_is_protected_only_after_its_creation(cli: Path) -> None:
    """A first deployment is made without protection, and then once more, for what is protected, with it."""
    prepared = prepare(goal())
    assert prepared.first == {"platform": ("platform",)}
    assert deploy_to_aws(prepared) == ("platform", "analyzer")
    _, unprotected, first, second = calls(cli)
    assert "unprotected=platform" in unprotected
    folder = first[first.index("--app") + 1]
    assert folder == unprotected[unprotected.index("--output") + 1]
    assert cdk.protected_stacks(Path(folder)) == ()
    assert second[1:3] == [PLATFORM, "--exclusively"]
    assert second[second.index("--app") + 1] == str(prepared.assembly)
    assert cdk.protected_stacks(prepared.assembly) == (PLATFORM,)


def test_a_first_deployment_that_fails_protects_nothing_and_can_be_repeated(
    cli: Path, cloudformation: FakeCloudFormation
) -> None:
    """After a failed creation nothing is protected; the next attempt begins again, without protection."""
    (cli / "fail").write_text("--all")
    with pytest.raises(DeployError, match="on fire"):
        deploy_to_aws(prepare(goal()))
    assert not any("--exclusively" in call for call in calls(cli))
    cloudformation.stacks[PLATFORM] = FakeStack(status="ROLLBACK_COMPLETE")
    (cli / "fail").unlink()
    prepared = prepare(goal())
    assert prepared.first == {"platform": ("platform",)}
    assert deploy_to_aws(prepared) == ("platform", "analyzer")


def test_a_protected_stack_of_a_failed_creation_is_released(
    cli: Path, cloudformation: FakeCloudFormation
) -> None:
    """What plain `cdk deploy` left protected after a failed creation is released, so that the CDK can delete it; not
    before the deployment is confirmed.
    """
    cloudformation.stacks[PLATFORM] = FakeStack(status="ROLLBACK_COMPLETE", protected=True)
    prepared = prepare(goal())
    assert cloudformation.calls == []
    deploy_to_aws(prepared)
    assert cloudformation.calls == [("release", PLATFORM)]


def test_a_deployment_that_could_not_be_protected_says_so(
    cli: Path, cloudformation: FakeCloudFormation
) -> None:
    """If only the protection fails, the error says what is unprotected; the next deployment protects it."""
    (cli / "fail").write_text("--exclusively")
    prepared = prepare(goal())
    with pytest.raises(DeployError, match="not protected from deletion yet: platform"):
        deploy_to_aws(prepared)
    deployed(cloudformation, prepared)
    cloudformation.stacks[PLATFORM].protected = False
    again = prepare(goal())
    assert again.first == {}
    assert [stack.status for stack in again.changes.stacks] == ["changed", "unchanged"]


def test_a_table_that_is_added_later_is_protected_only_after_its_creation(
    cli: Path, cloudformation: FakeCloudFormation
) -> None:
    """A new table of a deployed stack is first made without protection, and everything else keeps its own."""
    deployed(cloudformation, prepare(goal()))
    cloudformation.stacks[PLATFORM].template = {"Resources": {}}
    prepared = prepare(goal())
    assert prepared.first == {"platform": ("PipelineLogs",)}
    (cli / "calls").unlink()
    deploy_to_aws(prepared)
    unprotected, first, second = calls(cli)
    assert "unprotected=PipelineLogs" in unprotected
    assert first[first.index("--app") + 1] != str(prepared.assembly)
    assert second[1:3] == [PLATFORM, "--exclusively"]


@pytest.mark.parametrize(
    ("service", "present", "missing"),
    [
        ("analyzer", (), "platform"),
        ("workflow", ("platform",), " and ".join([", ".join(WORKERS[:-1]), WORKERS[-1]])),
        ("trigger", ("platform",), "workflow"),
    ],
)
def test_a_service_before_its_platform_leaves_nothing_behind(
    cli: Path, cloudformation: FakeCloudFormation, service: str, present: tuple[str, ...], missing: str
) -> None:
    """A service whose needs are not deployed is refused before anything is made, with the command that helps."""
    cloudformation.stacks |= {f"ai-pipeline-prod-{part}": FakeStack() for part in present}
    with pytest.raises(NotDeployedError, match=f"before {missing} in .*pipeline --env prod deploy"):
        prepare(goal(service))
    assert calls(cli) == []


def test_a_platform_whose_creation_failed_is_not_there(cli: Path, cloudformation: FakeCloudFormation) -> None:
    """A stack without resources does not count as a deployed platform."""
    cloudformation.stacks[PLATFORM] = FakeStack(status="ROLLBACK_COMPLETE")
    with pytest.raises(NotDeployedError, match="before platform"):
        prepare(goal("analyzer"))


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ROLLBACK_FAILED", "A first deployment failed.*aws cloudformation delete-stack --stack-name"),
        ("CREATE_FAILED", "update-termination-protection"),
        ("DELETE_FAILED", "pipeline --env prod destroy"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_IN_PROGRESS", "Wait until that ends"),
        ("DELETE_IN_PROGRESS", "Wait until that ends"),
    ],
)
def test_a_stack_that_needs_a_hand_is_refused_with_what_to_do(
    cli: Path, cloudformation: FakeCloudFormation, status: str, advice: str
) -> None:
    """A stack in a state that the CDK can't repair refuses the deployment, which names the way out."""
    cloudformation.stacks[PLATFORM] = FakeStack(status=status, protected=True)
    with pytest.raises(RefusedError, match=f"(?s){advice}"):
        prepare(goal())
    assert (calls(cli), cloudformation.calls) == ([], [])


def test_a_table_that_was_kept_is_not_run_into(cli: Path) -> None:
    """A new stack whose table exists already, e.g. kept by an earlier deletion, is refused before it is created."""
    client("dynamodb").create_table(
        TableName="PipelineLogs",
        KeySchema=[{"AttributeName": "pipeline_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pipeline_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(RefusedError, match=r"PipelineLogs exists already.*import-existing-resources"):
        prepare(goal())


def test_a_missing_bootstrap_names_the_command(cli: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that fails for want of a bootstrap stack says how to make one."""
    (cli / "cdk.py").write_text(
        (cli / "cdk.py").read_text().replace("the bucket is on fire", "has it been bootstrapped?")
    )
    (cli / "fail").write_text("--all")
    with pytest.raises(DeployError, match="bootstrap aws://123456789012/eu-west-1"):
        deploy_to_aws(prepare(goal()))


def test_aws_is_not_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell whose AWS_ENDPOINT_URL points to the local engine is refused as a way to AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    with pytest.raises(AwsAccessError, match="AWS_ENDPOINT_URL"):
        aws_target("dev")


def test_aws_needs_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region, a deployment to AWS is refused instead of guessing one."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AwsAccessError, match="AWS_REGION"):
        aws_target("dev", "analyzer")


def test_aws_account_may_not_change(monkeypatch: pytest.MonkeyPatch, cli: Path) -> None:
    """A deployment that was confirmed for one account is never made in another."""
    prepared = prepare(goal())
    (cli / "calls").unlink()
    now = AwsTarget(env="prod", account="2", region="eu-west-1", caller="me", stacks=())
    monkeypatch.setattr(aws_deploy, "aws_target", lambda *_, **__: now)
    with pytest.raises(AwsAccessError, match="now lead to account 2"):
        deploy_to_aws(prepared)
    assert calls(cli) == []
