"""Pure: what a request to the API asks, and what an execution starts with."""

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from services.trigger.errors import ApiError
from shared.contracts import limits, v1, v2
from shared.contracts.envelope import Metadata
from shared.contracts.message import request_hash
from shared.contracts.reading import read, unknown_fields
from shared.contracts.traces import traceparent_of, well_formed
from shared.contracts.upcasting import upcast
from shared.errors import ContractViolation
from shared.records import CANCELLED, LISTED

IDEMPOTENCY_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(?P<seconds>[0-9]{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)
PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)

PUBLIC_FIELDS = (
    "pipeline_id",
    "status",
    "timestamp",
    "user_message",
    "analysis",
    "final_response",
    "execution_time_ms",
    "accepted_at",
    "started_at",
    "finished_at",
    "chat",
    "enhancement",
    "stages",
    "degraded",
    "instead",
    "errors",
    "error",
    "cause",
    "stage",
    "execution_arn",
    CANCELLED,
)
LISTED_FIELDS = tuple(name for name in LISTED if name not in ("owner", "listed_at"))
LONGEST_WAIT_SECONDS = 25
"""API Gateway gives a function 29 s."""


Requested = v1.PipelineRequested | v2.PipelineRequested


class Submission(Struct, frozen=True, kw_only=True):
    """A valid POST. `request` is published in the version in which the caller asked."""

    pipeline_id: str
    request: Requested
    repeatable: bool
    traceparent: str

    @property
    def asked(self) -> v2.PipelineRequested:
        return upcast(self.request, v2.PipelineRequested)


def submission(event: Mapping[str, Any]) -> Submission:
    """Reads a POST. Raises ApiError (400, 413, 415)."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    kind = (headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "unsupported_media_type", "Send JSON, with `Content-Type: application/json`.")
    request = _request(_body(event))
    key = headers.get("idempotency-key")
    if key is not None and not IDEMPOTENCY_KEY.match(key):
        raise ApiError(
            400, "invalid_idempotency_key", "`Idempotency-Key` must be 1 to 255 visible ASCII characters."
        )
    pipeline_id = keyed_id(caller(event), key) if key else uuid.uuid4().hex
    return Submission(
        pipeline_id=pipeline_id,
        request=request,
        repeatable=key is not None,
        traceparent=well_formed(headers.get("traceparent")) or traceparent_of(pipeline_id),
    )


def _body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (ValueError, UnicodeEncodeError) as error:
        raise ApiError(400, "invalid_json", "The body can't be decoded.") from error
    if len(body) > limits.REQUEST_BODY_BYTES:
        raise ApiError(
            413, "body_too_large", f"The body must be at most {limits.REQUEST_BODY_BYTES:,} bytes of JSON."
        )
    if not body.strip():
        raise ApiError(400, "empty_body", 'The body is empty. Send {"user_message": "…"}.')
    return body


class _Door(Struct):
    """Which version a body is: the one field that each requires."""

    user_message: Raw | UnsetType = UNSET
    messages: Raw | UnsetType = UNSET


def _request(body: bytes) -> Requested:
    try:
        fields = read(body, _Door)
        if fields.user_message is not UNSET and fields.messages is not UNSET:
            raise ApiError(
                400,
                "invalid_request",
                "Send `user_message`, or `messages` with the conversation before it; not both.",
            )
        kind: type[Requested] = v1.PipelineRequested if fields.messages is UNSET else v2.PipelineRequested
        request = read(body, kind)
    except ContractViolation as error:
        if error.reason == "not valid JSON":
            raise ApiError(400, "invalid_json", "The body is not valid JSON.") from error
        where = "" if error.path == "$" else f" (at {error.path})"
        raise ApiError(400, "invalid_request", f"{error.reason}{where}.") from error
    if path := unknown_fields(body, request):
        raise ApiError(400, "unknown_field", f"There is no field `{path.removeprefix('$.')[:64]}`.")
    return request


def caller(event: Mapping[str, Any]) -> str:
    """Who signed the request. A role's sessions are one caller: a retry after a new login is a repeat."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    arn = identity.get("userArn") or identity.get("caller") or identity.get("accessKey") or ""
    if ":assumed-role/" in arn:
        arn = "/".join(arn.split("/")[:2])
    return str(arn)


def keyed_id(who: str, key: str) -> str:
    """The id of the pipeline a caller names by an Idempotency-Key: nobody else's key gives the same."""
    return hashlib.sha256(f"{who}\n{key}".encode()).hexdigest()[:40]


def preferred_wait(event: Mapping[str, Any]) -> int | None:
    """Seconds the caller would wait for the result (`Prefer: wait=N`, RFC 7240), at most as long as is waited here.

    None for none; a preference that can't be read is none.
    """
    for name, value in (event.get("headers") or {}).items():
        if name.lower() == "prefer" and (found := _WAIT.search(value or "")):
            return min(int(found["seconds"]), LONGEST_WAIT_SECONDS)
    return None


def public(record: Mapping[str, Any], fields: Sequence[str] = PUBLIC_FIELDS) -> dict[str, Any]:
    """A record as the API shows it: known fields in a fixed order."""
    return {name: record[name] for name in fields if name in record}


class _Asked(Struct):
    user_message: str
    history: tuple[v1.Turn, ...] = ()


class _State(Struct):
    request: _Asked


def asked_hash(state: str) -> str:
    """The `request_hash` of what an execution was asked, by its input; empty for an input of another shape."""
    try:
        asked = msgspec.json.decode(state, type=_State).request
    except msgspec.MsgspecError:
        return ""
    return request_hash(asked.user_message, asked.history)


_NO_RESULTS = msgspec.to_builtins(v1.Results())


def execution_input(request: v2.PipelineRequested, metadata: Metadata) -> str:
    """The state an execution starts with, as JSON that is not ASCII-escaped.

    It already holds every default (`results`, `errors`), so that the workflow needs no state to make them. It
    depends on the event alone: the same event gives the same input, which StartExecution recognises.
    """
    return msgspec.json.encode(
        {
            "metadata": {
                "pipeline_id": metadata.pipeline_id,
                "correlation_id": metadata.correlation_id,
                "causation_id": metadata.event_id,
                "accepted_at": metadata.occurred_at.astimezone(UTC),
                "traceparent": metadata.traceparent,
            },
            "request": {"user_message": request.user_message, "history": request.history},
            "results": _NO_RESULTS,
            "errors": {},
        }
    ).decode()
