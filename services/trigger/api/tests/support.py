"""The API under test, and requests as API Gateway sends them."""

import json
from typing import Any

from services.trigger.api import handler as api
from services.trigger.api.core import read_request
from services.trigger.api.listing import Listing
from services.trigger.api.routes import Api, Routes
from services.trigger.api.state import State
from shared.bus import Bus
from shared.tests.fakes import create_state_table

JSON = {"Content-Type": "application/json"}
ALICE = "arn:aws:iam::000000000000:user/alice"
BOB = "arn:aws:iam::000000000000:user/bob"


def make_state(client: Any, *, max_waiting: int = 2, **options: Any) -> State:
    """Return the API's state in a table that is made if there is none."""
    if "state" not in client.list_tables()["TableNames"]:
        create_state_table(client)
    return State(client, "state", max_waiting=max_waiting, window_seconds=30, **options)


def make_api(records, events, executions=None, *, state=None, **options):
    lists = Listing(records._client, "PipelineLogs")
    state = state or make_state(records._client)
    return Api(records, Bus(lambda: events, "bus"), lists, lambda: executions, lambda: state, **options)


def post(body: Any, headers: dict[str, str] | None = None, who: str = ALICE, **extra: Any) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "resource": "/pipeline",
        "path": "/pipeline",
        "headers": {**JSON, "Host": "api.example", **(headers or {})},
        "body": body if isinstance(body, str) else json.dumps(body),
        "requestContext": {"identity": {"userArn": who}, "path": "/v1/pipeline"},
        **extra,
    }


def get(pipeline_id: str, who: str = ALICE, resource: str = "/pipeline/{pipeline_id}") -> dict[str, Any]:
    return {
        "httpMethod": "GET",
        "resource": resource,
        "pathParameters": {"pipeline_id": pipeline_id},
        "requestContext": {"identity": {"userArn": who}},
    }


def answer(routes: Routes, event: dict[str, Any]) -> tuple[int, Any]:
    """Return status and body of an event's answer, the latter as its caller reads it."""
    status, body, _ = api.answer(routes, read_request(event))
    return status, json.loads(json.dumps(body))


def finish(records, pipeline_id: str, status: str = "SUCCEEDED", **fields: Any) -> None:
    assert records.advance(pipeline_id, status, {"final_response": "An answer.", **fields})
