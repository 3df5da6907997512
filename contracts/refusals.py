"""The refusals of each route and of API Gateway: a status, a code for programs and a sentence for people."""

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
    ("GET", "/pipeline/{pipeline_id}"): (Reason.NOT_OWNER, Reason.UNKNOWN_PIPELINE),
    ("DELETE", "/pipeline/{pipeline_id}"): (
        Reason.NOT_OWNER,
        Reason.UNKNOWN_PIPELINE,
        Reason.ALREADY_OVER,
    ),
    ("GET", "/pipelines"): (Reason.INVALID_PARAMETER, Reason.UNKNOWN_PARAMETER),
    ("GET", "/operator/pipeline/{pipeline_id}"): (Reason.UNKNOWN_PIPELINE,),
    ("GET", "/approvals"): (),
    ("GET", "/approvals/{pipeline_id}"): (Reason.NOT_WAITING,),
    ("POST", "/approvals/{pipeline_id}"): (
        Reason.EMPTY_BODY,
        Reason.INVALID_JSON,
        Reason.INVALID_REQUEST,
        Reason.UNKNOWN_FIELD,
        Reason.NOT_WAITING,
        Reason.ALREADY_DECIDED,
        Reason.RUN_ENDED,
        Reason.BODY_TOO_LARGE,
        Reason.UNSUPPORTED_MEDIA_TYPE,
    ),
}
"""The reasons for which each route refuses a request, in addition to those that all routes share."""
COMMON_REASONS = (Reason.INTERNAL, Reason.UNAVAILABLE)
GATEWAYS_ROUTE = Reason.UNKNOWN_ROUTE
"""The reason for which API Gateway itself refuses a request: it has no such route."""
_NOTES: Mapping[str, str] = {
    Reason.INVALID_REQUEST.code: (
        " API Gateway checks the body first; its own refusal has this code but does not name the place."
    )
}
GATEWAY_CODES: Mapping[int, Mapping[str, str]] = {
    403: {
        "ACCESS_DENIED": "The IAM principal that signed the request is not allowed to call this route.",
        "EXPIRED_TOKEN": "The session of the IAM principal that signed the request has expired. Log in again.",
        "INVALID_SIGNATURE": "The signature is not valid.",
        "MISSING_AUTHENTICATION_TOKEN": "The request is not signed, or there is no such route.",
    },
    429: {
        "QUOTA_EXCEEDED": "The quota of a usage plan is used up.",
        "THROTTLED": "There are too many requests per second. Try again a little later.",
    },
    500: {"DEFAULT_5XX": "API Gateway could not reach the API. Try again a little later."},
    504: {
        "INTEGRATION_TIMEOUT": (
            "The API did not answer in time. Repeat the request, with its `Idempotency-Key` if it had one."
        )
    },
}
"""The refusals of API Gateway itself, which concern every route. It may use other response types as well."""
_TITLES: Mapping[int, str] = {
    400: "The request is not valid.",
    403: "The caller is unknown or is not allowed to do this.",
    404: "There is no such pipeline.",
    409: "The request conflicts with an earlier request or with the status of the pipeline.",
    413: "The request body is too large.",
    415: "The request body is not JSON.",
    429: "The caller sent too many requests.",
    500: "The API failed unexpectedly.",
    503: "The API is temporarily unavailable.",
    504: "The API did not answer in time.",
}


class Problem(Struct, frozen=True, kw_only=True):
    """The reason for a refusal."""

    code: str
    message: str


class Refusal(Struct, frozen=True, kw_only=True):
    """The body of every refusal: a code for programs and a sentence for people."""

    error: Problem


def refusals(route: Route, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI responses with which a route refuses requests. `schema` is that of a Refusal."""
    reasons = (*REASONS[route], *COMMON_REASONS)
    responses = {}
    for status in sorted({*(reason.status for reason in reasons), *GATEWAY_CODES}):
        codes = {
            **{reason.code: reason.example for reason in reasons if reason.status == status},
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
