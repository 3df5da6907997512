"""A double of Step Functions, and helpers that park messages in moto's queues."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.dlq.replay import Options, Replay, Result, Selection, plan, select
from operations.stop import Stop
from operations.tests.world import client
from shared.tests.fakes import client_error, stage_event

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:ai-pipeline-local"


STARTED = datetime(2026, 11, 23, tzinfo=UTC)
STOPPED = STARTED + timedelta(minutes=1)


class StepFunctions:
    """A double with executions by name, tokens that are `alive`, and failed runs that are `redrivable` if set."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.alive: set[str] = set()
        self.redrivable = False
        self.refuse_redrive = False
        self.calls: list[str] = []
        self.tokens: list[str] = []
        self.heartbeat_error: Exception | None = None

    def fail(self, pipeline_id: str, status: str = "FAILED") -> str:
        state = {"metadata": {"pipeline_id": pipeline_id}, "request": {"user_message": "Hi"}}
        ended = {} if status == "RUNNING" else {"stopDate": STOPPED}
        self.runs[pipeline_id] = {"status": status, "input": json.dumps(state), **ended}
        return f"{MACHINE.replace('stateMachine', 'execution')}:{pipeline_id}"

    def send_task_heartbeat(self, *, taskToken: str) -> None:
        if self.heartbeat_error:
            raise self.heartbeat_error
        if taskToken not in self.alive:
            raise client_error("TaskTimedOut", "SendTaskHeartbeat")

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        name = executionArn.rpartition(":")[2]
        if name not in self.runs:
            raise client_error("ExecutionDoesNotExist", "DescribeExecution")
        run = self.runs[name]
        more = {"redriveStatus": "REDRIVABLE", "redriveCount": 0} if self.redrivable else {}
        return {"name": name, "startDate": STARTED, **run, **more}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002
        if name in self.runs:
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.calls.append(f"start {name}")
        self.runs[name] = {"status": "RUNNING", "input": input}
        return {"executionArn": name, "startDate": STARTED}

    def redrive_execution(self, *, executionArn: str, clientToken: str) -> dict[str, Any]:
        if self.refuse_redrive:
            raise client_error("ExecutionNotRedrivable", "RedriveExecution")
        name = executionArn.rpartition(":")[2]
        self.calls.append(f"redrive {name}")
        self.tokens.append(clientToken)
        self.runs[name]["status"] = "RUNNING"
        self.runs[name].pop("stopDate", None)
        return {"redriveDate": STARTED}

    def list_executions(self, *, statusFilter: str = "", **_: Any) -> dict[str, Any]:
        return {
            "executions": [
                {"name": name, "status": run["status"], "startDate": STARTED}
                for name, run in self.runs.items()
                if run["status"] == statusFilter
            ]
        }

    def get_paginator(self, name: str) -> Any:
        runs = self.runs

        class Pages:
            def paginate(self, *, statusFilter: str = "", **_: Any) -> Iterator[dict[str, Any]]:
                yield {
                    "executions": [
                        {"name": name, "startDate": datetime.now(UTC), "stopDate": datetime.now(UTC)}
                        for name, run in runs.items()
                        if run["status"] == statusFilter
                    ]
                }

        if name == "get_execution_history":
            raise client_error("ExecutionDoesNotExist", "GetExecutionHistory")
        assert name == "list_executions"
        return Pages()


@pytest.fixture
def machine(target, monkeypatch) -> StepFunctions:
    played = StepFunctions()
    real = target.client
    monkeypatch.setattr(
        target, "client", lambda service: played if service == "stepfunctions" else real(service)
    )
    return played


def url(service: str, kind: str = "-dlq") -> str:
    queue_url: str = client("sqs").get_queue_url(QueueName=f"ai-pipeline-local-{service}{kind}")["QueueUrl"]
    return queue_url


def park(
    pipeline_id: str, *, token: str = "dead", service: str = "chatbot", error: str = "", **data: Any
) -> None:
    arn = f"{MACHINE.replace('stateMachine', 'execution')}:{pipeline_id}"
    body = stage_event(
        "chat.requested.v1",
        data or {"user_message": "Hi"},
        token=token,
        pipeline_id=pipeline_id,
        execution_arn=arn,
    )
    client("sqs").send_message(
        QueueUrl=url(service),
        MessageBody=json.dumps(body),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": text}
            for name, text in (("error_type", "Pipeline.Transient"), ("error", error))
            if text
        },
    )


def count(queue_url: str) -> int:
    answer = client("sqs").get_queue_attributes(
        QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def replay(target: Any, *, stop: Stop | None = None, **options: Any) -> list[Result]:
    planned = plan(target, select(target, Selection()), restart=options.get("restart", False))
    return list(Replay(target, who="arn:me", options=Options(**options), stop=stop).run(planned))
