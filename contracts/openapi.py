"""The generator of docs/openapi.json, an OpenAPI 3.1 document of the API, from its routes, types and refusals."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from contracts.answers import Accepted, Listing, Record, Waiting, WaitingAnswers
from contracts.examples import value_of
from contracts.references import project_version
from contracts.refusals import Refusal, Route, refusals
from infra.contract_schemas import posted, request_schema, version_name
from infra.environments import API_STAGE
from services.trigger.api import core, listing
from services.trigger.api.approvals import DecisionRequested
from services.trigger.api.routes import Api, routes
from shared.contracts.envelope import TRACEPARENT_PATTERN
from shared.contracts.schemas import References, closed, components

_ABOUT = """\
Send messages to the AI pipeline and read its answers. A pipeline, in this API, is the run of one message through all
stages. Every call must be signed with AWS Signature Version 4 (service `execute-api`) by an IAM principal that has
the permission `execute-api:Invoke`; the managed policy `ai-pipeline-<env>-api-caller-<region>` grants exactly that,
except for the routes under `/operator`, which `ai-pipeline-<env>-api-operator-<region>` grants, and those under
`/approvals`, which `ai-pipeline-<env>-api-approver-<region>` grants. A caller is an IAM
user, a role with all its sessions, a user of IAM Identity Center, or an identity of a Cognito identity pool. The SSM
parameter `/ai-pipeline/<env>/api/url` holds the address of a deployment. Errors of the API and of API Gateway have
the same shape."""

_SUMMARIES: Mapping[Route, str] = {
    ("POST", "/pipeline"): "Submit a message and start a pipeline",
    ("GET", "/pipeline/{pipeline_id}"): "Read the status of a pipeline and its answer",
    ("DELETE", "/pipeline/{pipeline_id}"): "Cancel a pipeline",
    ("GET", "/pipelines"): "List the caller's own pipelines, newest first",
    ("GET", "/operator/pipeline/{pipeline_id}"): "Read any pipeline, as an operator",
    ("GET", "/approvals"): "List the answers that wait for approval, the oldest first",
    ("GET", "/approvals/{pipeline_id}"): "Read an answer that waits, or the decision on it",
    ("POST", "/approvals/{pipeline_id}"): "Approve, reject or edit an answer",
}


def openapi() -> dict[str, Any]:
    """Return the document. Raises KeyError for a route that is not described here."""
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
                    "description": "Requests are signed with AWS Signature Version 4 for the service `execute-api`.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }


def known_routes() -> list[Route]:
    """Return the method and path of every route that the API's function serves."""
    # `routes` only names the methods of its argument and calls none, so the class can stand for an instance.
    return sorted(routes(cast("Api", Api)), reverse=True)


def _components() -> tuple[References, dict[str, Any]]:
    """Return references and schemas. A request may have only the fields of its type; an answer may have more."""
    answers, opened = components([Refusal, Record, Accepted, Listing, Waiting, WaitingAnswers], str)
    requests, posted_schemas = components([*posted(), DecisionRequested], version_name)
    if both := opened.keys() & posted_schemas.keys():
        raise ValueError(f"types both posted and answered: {', '.join(sorted(both))}")
    return {**answers, **requests}, opened | closed(posted_schemas)


def _post(references: References) -> dict[str, Any]:
    request = request_schema()
    return {
        "description": (
            "Accepts a message and answers at once, while the pipeline runs in the background; the header `Prefer` "
            "asks the API to wait. Call `status_url` until the status is SUCCEEDED or FAILED. A request repeated "
            "with the same `Idempotency-Key` refers to the same pipeline and starts nothing new."
        ),
        "parameters": [
            _PREFER,
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": (
                    "A key that the caller chooses for this request, so that the request can be repeated safely."
                ),
                "schema": {"type": "string", "pattern": core.IDEMPOTENCY_KEY.pattern},
                "example": "order-4711",
            },
            {
                "name": "traceparent",
                "in": "header",
                "description": "The caller's W3C trace context. A value that is not well-formed is ignored.",
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
            "200": _answer(
                "The pipeline finished within the time given in `Prefer: wait`. The body is its record.",
                Record,
                references,
            ),
            "202": _answer("The request is accepted; the pipeline has not finished.", Accepted, references),
        },
    }


_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": (
        "With `wait=N` the API answers as soon as the pipeline has finished, or after N seconds "
        f"(at most {core.LONGEST_WAIT_SECONDS}). If too many callers wait already, it answers at once, without the "
        "header `Preference-Applied`. Other preferences are ignored."
    ),
    "schema": {"type": "string"},
    "example": "wait=10",
}
_PIPELINE_ID = {
    "name": "pipeline_id",
    "in": "path",
    "required": True,
    "description": "The pipeline's id, as returned by POST, or the id of an event published to the bus.",
    "schema": {"type": "string", "pattern": core.PIPELINE_ID.pattern},
}


def _get(references: References) -> dict[str, Any]:
    return {
        "description": (
            "Returns the record of a pipeline. A pipeline that was submitted through the API can be read only by the "
            "caller who submitted it, one that was requested on the bus by every caller who knows its id."
        ),
        **_shown(references),
    }


def _get_any(references: References) -> dict[str, Any]:
    return {
        "description": (
            "Returns the record of a pipeline, whoever submitted it. IAM decides who is an operator: the policy for "
            "callers does not allow this route."
        ),
        **_shown(references),
    }


def _shown(references: References) -> dict[str, Any]:
    return {
        "parameters": [_PIPELINE_ID, _PREFER],
        "responses": {"200": _answer("The pipeline's record.", Record, references)},
    }


def _delete(references: References) -> dict[str, Any]:
    return {
        "description": (
            "Cancels a pipeline. A stage that is at work finishes, and no further stage begins; the record then has "
            "the status FAILED and the error `Pipeline.Cancelled`. Repeating the request changes nothing. A pipeline "
            "that was submitted through the API can be cancelled only by the caller who submitted it."
        ),
        "parameters": [_PIPELINE_ID],
        "responses": {
            "200": _answer(
                "The pipeline was cancelled earlier and has finished. The body is its record.",
                Record,
                references,
            ),
            "202": _answer(
                "The cancellation is accepted. Call `status_url` until the pipeline has finished.",
                Accepted,
                references,
            ),
        },
    }


def _list(references: References) -> dict[str, Any]:
    def parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
        return {"name": name, "in": "query", "description": description, "schema": schema}

    return {
        "description": (
            "Lists the pipelines that the caller submitted through the API; all sessions of a role are one caller. "
            "Pipelines that were requested on the bus are in no list. A pipeline may appear "
            "in the list a moment after it was accepted."
        ),
        "parameters": [
            parameter("status", {"enum": list(listing.STATUSES)}, "Return only pipelines with this status."),
            parameter(
                "since",
                {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]},
                "Return only pipelines accepted at or after this time, which is UTC if it has no offset.",
            ),
            parameter(
                "limit",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": listing.MAX_LIMIT,
                    "default": listing.DEFAULT_LIMIT,
                },
                "The maximum number of pipelines on the page.",
            ),
            parameter("next", {"type": "string"}, "The value of `next` from the previous page."),
        ],
        "responses": {"200": _answer("One page of the caller's pipelines.", Listing, references)},
    }


_ONLY_IF_ON = (
    " The route exists only where the option `approval` is switched on; the managed policy "
    "`ai-pipeline-<env>-api-approver-<region>` grants it."
)


def _approvals(references: References) -> dict[str, Any]:
    return {
        "description": "Lists the answers that nobody has decided on, without their texts." + _ONLY_IF_ON,
        "responses": {"200": _answer("The waiting answers.", WaitingAnswers, references)},
    }


def _approval(references: References) -> dict[str, Any]:
    return {
        "description": "Returns a message and the answer that waits, also after the decision on it."
        + _ONLY_IF_ON,
        "parameters": [_PIPELINE_ID],
        "responses": {"200": _answer("The answer, or the decision.", Waiting, references)},
    }


def _decide(references: References) -> dict[str, Any]:
    schema = msgspec.json.schema(DecisionRequested)
    return {
        "description": (
            "Decides on an answer, once, in the caller's name. The same decision of the same caller again changes "
            "nothing and has the same answer; any other one is refused with who decided." + _ONLY_IF_ON
        ),
        "parameters": [_PIPELINE_ID],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": references[DecisionRequested],
                    "example": value_of(schema, schema, required_only=True),
                }
            },
        },
        "responses": {"200": _answer("The decision is taken.", Waiting, references)},
    }


_OPERATIONS: Mapping[Route, tuple[str, Callable[[References], dict[str, Any]]]] = {
    ("POST", "/pipeline"): ("requestPipeline", _post),
    ("GET", "/pipeline/{pipeline_id}"): ("getPipeline", _get),
    ("DELETE", "/pipeline/{pipeline_id}"): ("cancelPipeline", _delete),
    ("GET", "/pipelines"): ("listPipelines", _list),
    ("GET", "/operator/pipeline/{pipeline_id}"): ("getAnyPipeline", _get_any),
    ("GET", "/approvals"): ("listApprovals", _approvals),
    ("GET", "/approvals/{pipeline_id}"): ("getApproval", _approval),
    ("POST", "/approvals/{pipeline_id}"): ("decide", _decide),
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
    """Return an example of an answer of type `kind`.

    A record is that of a run that succeeded, without the fields of failed and degraded runs; an accepted request has
    the status ACCEPTED; a page has whatever its schema gives.
    """
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
        "Preference-Applied": {
            "description": "The wait that was applied; absent if the request asked for none or could not wait.",
            "schema": {"type": "string"},
        },
    }
