"""`pipeline destroy` shows the account first, asks for the environment's name, and names what is left."""

import json

import pytest

from cli.tests.support import call
from infra import options
from local import targets
from operations.deployment import teardown
from operations.tests.stacks_world import FakeStack, account_target
from operations.tests.world import client

PLATFORM, CHATBOT = "ai-pipeline-dev-platform", "ai-pipeline-dev-chatbot"


@pytest.fixture(autouse=True)
def dev(aws, cloudformation, monkeypatch, tmp_path):
    """`--env dev` leads to an account with a platform, whose table is kept, and a chatbot with a DLQ."""
    table = {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {}, "DeletionPolicy": "RetainExceptOnCreate"}
    cloudformation.stacks[PLATFORM] = FakeStack(
        {"Resources": {"Table": table}}, ids={"Table": "PipelineLogs-dev"}, protected=True
    )
    dlq = client("sqs").create_queue(QueueName="ai-pipeline-dev-chatbot-dlq")["QueueUrl"]
    cloudformation.stacks[CHATBOT] = FakeStack(
        {"Resources": {"Dlq": {"Type": "AWS::SQS::Queue", "Properties": {}}}}, ids={"Dlq": dlq}
    )
    cloudformation.on_delete = lambda name: (
        client("sqs").delete_queue(QueueUrl=dlq) if name == CHATBOT else None
    )
    client("dynamodb").create_table(
        TableName="PipelineLogs-dev",
        KeySchema=[{"AttributeName": "pipeline_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pipeline_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    monkeypatch.setattr(targets, "find_target", lambda env, **_: account_target(env, cloudformation))
    monkeypatch.setattr(teardown, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(options, "FOLDER", tmp_path)
    return dlq


def test_account_and_plan_are_shown_before_the_name_is_asked_for(cloudformation):
    """The account, what is deleted and what is kept are printed, and the name is typed; then all of it is deleted."""
    result = call("--env", "dev", "destroy", stdin="dev\n")
    assert result.exit_code == 0
    assert result.stderr.index("It keeps:") < result.stderr.index("Type the environment's name (dev)")
    assert result.stderr.index("account 123456789012, region") < result.stderr.index(
        "This deletes, in this order"
    )
    assert f"{PLATFORM} (CREATE_COMPLETE, protected from deletion)" in result.stderr
    assert "GlobalTable PipelineLogs-dev" in result.stderr[result.stderr.index("It keeps:") :]
    assert f"Deleted: {CHATBOT}, {PLATFORM}" in result.stdout
    assert "table PipelineLogs-dev" in result.stdout
    assert "aws dynamodb delete-table --table-name PipelineLogs-dev" in result.stdout
    assert cloudformation.stacks == {}


@pytest.mark.parametrize("typed", ["prod", "", "yes", "DEV"])
def test_another_name_deletes_nothing(cloudformation, typed):
    """Only the environment's own name deletes it."""
    for result in (
        call("--env", "dev", "destroy", "--yes", typed),
        call("--env", "dev", "destroy", stdin=f"{typed}\n"),
    ):
        assert result.exit_code == 1
        assert "Nothing was deleted" in result.stderr
    assert (cloudformation.calls, len(cloudformation.stacks)) == ([], 2)


def test_without_an_answer_nothing_is_deleted(cloudformation):
    """A script that gives no name deletes nothing, and is told the option to add."""
    result = call("--env", "dev", "destroy")
    assert result.exit_code == 130
    assert "--yes dev" in result.stderr
    assert cloudformation.calls == []


def test_a_parked_message_refuses_until_it_is_given_up(dev, cloudformation):
    """A parked message refuses the deletion, names its queue and the way past it; --lose-work deletes it."""
    client("sqs").send_message(QueueUrl=dev, MessageBody="{}")
    refused = call("--env", "dev", "destroy", "--yes", "dev")
    assert refused.exit_code == 1
    assert "1 message is parked in ai-pipeline-dev-chatbot-dlq" in refused.stderr
    assert "--lose-work" in refused.stderr
    assert cloudformation.calls == []
    assert call("--env", "dev", "destroy", "--yes", "dev", "--lose-work").exit_code == 0
    assert cloudformation.stacks == {}


def test_a_dry_run_deletes_nothing(cloudformation):
    """`--dry-run` prints the plan, asks nothing and deletes nothing."""
    result = call("--env", "dev", "destroy", "--dry-run")
    assert (result.exit_code, cloudformation.calls) == (0, [])
    assert "This deletes" in result.stderr


def test_a_second_time_says_that_nothing_is_deployed():
    """Once deleted, the command says so, and still names the table that was kept."""
    assert call("--env", "dev", "destroy", "--yes", "dev").exit_code == 0
    again = call("--env", "dev", "destroy")
    assert again.exit_code == 0
    assert "Nothing is deployed in environment 'dev'" in again.stdout
    assert "table PipelineLogs-dev" in again.stdout


def test_a_failure_half_way_is_told_and_continued(cloudformation):
    """A stack that can't be deleted gives exit code 1 and the reason; the same command then finishes."""
    cloudformation.stacks[PLATFORM].stuck = {"Bus": "it has rules"}
    failed = call("--env", "dev", "destroy", "--yes", "dev")
    assert failed.exit_code == 1
    assert "Bus: it has rules" in failed.stderr
    cloudformation.stacks[PLATFORM].stuck = {}
    assert f"Deleted: {PLATFORM}" in call("--env", "dev", "destroy", "--yes", "dev").stdout


def test_scripts_get_the_plan_and_what_is_left():
    """`--json` has the deleted stacks, the plan and the remnants with their commands."""
    answer = json.loads(call("--env", "dev", "destroy", "--yes", "dev", "--json").stdout)
    assert answer["deleted"] == [CHATBOT, PLATFORM]
    assert answer["planned"]["stacks"][1]["kept"] == [
        {"type": "AWS::DynamoDB::GlobalTable", "name": "PipelineLogs-dev"}
    ]
    assert [remnant["what"] for remnant in answer["remains"]] == ["table PipelineLogs-dev"]


def test_the_engine_is_stopped_by_another_command():
    """For the local engine, the command names `pipeline down`."""
    result = call("destroy")
    assert result.exit_code == 2
    assert "pipeline down" in result.stderr


def test_another_account_is_refused(tmp_path, cloudformation):
    """If the environment's file allows another account only, nothing is read or deleted here."""
    (tmp_path / "dev.toml").write_text('account = "999999999999"\n')
    result = call("--env", "dev", "destroy", "--yes", "dev")
    assert result.exit_code == 4
    assert "999999999999" in result.stderr
    assert cloudformation.calls == []
