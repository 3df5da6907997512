"""The previous release's environment: its items and messages in moto, and a double of its executions.

The doubles answer in botocore's `_make_api_call`, so that they reach every client of commands and functions.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.client
import botocore.session
from moto import mock_aws
from moto.sqs.models import sqs_backends

from local import targets
from operations.target import Target
from shared.contracts.stages import SERVICES
from shared.tests.fakes import create_records_table

WRITTEN = Path(__file__).resolve().parent / "written"
ACCOUNT, REGION = "123456789012", "us-east-1"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:ai-pipeline-local"
TABLES = {"records": "PipelineLogs", "operations": "operations", "budget": "budget", "answers": "answers"}
NEW_TABLES = {"state": ("id",)}
"""Tables that the previous release did not have, by name."""
KEYS = {"operations": ("pipeline_id", "entry"), "budget": ("item",), "answers": ("id",)}
SUFFIXES = {"queue": "", "dlq": "-dlq", "rule-dlq": "-rule-dlq"}
LATER = 4_102_444_800
"""The year 2100, set as the expiry of items, so that those kept for days can still be read."""
EXPIRES = {"operations": "expires_at", "answers": "expiration"}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "AIPipeline",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "TABLE_NAME": TABLES["records"],
    "ANSWERS_TABLE": TABLES["answers"],
    "BUDGET_TABLE": TABLES["budget"],
    "STATE_TABLE": "state",
    "BUS_NAME": "bus",
    "STATE_MACHINE_ARN": MACHINE,
    "MAPPING_ID": "mapping",
    "USD_PER_DAY": "0.01",
    "COUNTS_DAYS": "true",
    "MODEL_ID": "a-model",
}

Call = dict[str, Any]


def written(name: str) -> Any:
    return json.loads((WRITTEN / name).read_text("utf-8"), object_hook=_bytes)


def _bytes(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"]) if value.keys() == {"base64"} else value


class Played:
    """A double of Step Functions, EventBridge, Bedrock and the logs. `calls`: those that change something."""

    def __init__(self) -> None:
        self.executions = {execution["name"]: execution for execution in written("executions.json")}
        self.logs = written("logs.json")["told"]
        self.calls: list[list[Any]] = []
        self.settled: set[str] = set()

    def answer(self, client: Any, operation: str, request: Call) -> Any:
        """Return the double's answer, or None for a call that goes to moto."""
        play = getattr(self, f"_{client.meta.service_model.service_name.replace('-', '_')}", None)
        return play(client, operation, request) if play else None

    def _events(self, _client: Any, operation: str, request: Call) -> Any:
        if operation == "ListRules":
            return {"Rules": written("rules.json")}
        assert operation == "PutEvents"
        self.calls.append([operation, request["Entries"]])
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "id"} for _ in request["Entries"]]}

    def _sqs(self, _client: Any, operation: str, request: Call) -> Any:
        if operation == "SendMessage":
            self.calls.append(
                [operation, request["QueueUrl"], request["MessageBody"], request.get("MessageAttributes")]
            )

    def _bedrock_runtime(self, _client: Any, operation: str, request: Call) -> Any:
        self.calls.append([operation, request["messages"]])
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": "A new answer."}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 3, "outputTokens": 4},
        }

    def _lambda(self, _client: Any, operation: str, request: Call) -> Any:
        if operation == "UpdateEventSourceMapping":
            self.calls.append([operation, request])
            return {"State": "Enabling" if request["Enabled"] else "Disabling"}
        assert operation == "GetEventSourceMapping"
        return {"State": "Enabled"}

    def _logs(self, client: Any, operation: str, request: Call) -> Any:
        assert operation == "FilterLogEvents"
        term = request["filterPattern"].strip('"')
        function = request["logGroupName"].rpartition("ai-pipeline-local-")[2]
        if function not in self.logs:
            raise _error(client, operation, "ResourceNotFoundException")
        return {"events": [event for event in self.logs[function] if term in event["message"]]}

    def _stepfunctions(self, client: Any, operation: str, request: Call) -> Any:
        if operation in ("SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"):
            return self._callback(client, operation, request)
        if operation == "ListExecutions":
            return {
                "executions": [
                    self._shown(execution)
                    for execution in reversed(self.executions.values())
                    if request.get("statusFilter") in (None, execution["status"])
                ]
            }
        if operation == "StartExecution":
            if request["name"] in self.executions:
                raise _error(client, operation, "ExecutionAlreadyExists")
            self.calls.append([operation, request["name"], json.loads(request["input"])])
            arn = f"{MACHINE.replace('stateMachine', 'execution')}:{request['name']}"
            self.executions[request["name"]] = {
                "executionArn": arn,
                "name": request["name"],
                "input": request["input"],
                "status": "RUNNING",
                "startDate": "2026-11-29T12:00:00+00:00",
            }
            return {"executionArn": arn, "startDate": datetime.fromisoformat("2026-11-29T12:00:00+00:00")}
        return self._execution(client, operation, request)

    def _execution(self, client: Any, operation: str, request: Call) -> Any:
        """Answer a call about one execution."""
        execution = self.executions.get(request["executionArn"].rpartition(":")[2])
        gone = operation == "GetExecutionHistory" and execution and "history" not in execution
        if execution is None or gone:
            raise _error(client, operation, "ExecutionDoesNotExist")
        if operation == "DescribeExecution":
            return self._shown(execution)
        if operation == "DescribeStateMachineForExecution":
            return {"definition": json.dumps(written("definition.json"))}
        if operation == "StopExecution":
            self.calls.append([operation, execution["name"], request["error"]])
            return {"stopDate": datetime.fromisoformat("2026-11-29T12:00:00+00:00")}
        assert operation == "GetExecutionHistory"
        events = [{**event, "timestamp": _moment(event["timestamp"])} for event in execution["history"]]
        return {"events": events[::-1] if request.get("reverseOrder") else events}

    def _callback(self, client: Any, operation: str, request: Call) -> Any:
        """Answer a callback. A token's task waits while its execution runs and the token is not settled."""
        token = request["taskToken"]
        if token in self.settled or token not in self.alive:
            raise _error(client, operation, "TaskTimedOut")
        if operation != "SendTaskHeartbeat":
            self.settled.add(token)
            outcome = json.loads(request["output"]) if "output" in request else request["error"]
            self.calls.append([operation, outcome])
        return {}

    @property
    def alive(self) -> set[str]:
        tokens = {"a-new-token"}
        for message in written("queues.json"):
            try:
                detail = json.loads(message["Body"])["detail"]
                name = detail["metadata"]["execution_arn"].rpartition(":")[2]
            except (ValueError, KeyError, AttributeError):
                continue
            if self.executions.get(name, {}).get("status") == "RUNNING":
                tokens.add(detail["task_token"])
        return tokens

    @staticmethod
    def _shown(execution: Call) -> Call:
        dates: Call = {
            name: _moment(execution[name]) for name in ("startDate", "stopDate") if name in execution
        }
        return {**{name: value for name, value in execution.items() if name != "history"}, **dates}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _error(client: Any, operation: str, code: str) -> Exception:
    answer = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    error: Exception = client.exceptions.from_code(code)(answer, operation)
    return error


class _Session:
    """Makes clients with AWS's own addresses, because moto does not answer at a local engine's."""

    @staticmethod
    def create_client(service: str, **_options: Any) -> Any:
        return client(service)

    @staticmethod
    def get_credentials() -> Any:
        return botocore.session.Session().get_credentials()


@cache
def client(service: str) -> Any:
    return botocore.session.Session().create_client(service)


def queue_url(service: str, kind: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/ai-pipeline-local-{service}{SUFFIXES[kind]}"


@contextmanager
def world() -> Iterator[Played]:
    """Provide the previous release's environment, to which `--env local` leads. It needs a process of its own,
    because functions keep their clients and settings.
    """
    real: Callable[..., Any] = botocore.client.BaseClient._make_api_call
    played = Played()
    sent = {
        message["MessageId"]: message["Attributes"]["SentTimestamp"] for message in written("queues.json")
    }

    def call(self: Any, operation_name: str, api_params: Call) -> Any:
        answer = played.answer(self, operation_name, api_params)
        if answer is None:
            answer = real(self, operation_name, api_params)
        for message in answer.get("Messages", []) if operation_name == "ReceiveMessage" else []:
            if message["MessageId"] in sent:
                message.setdefault("Attributes", {})["SentTimestamp"] = sent[message["MessageId"]]
        return answer

    target = Target(env="local", session=_Session(), endpoint="http://127.0.0.1:4566")
    with (
        mock.patch.dict(os.environ, ENVIRONMENT),
        mock_aws(),
        mock.patch.object(botocore.client.BaseClient, "_make_api_call", call),
        mock.patch.object(targets, "find_target", return_value=target),
    ):
        _fill_tables()
        _fill_queues()
        _note_addresses()
        played.calls.clear()
        yield played


def _fill_tables() -> None:
    dynamodb = client("dynamodb")
    create_records_table(dynamodb, TABLES["records"], by_day=True)
    for name, keys in {**KEYS, **NEW_TABLES}.items():
        dynamodb.create_table(
            TableName=TABLES.get(name, name),
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    for name, table in TABLES.items():
        for item in written(f"{name}.json"):
            kept = {EXPIRES[name]: {"N": str(LATER)}} if name in EXPIRES else {}
            dynamodb.put_item(TableName=table, Item={**item, **kept})


def _fill_queues() -> None:
    """Send the messages with their original ids. Their age is that of today, because moto drops messages older than
    the queue's retention, as SQS does.
    """
    sqs = client("sqs")
    for service in SERVICES:
        for suffix in SUFFIXES.values():
            sqs.create_queue(QueueName=f"ai-pipeline-local-{service}{suffix}")
    for message in written("queues.json"):
        url = queue_url(message["service"], message["kind"])
        attributes = {
            name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
            for name, value in message.get("MessageAttributes", {}).items()
        }
        sqs.send_message(QueueUrl=url, MessageBody=message["Body"], MessageAttributes=attributes)
        queue = sqs_backends[ACCOUNT][REGION].queues[url.rpartition("/")[2]]
        queue._messages[-1].id = message["MessageId"]


def _note_addresses() -> None:
    values = {
        "api/url": "http://127.0.0.1:1/v1",
        "bus/name": "bus",
        "table/name": TABLES["records"],
        "operations/table": TABLES["operations"],
        "state-machine/arn": MACHINE,
        "budget/table": TABLES["budget"],
        "budget/guard": "guard",
        "budget/usd-per-day": "0.01",
    }
    for service in SERVICES:
        for kind in SUFFIXES:
            values[f"services/{service}/{kind}-url"] = queue_url(service, kind)
    for path, value in values.items():
        client("ssm").put_parameter(Name=f"/ai-pipeline/local/{path}", Value=value, Type="String")
