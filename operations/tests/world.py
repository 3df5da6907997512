"""An environment without an engine: moto's AWS and an API on a loopback port."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from operations.target import Target
from shared.contracts.stages import SERVICES, STAGES
from shared.records import Records
from shared.tests.fakes import create_operations_table

ACCOUNT = "123456789012"
TABLE = "PipelineLogs"
OPERATIONS = "ai-pipeline-local-operations"
BUS = "ai-pipeline-local-bus"
Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]


@dataclass
class FakeApi:
    """A server with the API's protocol: keeps each request, answers with `answers`, then with 202 and new ids."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    on_request: Callable[[dict[str, Any]], None] = lambda _: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, headers: dict[str, str], body: bytes, path: str) -> Answer:
        with self._lock:
            request = {"headers": headers, "body": json.loads(body), "path": path}
            self.requests.append(request)
            self.on_request(request)
            if self.answers:
                return self.answers.pop(0)
            name = f"p-{request['headers']['Idempotency-Key'][-12:]}"
            return 202, {"pipeline_id": name, "status": "ACCEPTED", "status_url": f"/pipeline/{name}"}

    @property
    def messages(self) -> list[str]:
        return [request["body"]["user_message"] for request in self.requests]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null"
            status, answer, *more = fake.answer(dict(self.headers), body, self.path)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in (more[0] if more else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_DELETE = do_POST  # noqa: N815 -- http.server's name

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def aws() -> Iterator[None]:
    """Yield moto's AWS. The API's signed calls bypass botocore's clients and reach the fake API."""
    with mock_aws():
        yield


@pytest.fixture
def nowhere(aws: None) -> Target:
    """Return a local target on which nothing is deployed."""
    return Target(env="local", session=shared_session(), endpoint="http://127.0.0.1:4566")


class SharedSession:
    """A botocore session that makes each client once for all tests."""

    def __init__(self) -> None:
        self._session = botocore.session.Session()
        self._clients: dict[str, Any] = {}

    def create_client(self, service: str, **_options: Any) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.create_client(service)
        return self._clients[service]

    def get_credentials(self) -> Any:
        return self._session.get_credentials()


@cache
def shared_session() -> SharedSession:
    return SharedSession()


def client(service: str) -> Any:
    return shared_session().create_client(service)


@pytest.fixture
def target(nowhere: Target, api: FakeApi) -> Target:
    """Return a local target on which everything is deployed, with the fake API."""
    deploy("local", api.url)
    return nowhere


def deploy(env: str, api_url: str) -> None:
    """Create what a deployment creates: parameters, bus, tables, state machine and queues."""
    client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pipeline_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pipeline_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("events").create_event_bus(Name=BUS)
    machine = client("stepfunctions").create_state_machine(
        name=f"ai-pipeline-{env}",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/workflow",
    )
    sqs = client("sqs")
    values = {
        "api/url": api_url,
        "bus/name": BUS,
        "table/name": TABLE,
        "state-machine/arn": machine["stateMachineArn"],
    }
    create_operations_table(client("dynamodb"), OPERATIONS)
    values["operations/table"] = OPERATIONS
    for service in SERVICES:
        for kind, suffix in (("queue-url", ""), ("dlq-url", "-dlq"), ("rule-dlq-url", "-rule-dlq")):
            name = f"ai-pipeline-{env}-{service}{suffix}"
            values[f"services/{service}/{kind}"] = sqs.create_queue(QueueName=name)["QueueUrl"]
    ssm = client("ssm")
    for path, value in values.items():
        ssm.put_parameter(Name=f"/ai-pipeline/{env}/{path}", Value=value, Type="String")


def deploy_budget() -> str:
    """Create what a daily budget adds to a deployment, and return the name of its table."""
    name = "ai-pipeline-local-budget"
    client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "item", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "item", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for path, value in (("table", name), ("guard", "ai-pipeline-local-guard"), ("usd-per-day", "1")):
        client("ssm").put_parameter(Name=f"/ai-pipeline/local/budget/{path}", Value=value, Type="String")
    return name


@pytest.fixture
def records(target: Target) -> Records:
    return Records(client("dynamodb"), TABLE)


def finish(records: Records, pipeline_id: str, *, status: str = "SUCCEEDED", **fields: Any) -> None:
    """Write a record as the logger does."""
    meter = {"queue_wait_ms": 5, "work_ms": 7, "attempt": 0, "receives": 1}
    tokens = {"input_tokens": 12, "output_tokens": 34, "model_id": "a-model"}
    done: dict[str, Any] = {
        "user_message": "What is a monad?",
        "final_response": f"An answer for {pipeline_id}.",
        "analysis": {"complexity": "simple", "word_count": 4, "is_question": True, "has_code": False},
        "chat": {"backend": "bedrock", "model_id": "a-model", "stop_reason": "end_turn", "truncated": False},
        "stages": {stage.key: {**meter, **(tokens if stage.key == "chat" else {})} for stage in STAGES[:-1]},
        "errors": {},
        "degraded": [],
        "execution_time_ms": 212,
        "started_at": "2026-11-22T10:00:00.100Z",
        "finished_at": "2026-11-22T10:00:00.312Z",
    }
    first = {"timestamp": "2026-11-22T10:00:00.000Z", "accepted_at": "2026-11-22T10:00:00.000Z"}
    if status == "FAILED":
        done = {"error": "Pipeline.Permanent", "cause": "the model said no", "user_message": "Hm?"}
    assert records.advance(pipeline_id, status, {**done, **fields}, first=first)
