"""A deployment is deleted in reverse order, stops for open work, and continues after a failure."""

import json

import pytest

from operations.deployment.remains import remains
from operations.deployment.teardown import Work, describe, destroy, plan
from operations.errors import DeniedError, RefusedError
from operations.tests.stacks_world import FakeStack
from operations.tests.world import client, deploy

PARTS = ("monitoring", "trigger", "workflow", "logger", "enhancer", "chatbot", "analyzer", "platform")
"""The parts in the order of their deletion."""


def stack(part):
    return f"ai-pipeline-dev-{part}"


def resource(kind, policy="Delete"):
    return {"Type": kind, "Properties": {}, "DeletionPolicy": policy}


@pytest.fixture
def deployment(dev_account, cloudformation):
    """The environment dev, deployed as one that keeps its data: platform and monitoring stacks, queues, tables."""
    deploy("dev", "https://api.example")
    for part in PARTS:
        cloudformation.stacks[stack(part)] = FakeStack()
    platform, trigger = cloudformation.stacks[stack("platform")], cloudformation.stacks[stack("trigger")]
    platform.template = {
        "Resources": {"Table": resource("AWS::DynamoDB::GlobalTable", "RetainExceptOnCreate")}
    }
    platform.ids, platform.protected = {"Table": "PipelineLogs"}, True
    client("dynamodb").update_table(TableName="PipelineLogs", DeletionProtectionEnabled=True)
    create_table("ai-pipeline-dev-budget", DeletionProtectionEnabled=True)
    trigger.template = {
        "Resources": {"Budget": resource("AWS::DynamoDB::GlobalTable"), "Queue": resource("AWS::SQS::Queue")}
    }
    trigger.ids = {"Budget": "ai-pipeline-dev-budget", "Queue": url("trigger")}
    workflow = cloudformation.stacks[stack("workflow")]
    workflow.template = {"Resources": {"Machine": resource("AWS::StepFunctions::StateMachine")}}
    workflow.ids = {"Machine": machine()}
    chatbot = cloudformation.stacks[stack("chatbot")]
    chatbot.template = {"Resources": {"Dlq": resource("AWS::SQS::Queue")}}
    chatbot.ids = {"Dlq": url("chatbot-dlq")}
    return dev_account


def create_table(name, **options):
    client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "item", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "item", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **options,
    )


def url(queue):
    return client("sqs").get_queue_url(QueueName=f"ai-pipeline-dev-{queue}")["QueueUrl"]


def machine():
    return client("ssm").get_parameter(Name="/ai-pipeline/dev/state-machine/arn")["Parameter"]["Value"]


def protected(table):
    return client("dynamodb").describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"]


def send(queue):
    client("sqs").send_message(QueueUrl=url(queue), MessageBody="{}")


def start():
    return client("stepfunctions").start_execution(stateMachineArn=machine(), name="run-1", input="{}")


def gone(target, planned, **options):
    return destroy(target, planned, sleep=lambda _: None, **options)


def test_stacks_are_deleted_against_the_order_of_their_deployment(deployment, cloudformation):
    """Monitoring and the trigger go first, the platform last, and each is gone before the next is begun."""
    assert gone(deployment, plan(deployment)) == tuple(stack(part) for part in PARTS)
    assert [name for verb, name in cloudformation.calls if verb == "delete"] == [
        stack(part) for part in PARTS
    ]
    assert cloudformation.stacks == {}


def test_the_plan_says_what_is_deleted_and_what_is_kept(deployment):
    """A table with a policy that keeps it is named as kept, and others as deleted with their items."""
    planned = plan(deployment)
    assert planned.tables() == ("ai-pipeline-dev-budget",)
    assert [kept.name for condemned in planned.stacks for kept in condemned.kept] == ["PipelineLogs"]
    assert [condemned.stack.part for condemned in planned.stacks if condemned.stack.protected] == ["platform"]


def test_looking_changes_nothing(deployment, cloudformation):
    """A plan takes protection from nothing, and deletes nothing."""
    plan(deployment)
    assert cloudformation.calls == []
    assert protected("ai-pipeline-dev-budget")


def test_protection_is_taken_only_from_what_is_deleted(deployment, cloudformation):
    """A deleted stack and its tables lose their protection; a table that is kept stays protected."""
    gone(deployment, plan(deployment))
    assert ("release", stack("platform")) in cloudformation.calls
    assert protected("PipelineLogs")
    assert not protected("ai-pipeline-dev-budget")


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (lambda: send("trigger"), "about 1 message waits in ai-pipeline-dev-trigger"),
        (lambda: send("chatbot-dlq"), "about 1 message is parked in ai-pipeline-dev-chatbot-dlq"),
    ],
)
def test_messages_refuse_the_deletion(deployment, cloudformation, work, told):
    """Waiting and parked messages are counted by queue, and nothing is deleted while there are any."""
    work()
    planned = plan(deployment)
    assert told in describe(planned.work)
    with pytest.raises(RefusedError, match=f"Nothing was deleted.*{told}.*--lose-work"):
        gone(deployment, planned)
    assert cloudformation.calls == []


def running(monkeypatch, executions):
    """Let the state machine have these open executions, which moto ends at once."""
    real = client("stepfunctions").get_paginator

    class Pages:
        @staticmethod
        def paginate(*, stateMachineArn, statusFilter):
            assert (stateMachineArn, statusFilter) == (machine(), "RUNNING")
            yield {"executions": [{"executionArn": arn} for arn in executions]}

    monkeypatch.setattr(
        client("stepfunctions"),
        "get_paginator",
        lambda name: Pages if name == "list_executions" else real(name),
    )


def test_an_open_run_refuses_the_deletion(deployment, monkeypatch, cloudformation):
    """Nothing is deleted while a run is open."""
    running(monkeypatch, ["arn:1"])
    planned = plan(deployment)
    assert (planned.work.open_runs, describe(planned.work)) == (1, "1 run is open")
    with pytest.raises(RefusedError, match="1 run is open"):
        gone(deployment, planned)
    assert cloudformation.calls == []


def test_work_is_lost_only_on_demand(deployment, monkeypatch, cloudformation):
    """With `losing_work`, open runs are stopped and messages deleted with their queues."""
    stopped = []
    running(monkeypatch, ["arn:1", "arn:2"])
    monkeypatch.setattr(
        client("stepfunctions"), "stop_execution", lambda **call: stopped.append(call["executionArn"])
    )
    send("trigger")
    assert len(gone(deployment, plan(deployment), losing_work=True)) == len(PARTS)
    assert stopped == ["arn:1", "arn:2"]


def test_work_that_comes_in_between_stops_the_deletion(deployment, cloudformation):
    """A message that is parked after the deletion began stops it before its queue is deleted; the rest stays."""
    cloudformation.on_delete = lambda name: send("chatbot-dlq") if name == stack("trigger") else None
    with pytest.raises(
        RefusedError, match=r"Deleted so far: .*monitoring, .*trigger\..*workflow was not deleted"
    ):
        gone(deployment, plan(deployment))
    assert set(cloudformation.stacks) == {stack(part) for part in PARTS[2:]}


def test_a_failed_deletion_names_the_reason_and_is_continued(deployment, cloudformation):
    """A stack that can't be deleted stops with the resource and reason; the next call continues there."""
    cloudformation.stacks[stack("logger")].stuck = {"Role": "the role has other policies"}
    with pytest.raises(
        RefusedError, match=r"(?s)logger could not be deleted:\n  Role: the role has other policies\n"
    ):
        gone(deployment, plan(deployment))
    assert "long ago" not in str(cloudformation.calls)
    cloudformation.stacks[stack("logger")].stuck = {}
    again = plan(deployment)
    assert [condemned.stack.part for condemned in again.stacks] == list(PARTS[3:])
    assert gone(deployment, again) == tuple(stack(part) for part in PARTS[3:])


def test_a_deletion_under_way_is_waited_for(deployment, cloudformation):
    """A stack that an interrupted call began to delete is not deleted twice, but waited for."""
    cloudformation.stacks[stack("monitoring")].status = "DELETE_IN_PROGRESS"
    gone(deployment, plan(deployment))
    assert ("delete", stack("monitoring")) not in cloudformation.calls
    assert cloudformation.stacks == {}


def test_a_stack_that_somebody_else_deleted_is_no_problem(deployment, cloudformation):
    """A stack that vanishes between plan and deletion counts as deleted."""
    planned = plan(deployment)
    del cloudformation.stacks[stack("analyzer")]
    assert len(gone(deployment, planned)) == len(PARTS)


def test_a_deployment_under_way_is_not_deleted(deployment, cloudformation):
    """A stack that is being updated refuses the deletion of all, before any is deleted."""
    cloudformation.stacks[stack("platform")].status = "UPDATE_IN_PROGRESS"
    with pytest.raises(
        RefusedError, match=r"Nothing was deleted: .*UPDATE_IN_PROGRESS.*run the same command again"
    ):
        gone(deployment, plan(deployment))
    assert cloudformation.calls == []


def test_a_half_made_stack_can_be_deleted(dev_account, cloudformation):
    """What a failed creation left is part of the plan, whatever its state."""
    cloudformation.stacks[stack("platform")] = FakeStack(status="ROLLBACK_FAILED", protected=True)
    cloudformation.stacks[stack("analyzer")] = FakeStack(status="REVIEW_IN_PROGRESS")
    assert gone(dev_account, plan(dev_account)) == (stack("analyzer"), stack("platform"))


def test_a_deletion_that_takes_too_long_is_left_to_the_next_call(deployment, cloudformation, monkeypatch):
    """Waiting ends after a bounded time, with the advice to call again."""
    monkeypatch.setattr("operations.deployment.teardown.PATIENCE_SECONDS", 10.0)
    planned = plan(deployment)
    real = cloudformation.delete_stack

    def slow(*, StackName):
        real(StackName=StackName)
        cloudformation.stacks[StackName].looks_until_gone = 1_000

    monkeypatch.setattr(cloudformation, "delete_stack", slow)
    with pytest.raises(RefusedError, match=r"still DELETE_IN_PROGRESS.*later"):
        gone(deployment, planned)


def test_resources_that_were_deleted_by_hand_are_no_problem(deployment):
    """A queue, table or state machine that is already gone neither counts as work nor stops the deletion."""
    client("sqs").delete_queue(QueueUrl=url("trigger"))
    client("dynamodb").update_table(TableName="ai-pipeline-dev-budget", DeletionProtectionEnabled=False)
    client("dynamodb").delete_table(TableName="ai-pipeline-dev-budget")
    client("stepfunctions").delete_state_machine(stateMachineArn=machine())
    planned = plan(deployment)
    assert planned.work == Work()
    assert len(gone(deployment, planned)) == len(PARTS)


def test_nothing_deployed_is_an_empty_plan(dev_account):
    """Where nothing is deployed, nothing is planned and nothing is left."""
    assert plan(dev_account).stacks == ()
    assert remains(dev_account) == ()


# --- what is left --------------------------------------------------------------------------------------------


def whats(target):
    return {remnant.what: remnant for remnant in remains(target)}


def test_a_table_that_was_kept_is_left_with_its_commands(dev_account):
    """A kept table is named, with the commands that take its protection and delete it."""
    create_table("PipelineLogs-dev")
    (left,) = remains(dev_account)
    assert left.what == "table PipelineLogs-dev"
    assert [command.split(" --")[0] for command in left.commands] == [
        "aws dynamodb update-table",
        "aws dynamodb delete-table",
    ]


def test_whatever_is_left_is_named_and_nothing_of_another_environment(dev_account, cloudformation):
    """Stacks, queues, parameters, log groups and API Gateway's role are found; those of dev-2 are not."""
    cloudformation.stacks[stack("chatbot")] = FakeStack(status="DELETE_FAILED", protected=True)
    for env in ("dev", "dev-2"):
        client("sqs").create_queue(QueueName=f"ai-pipeline-{env}-logger-dlq")
        client("ssm").put_parameter(Name=f"/ai-pipeline/{env}/api/url", Value="x", Type="String")
        client("logs").create_log_group(logGroupName=f"/aws/lambda/ai-pipeline-{env}-api")
    client("logs").create_log_group(logGroupName="API-Gateway-Execution-Logs_gone123/v1")
    api = client("apigateway").create_rest_api(name="somebody else's")["id"]
    client("logs").create_log_group(logGroupName=f"API-Gateway-Execution-Logs_{api}/v1")
    role = client("iam").create_role(
        RoleName="ai-pipeline-dev-trigger-PipelineApiRestCloudWatchRo-1",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}),
    )["Role"]["Arn"]
    client("apigateway").update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    )
    left = whats(dev_account)
    assert set(left) == {
        "stack ai-pipeline-dev-chatbot",
        "queue ai-pipeline-dev-logger-dlq",
        "parameter /ai-pipeline/dev/api/url",
        "log group /aws/lambda/ai-pipeline-dev-api",
        "log group API-Gateway-Execution-Logs_gone123/v1",
        "role ai-pipeline-dev-trigger-PipelineApiRestCloudWatchRo-1",
    }
    assert all(remnant.commands for remnant in left.values())


def test_what_may_not_be_looked_for_is_named(dev_account, monkeypatch):
    """A look that the caller has no right to is reported, and the others are still made."""
    create_table("PipelineLogs-dev")

    def denied(_target):
        raise DeniedError("Could not look up the log groups")

    monkeypatch.setitem(
        __import__("operations.deployment.remains", fromlist=["_LOOKS"])._LOOKS, "log groups", denied
    )
    left = whats(dev_account)
    assert "not looked for" in left["log groups"].why
    assert "table PipelineLogs-dev" in left
