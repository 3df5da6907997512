"""The real app on a real engine, which is started once for each test process, with a port and a folder of its own.

With `pytest -n`, all tests of a file run in the same process one after the other, and so do all files that deploy:
what one of them leaves is known to be good for the others.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.options import load
from local.connection import Connection
from local.deploy import up
from local.engine import Engine
from local.model_server import ModelServer, model_server
from local.paths import STATE
from local.testing import denied, own_engine
from shared.contracts.record import FINAL
from shared.contracts.stages import STAGES

PATIENCE_SECONDS = 30 + max(load("local").sizing_of(stage.service).visibility_seconds for stage in STAGES)
"""Longer than the message of a killed worker stays invisible, whichever it was."""
POLL_SECONDS = 1.5
"""Longer than the engine's pause between two polls of a queue."""
DEPLOYS = pytest.mark.xdist_group("deploys")
"""Mark of tests that deploy, which run in one process one after the other."""


def eventually(probe: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Call `probe` until it returns a truthy value, and return that. Fails after `seconds`."""
    until = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > until:
            raise AssertionError(f"the expected value did not appear within {seconds} s")
        time.sleep(0.1)
    return value


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: Any


@dataclass
class Deployment:
    """A deployed pipeline, with the methods that tests use to call and to observe it."""

    connection: Connection
    engine: Engine
    model: ModelServer
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        signer = credentials or self.credentials
        key = f"{service}/{signer.access_key}"
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self.connection.endpoint_url,
                region_name=self.connection.region,
                aws_access_key_id=signer.access_key,
                aws_secret_access_key=signer.secret_key,
            )
        return self._clients[key]

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.connection.access_key_id, self.connection.secret_access_key)

    @cached_property
    def addresses(self) -> dict[str, str]:
        pages = self.client("ssm").get_paginator("get_parameters_by_path")
        return {
            parameter["Name"].removeprefix("/ai-pipeline/local/"): parameter["Value"]
            for page in pages.paginate(Path="/ai-pipeline/local/", Recursive=True)
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
        """Send a request to the API, signed by the deployer, by other credentials, or not at all (False)."""
        url = self.addresses["api/url"] + path
        raw = body if isinstance(body, (str, type(None))) else json.dumps(body)
        request = AWSRequest(
            method, url, data=raw, headers={"Content-Type": "application/json", **(headers or {})}
        )
        if signed_by:
            credentials = self.credentials if signed_by is True else signed_by
            SigV4Auth(credentials, "execute-api", self.connection.region).add_auth(request)
        response = urllib3.request(
            method, url, body=raw, headers=dict(request.headers), retries=False, timeout=30
        )
        return Answer(response.status, response.headers, json.loads(response.data) if response.data else None)

    def publish(
        self, *details: Any, detail_type: str = "pipeline.requested.v1", source: str = "ai.pipeline"
    ) -> list[str]:
        """Publish details on the bus and return the event ids. A detail that is a string is sent unchanged."""
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
        """Return the record as the API shows it to operators, or an empty one."""
        answer = self.call("GET", f"/operator/pipeline/{pipeline_id}")
        return answer.body if answer.status == 200 else {}

    def finished(self, pipeline_id: str) -> dict[str, Any]:
        """Wait until the run has ended, and return its record."""

        def probe() -> dict[str, Any] | None:
            record = self.record(pipeline_id)
            return record if record.get("status") in FINAL else None

        return dict(eventually(probe))

    def denied(self, function: str, *actions: str) -> AbstractContextManager[None]:
        """Deny `actions` to the function's role inside the context."""
        return denied(self.client, function, *actions)

    @contextmanager
    def set(self, function: str, **variables: str) -> Iterator[None]:
        """Set variables of a function's environment inside the context."""
        functions, name = self.client("lambda"), f"ai-pipeline-local-{function}"
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**before, **variables}}
        )
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    @contextmanager
    def visible_after(self, service: str, seconds: int) -> Iterator[str]:
        """Set a queue's visibility timeout inside the context. Yields the queue's URL."""
        sqs, url = self.client("sqs"), self.addresses[f"services/{service}/queue-url"]
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
        try:
            yield url
        finally:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=before)

    @contextmanager
    def stopped(self, service: str) -> Iterator[str]:
        """Stop a service from receiving messages inside the context. Yields its queue's URL."""
        functions = self.client("lambda")
        name = f"ai-pipeline-local-{'starter' if service == 'trigger' else service}"
        (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        time.sleep(POLL_SECONDS)  # the engine still delivers what it is receiving now
        try:
            yield self.addresses[f"services/{service}/queue-url"]
        finally:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    @contextmanager
    def another_app(self) -> Iterator[None]:
        """Put the synthesised app aside inside the context, which deploys another one: a synth takes seconds."""
        assembly = self.engine.state.assembly
        paths = (assembly, assembly.with_name(f"{assembly.name}.key"))
        with TemporaryDirectory(dir=assembly.parent) as aside:
            for path in paths:
                path.rename(Path(aside, path.name))
            try:
                yield
            finally:
                shutil.rmtree(assembly, ignore_errors=True)
                for path in paths:
                    Path(aside, path.name).replace(path)

    def asked(self, text: str) -> int:
        """Return how often the model was asked about a message that contains `text`."""
        return sum(text in str(request["messages"][-1]) for request in self.model.requests)

    def parked(self, service: str) -> list[dict[str, Any]]:
        """Take up to ten messages from a service's DLQ."""
        url = self.addresses[f"services/{service}/dlq-url"]
        answer = self.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        )
        for message in answer.get("Messages", []):
            self.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return list(answer.get("Messages", []))


@contextmanager
def deployed(name: str) -> Iterator[Deployment]:
    """Yield the pipeline, deployed to an engine of its own, whose folder has this name."""
    with model_server() as model, own_engine(STATE / f"test-{name}", model=model.model) as engine:
        yield Deployment(connection=up(engine).connection, engine=engine, model=model)


@pytest.fixture(scope="session")
def pipeline(worker_id: str) -> Iterator[Deployment]:
    with deployed(worker_id) as deployment:
        yield deployment


@pytest.fixture
def user(pipeline: Deployment) -> Iterator[Callable[..., Credentials]]:
    """Yield a function that creates IAM users with these policy statements. They are deleted after the test."""
    iam = pipeline.client("iam")
    created: list[tuple[str, str]] = []

    def make(*statements: dict[str, Any]) -> Credentials:
        name = f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        if statements:
            policy = {"Version": "2012-10-17", "Statement": list(statements)}
            iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        created.append((name, key["AccessKeyId"]))
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    yield make
    for name, key_id in created:
        iam.delete_access_key(UserName=name, AccessKeyId=key_id)
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        iam.delete_user(UserName=name)
