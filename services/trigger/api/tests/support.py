"""The API under test, and requests as API Gateway sends them."""

import json
from typing import Any

from services.trigger.api.listing import Listing
from services.trigger.api.routes import Api
from shared.bus import Bus

JSON = {"Content-Type": "application/json"}


ALICE = "arn:aws:iam::000000000000:user/alice"


def make_api(records, events, executions=None, **options):
    lists = Listing(records._client, "PipelineLogs")
    return Api(records, Bus(lambda: events, "bus"), lists, lambda: executions, **options)


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


def get(pipeline_id: str) -> dict[str, Any]:
    return {
        "httpMethod": "GET",
        "resource": "/pipeline/{pipeline_id}",
        "pathParameters": {"pipeline_id": pipeline_id},
    }
