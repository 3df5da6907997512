"""The real app on a real engine: started once for each process of tests, on a free port, in a folder of its own.

With `pytest -n`, a file's tests stay in one process, one after the other, and so do all files that deploy.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.connection import Connection
from local.deploy import up
from local.engine import Engine
from local.model_server import ModelServer, model_server
from local.paths import STATE
from local.testing import own_engine
from shared.contracts.record import FINAL

PATIENCE_SECONDS = 120
# Longer than a message of a killed worker stays invisible.
POLL_SECONDS = 1.5
"""Longer than the engine's pause between two looks into a queue."""
DEPLOYS = pytest.mark.xdist_group("deploys")
"""Tests that deploy: in one process, one after the other."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The group that takes longest begins first; every other file is a group of its own."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    for item in here:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: DEPLOYS.mark not in item.iter_markers("xdist_group"))


def eventually(probe: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """The first truthy value of `probe`, asked again and again for a bounded time."""
    until = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > until:
            raise AssertionError(f"nothing after {seconds} s")
        time.sleep(0.1)
    return value


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: Any


@dataclass
class Deployment:
    """A deployed pipeline, with what a test needs to use and to look into it."""

    connection: Connection
    engine: Engine
    model: ModelServer
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        given = credentials or self.credentials
        key = f"{service}/{given.access_key}"
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self.connection.endpoint_url,
                region_name=self.connection.region,
                aws_access_key_id=given.access_key,
                aws_secret_access_key=given.secret_key,
            )
        return self._clients[key]

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.connection.access_key_id, self.connection.secret_access_key)

    @cached_property
    def addresses(self) -> dict[str, str]:
        pages = self.client("ssm").get_paginator("get_parameters_by_path")
        found = pages.paginate(Path="/ai-pipeline/local/", Recursive=True)
        return {
            parameter["Name"].removeprefix("/ai-pipeline/local/"): parameter["Value"]
            for page in found
            for parameter in page["Parameters"]
        }

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        signed_by: Credentials | bool = True,
    ) -> Answer:
        """A request to the API, signed by the deployer unless somebody else, or nobody (False), is named."""
        url = self.addresses["api/url"] + path
        raw = body if isinstance(body, (str, type(None))) else json.dumps(body)
        request = AWSRequest(
            method, url, data=raw, headers={"Content-Type": "application/json", **(headers or {})}
        )
        if signed_by:
            credentials = self.credentials if signed_by is True else signed_by
            SigV4Auth(credentials, "execute-api", self.connection.region).add_auth(request)
        got = urllib3.request(method, url, body=raw, headers=dict(request.headers), retries=False, timeout=30)
        return Answer(got.status, got.headers, json.loads(got.data) if got.data else None)

    def publish(
        self, *details: Any, detail_type: str = "pipeline.requested.v1", source: str = "ai.pipeline"
    ) -> list[str]:
        """Event ids of details put on the bus; a string goes as it is."""
        ids = []
        for start in range(0, len(details), 10):
            entries = [
                {
                    "EventBusName": self.addresses["bus/name"],
                    "Source": source,
                    "DetailType": detail_type,
                    "Detail": detail if isinstance(detail, str) else json.dumps(detail),
                }
                for detail in details[start : start + 10]
            ]
            answer = self.client("events").put_events(Entries=entries)
            assert answer["FailedEntryCount"] == 0
            ids += [entry["EventId"] for entry in answer["Entries"]]
        return ids

    def record(self, pipeline_id: str) -> dict[str, Any]:
        """The record as the API shows it, or an empty one."""
        answer = self.call("GET", f"/pipeline/{pipeline_id}")
        return answer.body if answer.status == 200 else {}

    def finished(self, pipeline_id: str) -> dict[str, Any]:
        """The record once the run is over."""

        def probe() -> dict[str, Any] | None:
            record = self.record(pipeline_id)
            return record if record.get("status") in FINAL else None

        return dict(eventually(probe))

    @contextmanager
    def denied(self, function: str, *actions: str) -> Iterator[None]:
        """A function's role is denied `actions` for a while."""
        iam = self.client("iam")
        configuration = self.client("lambda").get_function_configuration(
            FunctionName=f"ai-pipeline-local-{function}"
        )
        role = configuration["Role"].rpartition("/")[2]
        statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="denied")

    @contextmanager
    def visible_after(self, service: str, seconds: int) -> Iterator[str]:
        """A queue whose messages come again sooner. Yields its URL."""
        sqs, url = self.client("sqs"), self.addresses[f"services/{service}/queue-url"]
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
        try:
            yield url
        finally:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=before)

    @contextmanager
    def stopped(self, service: str) -> Iterator[str]:
        """A service that takes nothing from its queue. Yields the queue's URL."""
        functions = self.client("lambda")
        name = f"ai-pipeline-local-{'starter' if service == 'trigger' else service}"
        (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        time.sleep(POLL_SECONDS)  # what the engine is about to receive it still hands over
        try:
            yield self.addresses[f"services/{service}/queue-url"]
        finally:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def asked(self, text: str) -> int:
        """How often the model was asked about a message with `text` in it."""
        return sum(text in str(request["messages"][-1]) for request in self.model.requests)

    def parked(self, service: str) -> list[dict[str, Any]]:
        """Takes what is in a service's DLQ."""
        url = self.addresses[f"services/{service}/dlq-url"]
        answer = self.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        )
        for message in answer.get("Messages", []):
            self.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return list(answer.get("Messages", []))


@pytest.fixture(scope="session")
def pipeline(worker_id: str) -> Iterator[Deployment]:
    with model_server() as model, own_engine(STATE / f"test-{worker_id}", model=model.model) as engine:
        running = up(engine)
        yield Deployment(connection=running.connection, engine=engine, model=model)


@pytest.fixture
def user(pipeline: Deployment) -> Iterator[Callable[..., Credentials]]:
    """Makes an IAM user with the rights given; removed afterwards."""
    iam = pipeline.client("iam")
    made: list[tuple[str, str]] = []

    def make(*statements: dict[str, Any]) -> Credentials:
        name = f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        if statements:
            policy = {"Version": "2012-10-17", "Statement": list(statements)}
            iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made.append((name, key["AccessKeyId"]))
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    yield make
    for name, key_id in made:
        iam.delete_access_key(UserName=name, AccessKeyId=key_id)
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        iam.delete_user(UserName=name)
