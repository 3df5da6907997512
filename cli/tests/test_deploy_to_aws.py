"""`pipeline deploy` on AWS names the account, shows what changes and what is lost, and asks before it deploys."""

import json
from functools import partial
from pathlib import Path

import pytest

from cli.tests import support
from cli.view import changes as view
from local import aws_deploy
from local.aws_deploy import AwsTarget, Prepared
from operations.deployment.changes import Changes, OptionChange, ResourceChange, StackChange
from shared.contracts.stages import BY_STATE

NEW = Changes(stacks=(StackChange(stack="ai-pipeline-dev-analyzer", part="analyzer", status="new"),))
NOTHING = Changes(
    stacks=(StackChange(stack="ai-pipeline-dev-analyzer", part="analyzer", status="unchanged"),)
)
RESOURCES = (
    ResourceChange(
        kind="removed", type="AWS::DynamoDB::GlobalTable", name="PipelineLogs-dev", loss="its items are lost"
    ),
    ResourceChange(
        kind="replaced",
        type="AWS::SQS::Queue",
        name="q",
        properties=("QueueName",),
        loss="its messages are lost",
    ),
    ResourceChange(kind="changed", type="AWS::Lambda::Function", name="f", properties=("Code", "MemorySize")),
)
LOSING = Changes(
    stacks=(
        StackChange(
            stack="ai-pipeline-dev-platform",
            part="platform",
            status="changed",
            resources=RESOURCES,
            options=(OptionChange(name="budget_usd_per_day", before="5", after="off"),),
            others=("termination protection: off → on",),
        ),
    ),
    left=("ai-pipeline-dev-monitoring",),
    leaving=("ai-pipeline-dev-approval",),
)


WHERE = ("--env", "dev", "--region", "eu-west-1", "--profile", "mine")
call = partial(support.call, *WHERE, "deploy", "--service", "analyzer")


@pytest.fixture
def changes():
    """What the deployment changes; a test may replace the element."""
    return [NEW]


@pytest.fixture(autouse=True)
def account(monkeypatch, tmp_path, changes):
    """The deployments to an AWS account, in which nothing is in flight."""
    done: list[AwsTarget] = []

    def aws_target(env, service, *, profile, region):
        stacks = (f"ai-pipeline-{env}-{service}",)
        return AwsTarget(
            env=env,
            account="123456789012",
            region=region,
            caller=f"arn:{profile}",
            stacks=stacks,
            service=service,
        )

    def prepare(goal, _progress):
        return Prepared(goal=goal, assembly=Path("cdk.out"), changes=changes[0], failed=(), first={})

    def deploy_to_aws(prepared, _progress):
        done.append(prepared.goal)
        return (prepared.goal.service,)

    monkeypatch.setattr("cli.commands.deploy.stop_on_errors", lambda *_, **__: None)
    monkeypatch.setattr("cli.commands.deploy.look", lambda *_: [])
    monkeypatch.setattr("cli.commands.deploy.deployed_states", lambda _target: BY_STATE)
    monkeypatch.setattr(aws_deploy, "STATE", tmp_path)
    monkeypatch.setattr(aws_deploy, "aws_target", aws_target)
    monkeypatch.setattr(aws_deploy, "prepare", prepare)
    monkeypatch.setattr(aws_deploy, "deploy_to_aws", deploy_to_aws)
    return done


@pytest.mark.parametrize(
    ("answer", "options", "code", "deployments"),
    [("n\n", [], 1, 0), ("", [], 130, 0), ("y\n", [], 0, 1), ("", ["--yes"], 0, 1)],
)
def test_an_aws_account_is_named_and_asked_for_first(account, answer, options, code, deployments):
    """Account, region and stacks are printed; only a yes, or --yes, deploys."""
    result = call(*options, stdin=answer)
    assert result.exit_code == code
    assert len(account) == deployments
    assert "account 123456789012, region eu-west-1, as arn:mine" in result.stderr
    assert "ai-pipeline-dev-analyzer: new" in result.stderr


def test_nothing_to_change_is_said_and_not_asked_about(account, changes):
    """If nothing changes, the command says so and neither asks nor deploys."""
    changes[0] = NOTHING
    result = call()
    assert (result.exit_code, account) == (0, [])
    assert "ai-pipeline-dev-analyzer: unchanged" in result.stderr
    assert "Nothing has changed, so nothing was deployed." in result.stdout


@pytest.mark.parametrize("options", [[], ["--yes", "--allow-data-loss"]])
def test_the_report_is_the_same_with_and_without_questions(changes, options):
    """Options, resources and losses are printed before the question, and also where no question is asked."""
    changes[0] = LOSING
    lines = call(*options, stdin="y\ny\n").stderr
    for line in (
        "  budget_usd_per_day: 5 → off",
        "  ai-pipeline-dev-platform: 1 removed, 1 replaced, 1 changed, termination protection: off → on",
        "    - DynamoDB::GlobalTable PipelineLogs-dev",
        "    ! SQS::Queue q (replaced): QueueName",
        "    ~ Lambda::Function f: Code, MemorySize",
        "  PipelineLogs-dev (AWS::DynamoDB::GlobalTable) is removed: its items are lost",
    ):
        assert line in lines
    assert "aws cloudformation delete-stack --stack-name ai-pipeline-dev-monitoring" in lines
    assert "ai-pipeline-dev-approval: switched off; it is deleted as soon as no open run needs it" in lines


@pytest.mark.parametrize(
    ("answers", "options", "outcome"),
    [
        ("y\ny\n", [], (0, 1)),
        ("n\n", [], (1, 0)),
        ("y\nn\n", [], (1, 0)),
        ("", ["--yes"], (1, 0)),
        ("", ["--yes", "--allow-data-loss"], (0, 1)),
        ("y\n", ["--allow-data-loss"], (0, 1)),
    ],
)
def test_a_loss_needs_a_yes_of_its_own(account, changes, answers, options, outcome):
    """A table or queue that is removed or replaced is asked about apart; --yes alone does not cover it."""
    changes[0] = LOSING
    result = call(*options, stdin=answers)
    assert (result.exit_code, len(account)) == outcome
    if options == ["--yes"]:
        assert "--allow-data-loss" in result.stderr


def test_scripts_get_the_changes(changes):
    """`--json` has what was deployed and what it changed, with the names of the properties."""
    changes[0] = LOSING
    answer = json.loads(call("--yes", "--allow-data-loss", "--json").stdout)
    (stack,) = answer["changes"]["stacks"]
    assert answer["deployed"] == ["analyzer"]
    assert stack["options"] == [{"name": "budget_usd_per_day", "before": "5", "after": "off"}]
    assert stack["resources"][1]["properties"] == ["QueueName"]


def test_two_deployments_of_one_environment_do_not_mix(account):
    """While one command prepares and deploys an environment, another one in the same folder is refused."""
    with aws_deploy.exclusive("dev"):
        result = call("--yes")
    assert (result.exit_code, account) == (1, [])
    assert "another command in this folder is deploying dev" in result.stderr
    assert call("--yes").exit_code == 0


def test_a_long_report_is_cut_and_long_values_are_shortened():
    """Of many resources the first are listed; a value that is long or could command the terminal is shortened."""
    many = tuple(ResourceChange(kind="added", type="AWS::SSM::Parameter", name=f"/{n}") for n in range(40))
    options = (OptionChange(name="system_prompt", before=None, after="\x1b[31m" + "x" * 100),)
    stack = StackChange(stack="s", part="chatbot", status="changed", resources=many, options=options)
    lines = list(view.lines(Changes(stacks=(stack,))))
    assert lines[0].startswith("  system_prompt: not recorded → ")
    assert "\x1b" not in lines[0]
    assert len(lines[0]) < 110
    assert lines[-1].strip() == "… and 28 more; --json lists all of them"
