"""An OpenAPI 3.1 document of the API, from its routes, its types and the codes it refuses with."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from contracts.answers import Accepted, Listing, Record
from contracts.examples import value_of
from contracts.references import project_version
from contracts.refusals import Refusal, Route, refusals
from infra.contract_schemas import posted, request_schema, version_name
from infra.environments import API_STAGE
from services.trigger.api import core, listing
from services.trigger.api.routes import Api, routes
from shared.contracts.envelope import TRACEPARENT_PATTERN
from shared.contracts.schemas import References, closed, components

_ABOUT = """\
Ask the AI pipeline, and read what became of a question. Every call is signed with AWS Signature Version 4 (service
`execute-api`) by an IAM principal that may `execute-api:Invoke` it; the managed policy
`ai-pipeline-<env>-api-caller` allows just that. The address of a deployment is the SSM parameter
`/ai-pipeline/<env>/api/url`. Errors of the API and of API Gateway have one shape."""

_SUMMARIES: Mapping[Route, str] = {
    ("POST", "/pipeline"): "Ask for an answer",
    ("GET", "/pipeline/{pipeline_id}"): "The status of a pipeline, and its answer",
    ("DELETE", "/pipeline/{pipeline_id}"): "Cancel a pipeline",
    ("GET", "/pipelines"): "The caller's own pipelines, newest first",
}


def openapi() -> dict[str, Any]:
    """Raises KeyError for a route that is not described here."""
    references, schemas = _components()
    refused = references[Refusal]
    paths: dict[str, Any] = {}
    for method, path in known_routes():
        operation_id, describe = _OPERATIONS[method, path]
        described = {
            "operationId": operation_id,
            "summary": _SUMMARIES[method, path],
            **describe(references),
        }
        described["responses"] |= refusals((method, path), refused)
        paths.setdefault(path, {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AI pipeline: the API",
            "version": project_version(),
            "description": _ABOUT.replace("\n", " "),
        },
        "servers": [
            {
                "url": f"https://{{api_id}}.execute-api.{{region}}.amazonaws.com/{API_STAGE}",
                "variables": {
                    "api_id": {"default": "example", "description": "The id of the deployed API."},
                    "region": {"default": "us-east-1", "description": "The AWS region of the deployment."},
                },
            }
        ],
        "security": [{"sigv4": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "description": "AWS Signature Version 4, service `execute-api`.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }


def known_routes() -> list[Route]:
    """Method and path of each, as the API's function has them."""
    # The table names methods of an API without calling any: the class has them as well.
    return sorted(routes(cast("Api", Api)), reverse=True)


def _components() -> tuple[References, dict[str, Any]]:
    """What is posted is closed to fields that its type does not name; an answer may have more."""
    answers, opened = components([Refusal, Record, Accepted, Listing], str)
    requests, posted_schemas = components(posted(), version_name)
    if both := opened.keys() & posted_schemas.keys():
        raise ValueError(f"types both posted and answered: {', '.join(sorted(both))}")
    return {**answers, **requests}, opened | closed(posted_schemas)


def _post(references: References) -> dict[str, Any]:
    request = request_schema()
    return {
        "description": (
            "Answers at once, unless `Prefer` says otherwise; the pipeline runs on its own. Follow `status_url` "
            "until the status is SUCCEEDED or FAILED. With an `Idempotency-Key` a repeated request is the same "
            "pipeline, and starts nothing new."
        ),
        "parameters": [
            _PREFER,
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Names this request among the caller's own, so that it can be repeated safely.",
                "schema": {"type": "string", "pattern": core.IDEMPOTENCY_KEY.pattern},
                "example": "order-4711",
            },
            {
                "name": "traceparent",
                "in": "header",
                "description": "W3C trace context. One that is not well-formed is ignored.",
                "schema": {"type": "string", "pattern": TRACEPARENT_PATTERN},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [references[kind] for kind in posted()]},
                    "example": value_of(request, request, required_only=True),
                }
            },
        },
        "responses": {
            "200": _answer("With `Prefer: wait`: it is over, and this is its record.", Record, references),
            "202": _answer("The request is accepted.", Accepted, references),
        },
    }


_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": (
        f"`wait=N`: answer as soon as the run is over, after N seconds at the latest ({core.LONGEST_WAIT_SECONDS} "
        "at most). Another preference is ignored."
    ),
    "schema": {"type": "string"},
    "example": "wait=10",
}
_PIPELINE_ID = {
    "name": "pipeline_id",
    "in": "path",
    "required": True,
    "description": "As POST answered it; or the id of a published event.",
    "schema": {"type": "string", "pattern": core.PIPELINE_ID.pattern},
}


def _get(references: References) -> dict[str, Any]:
    return {
        "parameters": [_PIPELINE_ID, _PREFER],
        "responses": {"200": _answer("The pipeline's record.", Record, references)},
    }


def _delete(references: References) -> dict[str, Any]:
    return {
        "description": (
            "A stage at work ends its work, no further stage begins; the record then says FAILED with "
            "`Pipeline.Cancelled`. Repeating it changes nothing. What came through the API is cancelled by its "
            "caller alone."
        ),
        "parameters": [_PIPELINE_ID],
        "responses": {
            "200": _answer("It was cancelled before, and has ended.", Record, references),
            "202": _answer("It will end; follow `status_url`.", Accepted, references),
        },
    }


def _list(references: References) -> dict[str, Any]:
    def parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
        return {"name": name, "in": "query", "description": description, "schema": schema}

    return {
        "description": (
            "Those that the same principal (a role's sessions are one) asked for through the API. What is published "
            "to the bus is in nobody's list. The list may be a moment behind."
        ),
        "parameters": [
            parameter("status", {"enum": list(listing.STATUSES)}, "Only those that stand so."),
            parameter(
                "since",
                {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]},
                "Accepted since; UTC where no offset is given.",
            ),
            parameter(
                "limit",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": listing.MAX_LIMIT,
                    "default": listing.DEFAULT_LIMIT,
                },
                "At most so many.",
            ),
            parameter("next", {"type": "string"}, "As the page before gave it."),
        ],
        "responses": {"200": _answer("A page of them.", Listing, references)},
    }


_OPERATIONS: Mapping[Route, tuple[str, Callable[[References], dict[str, Any]]]] = {
    ("POST", "/pipeline"): ("requestPipeline", _post),
    ("GET", "/pipeline/{pipeline_id}"): ("getPipeline", _get),
    ("DELETE", "/pipeline/{pipeline_id}"): ("cancelPipeline", _delete),
    ("GET", "/pipelines"): ("listPipelines", _list),
}


def _answer(description: str, kind: Any, references: References) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _headers(),
        "content": {
            "application/json": {"schema": references[kind], "example": _example(kind)},
        },
    }


def _example(kind: Any) -> Any:
    """Of a run that ended well: what only a failed or degraded one has is left out."""
    schema = msgspec.json.schema(kind)
    example = value_of(schema, schema)
    if "final_response" in example:
        example |= {"degraded": [], "instead": {}, "errors": {}}
        for field in ("error", "cause", "stage", "cancel_requested_at"):
            del example[field]
    elif "status_url" in example:
        example["status"] = "ACCEPTED"
    return example


def _headers() -> dict[str, Any]:
    return {
        "Access-Control-Allow-Origin": {"schema": {"type": "string"}},
        "Cache-Control": {"schema": {"const": "no-store"}},
        "Preference-Applied": {"description": "Where a wait was asked for.", "schema": {"type": "string"}},
    }
