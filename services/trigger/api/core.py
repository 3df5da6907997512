"""Reads requests to the API, and selects the fields of a record that the API shows. Pure."""

import base64
import hashlib
import hmac
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from services.trigger.api.refusals import ApiError, Reason
from shared.contracts import limits, v1, v2
from shared.contracts.envelope import traceparent_of, well_formed
from shared.contracts.reading import NOT_JSON, read, typed, unknown_in
from shared.contracts.record import CANCELLED, unknown_stages
from shared.contracts.stages import EVERY
from shared.contracts.upcasting import upcast
from shared.errors import ContractViolation

IDEMPOTENCY_KEY = re.compile(limits.IDEMPOTENCY_KEY_PATTERN)
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(?P<seconds>[0-9]{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)
PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)

PUBLIC_FIELDS = (
    "pipeline_id",
    "status",
    "timestamp",
    "user_message",
    *(stage.key for stage in EVERY[:-1]),
    "final_response",
    "execution_time_ms",
    "accepted_at",
    "started_at",
    "finished_at",
    "stages",
    "ended_by",
    "end_reason",
    "degraded",
    "instead",
    "errors",
    "error",
    "cause",
    "stage",
    "execution_arn",
    CANCELLED,
)
LONGEST_WAIT_SECONDS = 25
"""API Gateway waits at most 29 s for a function."""
_SSO_ROLE = "AWSReservedSSO_"
"""The beginning of the names of the roles that IAM Identity Center makes, one for each permission set."""


class Request(Struct, frozen=True, kw_only=True):
    """An HTTP request: the headers and parts of API Gateway's event that the routes use.

    `wait` is in seconds. `address` is the request's URL, or only its path if the host is not known.
    """

    method: str
    resource: str
    pipeline_id: str
    parameters: Mapping[str, str]
    caller: str
    api_id: str
    address: str
    content_type: str
    idempotency_key: str | None
    traceparent: str | None
    wait: int | None
    body: str
    encoded: bool


def read_request(event: Mapping[str, Any]) -> Request:
    """Return the request in an event of API Gateway, unchecked."""
    headers = _headers(event)
    context = event.get("requestContext") or {}
    host = headers.get("host") or context.get("domainName")
    pipeline_id = str((event.get("pathParameters") or {}).get("pipeline_id") or "")
    path = context.get("path") or event.get("path") or f"/pipeline/{pipeline_id}"
    return Request(
        method=str(event.get("httpMethod") or ""),
        resource=str(event.get("resource") or ""),
        pipeline_id=pipeline_id,
        parameters=_parameters(event),
        caller=_caller(context.get("identity") or {}),
        api_id=str(context.get("apiId")),
        address=f"https://{host}{path}" if host else path,
        content_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
        idempotency_key=headers.get("idempotency-key"),
        traceparent=headers.get("traceparent"),
        wait=_preferred_wait(headers.get("prefer", "")),
        body=event.get("body") or "",
        encoded=bool(event.get("isBase64Encoded")),
    )


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers by their names in lower case; a header in several lines has all their values."""
    single = {name.lower(): [value] for name, value in (event.get("headers") or {}).items()}
    lines: dict[str, list[str | None]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        lines.setdefault(name.lower(), []).extend(values or ())
    return _joined({**single, **lines})


def _parameters(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the query string's parameters; a repeated parameter has all its values."""
    single = {name: [value] for name, value in (event.get("queryStringParameters") or {}).items()}
    return _joined({**single, **(event.get("multiValueQueryStringParameters") or {})})


def _joined(values: Mapping[str, Sequence[str | None] | None]) -> dict[str, str]:
    """Return the values of each name, joined by commas. Equal values count once.

    Different values of what may have only one are not a valid value together, so that none of them is preferred.
    """
    given = {name: [one for one in several or () if one is not None] for name, several in values.items()}
    return {name: ", ".join(dict.fromkeys(several)) for name, several in given.items() if several}


def _caller(identity: Mapping[str, Any]) -> str:
    """Return who signed the request: an IAM user, a role, or one of the people who share a role.

    All sessions of a role are one caller: a retry may follow a new login, and whoever may take a role may choose the
    session's name. But the users of a Cognito identity pool, and those of IAM Identity Center, share a role without
    choosing its session's name: API Gateway names the former, and the latter's session is named after them.
    """
    if cognito := identity.get("cognitoIdentityId"):
        return f"cognito:{identity.get('cognitoIdentityPoolId') or ''}/{cognito}"
    arn = str(identity.get("userArn") or identity.get("caller") or identity.get("accessKey") or "")
    account, assumed, session = arn.partition(":assumed-role/")
    if assumed and not session.startswith(_SSO_ROLE):
        return f"{account}{assumed}{session.partition('/')[0]}"
    return arn


def _preferred_wait(preferences: str) -> int | None:
    """Return the seconds that the caller will wait for the result (`Prefer: wait=N`, RFC 7240).

    The number is at most LONGEST_WAIT_SECONDS.

    Returns None without a valid preference.
    """
    wait = _WAIT.search(preferences)
    return min(int(wait["seconds"]), LONGEST_WAIT_SECONDS) if wait else None


T = TypeVar("T")
AnyRequest = v1.PipelineRequested | v2.PipelineRequested


class Submission(Struct, frozen=True, kw_only=True):
    """A valid POST. `request` has the version that the caller sent, and is published; `newest` is upcast from it.

    `repeatable`: the caller gave an Idempotency-Key.
    """

    pipeline_id: str
    request: AnyRequest
    newest: v2.PipelineRequested
    repeatable: bool
    traceparent: str


def submission(request: Request, id_of: Callable[[str], str]) -> Submission:
    """Return the submission in a POST request. `id_of` is called for the pipeline id of a valid Idempotency-Key.

    Raises ApiError (400, 413, 415).
    """
    sent = posted(request, _version_of)
    key = request.idempotency_key
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise ApiError(Reason.INVALID_IDEMPOTENCY_KEY)
    pipeline_id = id_of(key) if key else uuid.uuid4().hex
    return Submission(
        pipeline_id=pipeline_id,
        request=sent,
        newest=upcast(sent, v2.PipelineRequested),
        repeatable=key is not None,
        traceparent=well_formed(request.traceparent) or traceparent_of(pipeline_id),
    )


def _body(request: Request) -> bytes:
    try:
        if request.encoded:  # some encoders wrap lines
            body = base64.b64decode("".join(request.body.split()), validate=True)
        else:
            body = request.body.encode()
    except (ValueError, AttributeError) as error:  # a test event may have an object in the place of the text
        raise ApiError(Reason.INVALID_JSON) from error
    if len(body) > limits.REQUEST_BODY_BYTES:
        raise ApiError(Reason.BODY_TOO_LARGE)
    body = body.removeprefix(b"\xef\xbb\xbf")
    if not body.strip():
        raise ApiError(Reason.EMPTY_BODY)
    return body


def posted(request: Request, kind_of: Callable[[Mapping[str, Any]], type[T]]) -> T:
    """Return the body of a POST as the type that its fields call for. The body is parsed once.

    Raises ApiError (400, 413, 415).
    """
    if request.content_type != "application/json":
        raise ApiError(Reason.UNSUPPORTED_MEDIA_TYPE)
    body = _body(request)
    try:
        fields = read(body, dict)
        sent = typed(fields, kind_of(fields))
    except ContractViolation as error:
        if error.reason == NOT_JSON:
            raise ApiError(Reason.INVALID_JSON) from error
        where = "" if error.path == "$" else f" (at {error.path})"
        raise ApiError(Reason.INVALID_REQUEST, problem=f"{error.reason}{where}") from error
    if path := unknown_in(fields, sent):
        raise ApiError(Reason.UNKNOWN_FIELD, field=path.removeprefix("$.")[:64])
    return sent


def _version_of(fields: Mapping[str, Any]) -> type[AnyRequest]:
    """Return the version of the request that has the fields of a body."""
    if "user_message" in fields and "messages" in fields:
        raise ApiError(
            Reason.INVALID_REQUEST, problem="it must have either `user_message` or `messages`, not both"
        )
    return v2.PipelineRequested if "messages" in fields else v1.PipelineRequested


def keyed_id(secret: bytes, caller: str, key: str) -> str:
    """Return the pipeline id for a caller's Idempotency-Key; another caller's equal key gives another id.

    Only who has the secret can compute it, so that nobody can use the id first, or guess whose it is.
    """
    return hmac.digest(secret, f"{caller}\n{key}".encode(), "sha256").hex()[:40]


def earlier_keyed_id(caller: str, key: str) -> str:
    """Return the pipeline id that releases up to 0.2.0 derived, without a secret."""
    return hashlib.sha256(f"{caller}\n{key}".encode()).hexdigest()[:40]


def public(record: Mapping[str, Any], fields: Sequence[str] = PUBLIC_FIELDS) -> dict[str, Any]:
    """Return a record as the API shows it: the public fields in a fixed order, and the results of other releases."""
    names = (*fields, *unknown_stages(record)) if fields is PUBLIC_FIELDS else fields
    return {name: record[name] for name in names if name in record}
