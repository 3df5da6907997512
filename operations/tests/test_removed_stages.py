"""The stack of a stage that was removed from the code is deleted only when nothing can need it any more."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from infra.option_kinds import OptionError
from infra.options import load
from operations.deployment.removed import (
    SETTLED_SECONDS,
    context_of_removed,
    delete_removed,
    removed_stages,
    rights_kept,
)
from operations.deployment.teardown import plan
from operations.tests.stacks_world import FakeStack
from operations.tests.world import client, deploy
from shared.tests.fakes import create_approvals_table, stopped_clock

STACK = "ai-pipeline-dev-vetting"
APPROVAL = "ai-pipeline-dev-approval"
TABLE = "ai-pipeline-dev-approvals"
WITH = {"StartAt": "A", "States": {"A": {"Type": "Succeed", "Comment": "vetting.requested.v1"}}}


@pytest.fixture
def removed(dev_account, cloudformation):
    """The environment dev, in which the stage vetting is still deployed."""
    deploy("dev", "https://api.example")
    url = client("sqs").create_queue(QueueName=STACK)["QueueUrl"]
    client("ssm").put_parameter(Name="/ai-pipeline/dev/services/vetting/queue-url", Value=url, Type="String")
    rule = {"EventPattern": {"detail-type": ["vetting.requested.v1"]}}
    cloudformation.stacks[STACK] = FakeStack(
        {
            "Resources": {
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
            }
        },
        ids={"Queue": url},
    )
    return dev_account


def machine():
    return client("ssm").get_parameter(Name="/ai-pipeline/dev/state-machine/arn")["Parameter"]["Value"]


def test_only_what_has_no_place_in_the_app_is_a_removed_stage(removed, cloudformation):
    """A deployed stage that this checkout has is not taken for a removed one."""
    cloudformation.stacks["ai-pipeline-dev-analyzer"] = FakeStack()
    assert [stage.part for stage in removed_stages(removed)] == ["vetting"]


def test_idle_stack_is_deleted_once(removed, cloudformation):
    """A removed stage that nothing needs is deleted, and then there is none."""
    (stage,) = removed_stages(removed)
    assert stage.idle
    delete_removed(removed, stage, lambda _: None)
    assert STACK not in cloudformation.stacks
    assert removed_stages(removed) == ()


def test_open_run_that_began_with_the_stage_keeps_it(removed, cloudformation):
    """While a run is open whose own definition sends requests to the stage, its stack can't be deleted."""
    machines = client("stepfunctions")
    now = machines.describe_state_machine(stateMachineArn=machine())["definition"]
    machines.update_state_machine(stateMachineArn=machine(), definition=json.dumps(WITH))
    run = machines.start_execution(stateMachineArn=machine(), name="run-1", input="{}")["executionArn"]
    machines.update_state_machine(stateMachineArn=machine(), definition=now)
    (stage,) = removed_stages(removed)
    assert (stage.needed_by, stage.idle) == (1, False)
    with pytest.raises(ValueError, match="still needed"):
        delete_removed(removed, stage)
    machines.stop_execution(executionArn=run)
    assert removed_stages(removed)[0].idle


def test_run_that_does_not_know_the_stage_does_not_keep_it(removed):
    """A run whose definition never sends to the stage, in a state that still exists, keeps no stack."""
    # moto's history of every open execution is in a state of this name
    other = {"StartAt": "A State", "States": {"A State": {"Type": "Succeed"}}}
    client("stepfunctions").update_state_machine(stateMachineArn=machine(), definition=json.dumps(other))
    client("stepfunctions").start_execution(stateMachineArn=machine(), name="run-1", input="{}")
    assert removed_stages(removed)[0].idle


def test_run_in_a_state_that_is_gone_keeps_the_stack(removed):
    """A run in a state of an earlier definition keeps the stack, although the definition's text is new."""
    client("stepfunctions").start_execution(stateMachineArn=machine(), name="run-1", input="{}")
    assert removed_stages(removed)[0].needed_by == 1


def test_message_in_a_queue_keeps_the_stack(removed):
    """A message that waits or is parked would be lost with the stack, so it keeps it."""
    client("sqs").send_message(
        QueueUrl=client("sqs").get_queue_url(QueueName=STACK)["QueueUrl"], MessageBody="{}"
    )
    (stage,) = removed_stages(removed)
    assert (stage.work.waiting, stage.idle) == ({STACK: 1}, False)


def test_deletion_of_a_deployment_covers_removed_stages(removed, cloudformation):
    """`destroy` deletes a removed stage's stack, too, after the workflow and before the platform."""
    for part in ("platform", "analyzer", "workflow"):
        cloudformation.stacks[f"ai-pipeline-dev-{part}"] = FakeStack()
    parts = [condemned.stack.part for condemned in plan(removed).stacks]
    assert parts == ["workflow", "vetting", "analyzer", "platform"]


def test_workflow_keeps_its_rights_to_reach_what_is_still_deployed(removed, cloudformation):
    """The app gets the queue and the events of a removed stage as context, until its stack is gone."""
    assert context_of_removed(removed) == {
        "removed_queues": "vetting",
        "removed_events": "vetting.requested.v1",
    }
    assert rights_kept(removed) == {STACK, "vetting.requested.v1"}
    del cloudformation.stacks[STACK]
    assert (context_of_removed(removed), rights_kept(removed)) == ({}, frozenset())


@pytest.mark.parametrize(("ago", "waits"), [(4, [SETTLED_SECONDS - 4]), (SETTLED_SECONDS, []), (60, [])])
def test_it_waits_until_no_run_begins_with_the_old_definition(
    removed, cloudformation, monkeypatch, ago, waits
):
    """Just after the workflow was changed, removed stages are looked at only when that has taken effect."""
    now = datetime.now(UTC)
    monkeypatch.setattr("operations.deployment.removed.datetime", stopped_clock(now))
    workflow = cloudformation.stacks["ai-pipeline-dev-workflow"] = FakeStack()
    workflow.changed_at = now - timedelta(seconds=ago)
    slept: list[float] = []
    assert removed_stages(removed, slept.append)
    assert slept == waits


def test_run_that_began_before_keeps_the_stack_on_the_engine(removed, cloudformation, monkeypatch):
    """The engine does not tell a run's own definition, so each run that began before the change counts."""
    other = {"StartAt": "A State", "States": {"A State": {"Type": "Succeed"}}}
    client("stepfunctions").update_state_machine(stateMachineArn=machine(), definition=json.dumps(other))
    client("stepfunctions").start_execution(stateMachineArn=machine(), name="run-1", input="{}")
    workflow = cloudformation.stacks["ai-pipeline-dev-workflow"] = FakeStack()
    workflow.changed_at = datetime.now(UTC) + timedelta(seconds=1)
    monkeypatch.setattr(type(removed), "is_aws", False)
    assert removed_stages(removed, lambda _: None)[0].needed_by == 1
    monkeypatch.setattr(type(removed), "is_aws", True)
    assert removed_stages(removed, lambda _: None)[0].needed_by == 0


# --- a stage that was switched off ---------------------------------------------------------------------------------


@pytest.fixture
def switched_off(dev_account, cloudformation):
    """The environment dev, whose file has no approval, in which the approval is still deployed."""
    deploy("dev", "https://api.example")
    url = client("sqs").create_queue(QueueName=APPROVAL)["QueueUrl"]
    client("ssm").put_parameter(Name="/ai-pipeline/dev/services/approval/queue-url", Value=url, Type="String")
    create_approvals_table(client("dynamodb"), TABLE)
    cloudformation.stacks[APPROVAL] = FakeStack(
        {
            "Resources": {
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Table": {"Type": "AWS::DynamoDB::GlobalTable"},
            }
        },
        ids={"Queue": url, "Table": TABLE},
    )
    return dev_account


def wait(**fields):
    """Add the item of a run that waits, or waited, for a person."""
    item = {"pipeline_id": "p-1", "asked_at": "2026-11-29T12:00:00.000Z", **fields}
    client("dynamodb").put_item(TableName=TABLE, Item={name: {"S": value} for name, value in item.items()})


def test_an_approval_that_was_switched_off_is_a_removed_stage(switched_off, cloudformation):
    """The workflow keeps its rights to the approval while that is deployed, and an idle one is deleted."""
    assert context_of_removed(switched_off) == {"removed_queues": "approval", "removed_events": ""}
    (stage,) = removed_stages(switched_off)
    assert (stage.part, stage.idle, stage.is_switched_off) == ("approval", True, True)
    delete_removed(switched_off, stage, lambda _: None)
    assert removed_stages(switched_off) == ()
    assert context_of_removed(switched_off) == {}


def test_an_approval_that_is_switched_on_is_none(switched_off, monkeypatch):
    """What the environment's file, or the deployment's own context, switches on is not removed."""
    assert context_of_removed(switched_off, {"approval": "true"}) == {}
    monkeypatch.setattr(
        "operations.deployment.removed.load_deployed",
        lambda name, context, *, region: load(name, {"approval": "true", **context}, region=region),
    )
    assert removed_stages(switched_off) == ()
    assert context_of_removed(switched_off) == {}


def test_options_that_can_not_be_read_remove_nothing(switched_off, monkeypatch):
    """If the environment's file is invalid, no stage counts as switched off, so nothing is deleted."""

    def broken(*_, **__):
        raise OptionError("environments/dev.toml can't be read")

    monkeypatch.setattr("operations.deployment.removed.load_deployed", broken)
    assert removed_stages(switched_off) == ()


@pytest.mark.parametrize("state", ["waiting", "decided"])
def test_a_decision_to_come_or_to_be_sent_keeps_the_approval(switched_off, state):
    """An answer that waits, or whose decision has not arrived, keeps the stack with its table of tokens."""
    wait(state=state, open="yes", task_token="token")
    (stage,) = removed_stages(switched_off)
    assert (stage.undecided, stage.idle) == (1, False)
    with pytest.raises(ValueError, match="still needed"):
        delete_removed(switched_off, stage)
    wait(state="settled")
    assert removed_stages(switched_off)[0].idle


def test_a_table_that_is_kept_goes_with_its_last_item(switched_off, cloudformation):
    """In an environment that keeps its data, the approval stays until its items have expired; then its empty table,
    which would be in the way of switching it on again, is deleted with the stack.
    """
    cloudformation.stacks[APPROVAL].template["Resources"]["Table"]["DeletionPolicy"] = "Retain"
    wait(state="settled")
    (stage,) = removed_stages(switched_off)
    assert (stage.filled, stage.undecided, stage.idle) == (TABLE, 0, False)
    client("dynamodb").delete_item(TableName=TABLE, Key={"pipeline_id": {"S": "p-1"}})
    client("dynamodb").update_table(TableName=TABLE, DeletionProtectionEnabled=True)
    (stage,) = removed_stages(switched_off)
    delete_removed(switched_off, stage, lambda _: None)
    assert APPROVAL not in cloudformation.stacks
    assert TABLE not in client("dynamodb").list_tables()["TableNames"]


def test_deletion_of_a_deployment_covers_the_approval_once(switched_off, cloudformation):
    """`destroy` deletes a switched off approval as any other stage, once."""
    cloudformation.stacks["ai-pipeline-dev-workflow"] = FakeStack()
    assert [condemned.stack.part for condemned in plan(switched_off).stacks] == ["workflow", "approval"]
