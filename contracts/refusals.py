"""How the API refuses: a status, a code for machines, a sentence for people; API Gateway likewise."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from shared.contracts import limits

Route = tuple[str, str]
"""Method and path."""

CODES: Mapping[Route, Mapping[int, Mapping[str, str]]] = {
    ("POST", "/pipeline"): {
        400: {
            "empty_body": "There is no body.",
            "invalid_idempotency_key": "The key is not 1 to 255 visible ASCII characters.",
            "invalid_json": "The body is not JSON.",
            "invalid_request": "The body breaks its schema. API Gateway checks first, and says so of any bad body.",
            "unknown_field": "The body has a field that the schema does not name.",
        },
        409: {"idempotency_conflict": "The `Idempotency-Key` was used before, with another body."},
        413: {"body_too_large": f"The body has more than {limits.REQUEST_BODY_BYTES:,} bytes."},
        415: {"unsupported_media_type": "The content type is not `application/json`."},
    },
    ("GET", "/pipeline/{pipeline_id}"): {
        404: {"not_found": "There is no pipeline with this id."},
    },
    ("DELETE", "/pipeline/{pipeline_id}"): {
        403: {"not_yours": "Another caller asked for this pipeline."},
        404: {"not_found": "There is no pipeline with this id."},
        409: {"already_over": "It has succeeded or failed already."},
    },
    ("GET", "/pipelines"): {
        400: {
            "invalid_parameter": "A parameter is not as described.",
            "unknown_parameter": "There is no such parameter.",
        },
    },
}
"""What a route refuses with, by status. `tests/contracts/test_openapi.py` holds this against the code."""
COMMON_CODES: Mapping[int, Mapping[str, str]] = {
    500: {"internal": "A bug on our side; nothing was accepted."},
    503: {"unavailable": "AWS refused or did not answer. Try again after `Retry-After` seconds."},
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
    own = {**CODES[route], **COMMON_CODES}
    found = {}
    for status in sorted({*own, *GATEWAY_CODES}):
        codes = {**own.get(status, {}), **GATEWAY_CODES.get(status, {})}
        headers = {"Access-Control-Allow-Origin": {"schema": {"type": "string"}}}
        if status == 503:
            headers["Retry-After"] = {"schema": {"type": "string"}}
        found[str(status)] = {
            "description": "\n".join(
                [_TITLES[status], "", *(f"- `{code}`: {text}" for code, text in codes.items())]
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
    return found
