"""How the API refuses: a status, a code for machines, a sentence for people; API Gateway likewise."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from services.trigger.api.refusals import Reason

Route = tuple[str, str]
"""Method and path."""

REASONS: Mapping[Route, tuple[Reason, ...]] = {
    ("POST", "/pipeline"): (
        Reason.EMPTY_BODY,
        Reason.INVALID_IDEMPOTENCY_KEY,
        Reason.INVALID_JSON,
        Reason.INVALID_REQUEST,
        Reason.UNKNOWN_FIELD,
        Reason.IDEMPOTENCY_CONFLICT,
        Reason.BODY_TOO_LARGE,
        Reason.UNSUPPORTED_MEDIA_TYPE,
    ),
    ("GET", "/pipeline/{pipeline_id}"): (Reason.UNKNOWN_PIPELINE,),
    ("DELETE", "/pipeline/{pipeline_id}"): (
        Reason.NOT_OWNER,
        Reason.UNKNOWN_PIPELINE,
        Reason.ALREADY_OVER,
    ),
    ("GET", "/pipelines"): (Reason.INVALID_PARAMETER, Reason.UNKNOWN_PARAMETER),
}
"""The reasons for which each route refuses, beside those that are common to all."""
COMMON_REASONS = (Reason.INTERNAL, Reason.UNAVAILABLE)
GATEWAYS_ROUTE = Reason.UNKNOWN_ROUTE
"""API Gateway knows the routes, and refuses what is none itself."""
_NOTES: Mapping[str, str] = {
    Reason.INVALID_REQUEST.code: " API Gateway checks the body first; its refusal has this code, but no place."
}
GATEWAY_CODES: Mapping[int, Mapping[str, str]] = {
    403: {
        "ACCESS_DENIED": "The signer may not call this.",
        "EXPIRED_TOKEN": "The signer's session is over.",
        "INVALID_SIGNATURE": "The signature is not valid.",
        "MISSING_AUTHENTICATION_TOKEN": "The request is not signed, or there is no such route.",
    },
    429: {
        "QUOTA_EXCEEDED": "A usage plan's quota is used up.",
        "THROTTLED": "Too many requests per second. Try again a little later.",
    },
    500: {"DEFAULT_5XX": "API Gateway could not ask the API."},
    504: {"INTEGRATION_TIMEOUT": "The API did not answer in time. Repeat with the same `Idempotency-Key`."},
}
"""What API Gateway itself refuses with, on every route; there may be more of its response types."""
_TITLES: Mapping[int, str] = {
    400: "The request is wrong.",
    403: "The caller is not known, or may not do this.",
    404: "It is not there.",
    409: "It contradicts an earlier request.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests.",
    500: "Something went wrong on our side.",
    503: "It can't be taken now.",
    504: "It took too long.",
}


class Problem(Struct, frozen=True, kw_only=True):
    """What was wrong."""

    code: str
    message: str


class Refusal(Struct, frozen=True, kw_only=True):
    """Every answer other than success: a code for machines, a sentence for people."""

    error: Problem


def refusals(route: Route, schema: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI's responses for what a route refuses with. `schema` is that of a Refusal."""
    own = (*REASONS[route], *COMMON_REASONS)
    responses = {}
    for status in sorted({*(reason.status for reason in own), *GATEWAY_CODES}):
        codes = {
            **{reason.code: reason.example for reason in own if reason.status == status},
            **GATEWAY_CODES.get(status, {}),
        }
        headers = {"Access-Control-Allow-Origin": {"schema": {"type": "string"}}}
        if status == 503:
            headers["Retry-After"] = {"schema": {"type": "string"}}
        responses[str(status)] = {
            "description": "\n".join(
                [
                    _TITLES[status],
                    "",
                    *(f"- `{code}`: {text}{_NOTES.get(code, '')}" for code, text in codes.items()),
                ]
            ),
            "headers": headers,
            "content": {
                "application/json": {
                    "schema": schema,
                    "examples": {
                        code: {"value": {"error": {"code": code, "message": text}}}
                        for code, text in codes.items()
                    },
                }
            },
        }
    return responses
