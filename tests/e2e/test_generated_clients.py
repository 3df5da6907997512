"""Clients that others' generators make from docs/openapi.json have the right types, and call the deployed API."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from local import installing
from local.model_server import Reply, echo
from tests.clients.tools import ROOT, SOURCES, ToolError, Workplace, workplace
from tests.e2e.conftest import Deployment
from tests.e2e.support import granted

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

DOCUMENT = ROOT / "docs" / "openapi.json"
PATIENCE_SECONDS = 30


class PythonClient:
    """The client of openapi-python-client, checked with mypy."""

    sources = ("caller.py", "generator.yaml")

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.python = installing.CLIENTS_PYTHON
        place.run(
            *(self.python.parent / "openapi-python-client", "generate", "--path", DOCUMENT),
            *("--meta", "none", "--output-path", "pipeline_client"),
            *("--config", "generator.yaml", "--fail-on-warning"),
        )

    def check(self) -> None:
        self.place.run(
            *(installing.PYTHON, "-m", "mypy", "--config-file", SOURCES / "mypy.ini"),
            *("--python-executable", self.python, "--cache-dir", ".mypy_cache"),
            *("caller.py", "pipeline_client"),
        )

    def call(self, message: str, env: dict[str, str]) -> str:
        return self.place.run(self.python, "caller.py", message, env=env)

    def spoil(self) -> None:
        """Let the caller post a body that the document does not allow."""
        caller = self.place.folder / "caller.py"
        text = caller.read_text("utf-8")
        caller.write_text(text.replace("(user_message=sys.argv[1])", "(user_message=5)"), "utf-8")


class TypeScriptClient:
    """The types of openapi-typescript with openapi-fetch, checked with the TypeScript compiler."""

    sources = ("caller.ts", "tsconfig.json")

    def __init__(self, place: Workplace) -> None:
        self.place = place
        place.node(place.package("openapi-typescript/bin/cli.js"), DOCUMENT, "--output", "api.ts")

    def check(self) -> None:
        self.place.node(self.place.package("typescript/bin/tsc"), "--project", "tsconfig.json")

    def call(self, message: str, env: dict[str, str]) -> str:
        return self.place.node("caller.ts", message, env=env)

    def spoil(self) -> None:
        """Let the caller post a body that the document does not allow."""
        caller = self.place.folder / "caller.ts"
        text = caller.read_text("utf-8")
        caller.write_text(text.replace('{ user_message: " " }', "{ user_message: 5 }"), "utf-8")


@pytest.fixture(params=[PythonClient, TypeScriptClient], scope="module", ids=["python", "typescript"])
def client(request: Any) -> Iterator[Any]:
    with workplace(*request.param.sources) as place:
        yield request.param(place)


@pytest.fixture
def messages_held_until_cancelled(pipeline: Deployment) -> Iterator[str]:
    """Yield a message that the model answers only when its run is cancelled."""
    message = f"Never mind {uuid.uuid4().hex}"

    def held(question: str) -> Reply:
        until = time.monotonic() + PATIENCE_SECONDS
        while message in question and time.monotonic() < until and not _is_cancelled(pipeline, message):
            time.sleep(0.1)
        return echo(question)

    before, pipeline.model.behaviour = pipeline.model.behaviour, held
    yield message
    pipeline.model.behaviour = before


def _is_cancelled(pipeline: Deployment, message: str) -> bool:
    answer = pipeline.client("dynamodb").scan(
        TableName=pipeline.addresses["table/name"],
        FilterExpression="user_message = :message AND attribute_exists(cancel_requested_at)",
        ExpressionAttributeValues={":message": {"S": message}},
    )
    return bool(answer["Items"])


def test_a_generated_client_calls_every_public_route(
    pipeline: Deployment, user, client, messages_held_until_cancelled: str
):
    """A generated client posts both forms of a body, waits, lists by pages, cancels, and reads refusals as typed."""
    caller = user(*granted(pipeline, "ai-pipeline-local-api-caller-us-east-1"))
    printed = client.call(
        messages_held_until_cancelled,
        {
            "API_URL": pipeline.addresses["api/url"],
            "AWS_REGION": pipeline.connection.region,
            "AWS_ACCESS_KEY_ID": caller.access_key,
            "AWS_SECRET_ACCESS_KEY": caller.secret_key,
        },
    )
    report = json.loads(printed)
    first, second, waited, doomed = report["ids"]
    assert report["repeated"] == first
    assert all("You asked: " in answer for answer in [*report["answers"], report["waited"][1]])
    assert report["waited"][0] == "SUCCEEDED"
    assert report["cancelled"] == [doomed, "FAILED", "Pipeline.Cancelled"]
    assert [len(page) for page in report["pages"]] == [3, 1]
    assert {*report["pages"][0], *report["pages"][1]} == {first, second, waited, doomed}
    assert report["blank"] == [400, "invalid_request"]
    assert report["unknown"] == [404, "not_found"]
    assert report["too late"] == [409, "already_over"]


def test_a_generated_client_has_the_right_types(client):
    """A type checker accepts a generated client with its caller, and refuses a wrong body."""
    client.check()
    client.spoil()
    with pytest.raises(ToolError, match=r"caller\.(py|ts)"):
        client.check()
