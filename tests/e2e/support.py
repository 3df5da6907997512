"""Helpers that several end-to-end tests share."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from local import targets
from shared.tests.fakes import open_starts
from tests.e2e.conftest import Deployment, eventually

STAGES = {"analysis", "chat", "enhancement"}


def complete(record: dict[str, Any]) -> bool:
    """Tell whether a record has everything that a successful run promises."""
    promised = {"pipeline_id", "timestamp", "user_message", "analysis", "final_response", "execution_time_ms"}
    return (
        record["status"] == "SUCCEEDED"
        and promised <= set(record)
        and bool(record["final_response"])
        and set(record["stages"]) == STAGES
        and record["degraded"] == []
    )


BAD_REQUESTS = {
    "not JSON": ("{", {}, 400),
    "wrong type": ({"user_message": 5}, {}, 400),
    "missing": ({}, {}, 400),
    "blank": ({"user_message": " \n"}, {}, 400),
    "too long": ({"user_message": "x" * 32_769}, {}, 400),
    "unknown field": ({"user_message": "x", "y": 1}, {}, 400),
    "content type": ("x", {"Content-Type": "text/plain"}, 415),
    "too large": ({"user_message": "x" * 300_000}, {}, 413),
}


def stop_what_others_left(pipeline: Deployment) -> None:
    """Stop the runs that earlier tests left open: each of them would keep a removed stage's stack."""
    client = pipeline.client("stepfunctions")
    machine = pipeline.addresses["state-machine/arn"]
    for page in client.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="RUNNING"
    ):
        for execution in page["executions"]:
            client.stop_execution(executionArn=execution["executionArn"])


DENIED = "bedrock:*"


class Shell:
    """Runs `pipeline …` against the tests' engine."""

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, list(words))
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code).stdout)


@pytest.fixture
def shell(pipeline: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Yield a shell. No message is parked when the test starts, and none may be parked when it ends."""
    target = targets.local_target(pipeline.connection)
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: target)
    run = Shell()
    run("dlq", "archive", "--reason", "left by another test", "--yes")
    yield run
    assert parked(run) == 0


def parked(shell: Shell) -> int:
    return sum(view["count"] for view in shell.json("dlq", "list"))


def empty(pipeline: Deployment, queue: str) -> bool:
    """Tell whether a queue has no message, neither waiting nor in work."""
    waiting = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = pipeline.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=waiting)
    return set(answer["Attributes"].values()) == {"0"}


def question() -> str:
    return f"Question {uuid.uuid4().hex}?"


def failed_runs(pipeline: Deployment, count: int) -> dict[str, str]:
    """Make runs fail by denying the model. Return their questions by id; each run has a parked message."""
    texts = [question() for _ in range(count)]
    with pipeline.denied("chatbot", DENIED):
        ids = pipeline.publish(*({"data": {"user_message": text}} for text in texts))
        assert {pipeline.finished(event_id)["status"] for event_id in ids} == {"FAILED"}
    return dict(zip(ids, texts, strict=True))


def deliver_unseen(pipeline: Deployment, queue_url: str, times: int) -> str:
    """Receive a queue's only message so often, as by throttled pollers, and return its id."""
    for _ in range(times):
        messages = eventually(
            lambda: (
                pipeline.client("sqs")
                .receive_message(QueueUrl=queue_url, VisibilityTimeout=0, WaitTimeSeconds=1)
                .get("Messages")
            )
        )
    return str(messages[0]["MessageId"])


def kill_workers(pipeline: Deployment, service: str, queue_url: str) -> None:
    """Leave a queue's only message as three workers that died with it leave it: delivered, and two starts open."""
    message_id = deliver_unseen(pipeline, queue_url, 3)
    open_starts(pipeline.client("dynamodb"), service, message_id, table="ai-pipeline-local-state")


def log_lines(pipeline: Deployment, function: str, text: str) -> list[str]:
    """Return the lines of a function's log that contain `text`, which is one word."""
    pages = pipeline.client("logs").get_paginator("filter_log_events")
    group = f"/aws/lambda/ai-pipeline-local-{function}"
    return [
        event["message"]
        for page in pages.paginate(logGroupName=group, filterPattern=f'"{text}"')
        for event in page["events"]
    ]


def history(pipeline: Deployment, arn: str) -> list[str]:
    step_functions = pipeline.client("stepfunctions")
    try:
        events = step_functions.get_execution_history(executionArn=arn, maxResults=1_000)["events"]
    except step_functions.exceptions.ExecutionDoesNotExist:
        return []
    return [event["type"] for event in events]


def stacks_of(pipeline: Deployment, part: str) -> list[str]:
    """Return the names of a part's stacks that are not deleted."""
    return [
        stack["StackName"]
        for stack in pipeline.client("cloudformation").describe_stacks()["Stacks"]
        if stack["StackName"].endswith(f"-{part}") and stack["StackStatus"] != "DELETE_COMPLETE"
    ]


def granted(pipeline: Deployment, *names: str) -> list[dict[str, Any]]:
    """Return the statements of deployed managed policies."""
    iam = pipeline.client("iam")
    statements: list[dict[str, Any]] = []
    for page in iam.get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            if policy["PolicyName"] in names:
                version = iam.get_policy_version(
                    PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"]
                )
                statements += version["PolicyVersion"]["Document"]["Statement"]
    assert statements
    return statements
