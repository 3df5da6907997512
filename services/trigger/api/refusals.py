"""The table of the API's refusals, which the function, the OpenAPI document and the tests read."""

from collections.abc import Mapping
from enum import Enum

from shared.contracts import limits


class Reason(Enum):
    """Why the API refuses a request: an HTTP status, a code for programs, a sentence for people.

    Names in braces in a sentence stand for details of the request; `example` fills them with sample values.
    """

    EMPTY_BODY = (
        400,
        "empty_body",
        "The request has no body. Send a JSON object with `user_message` or `messages`.",
    )
    INVALID_JSON = (
        400,
        "invalid_json",
        "The request body is not valid JSON. Send a JSON object, encoded as UTF-8.",
    )
    INVALID_REQUEST = (
        400,
        "invalid_request",
        "The request body breaks its schema: {problem}. Correct it and send the request again.",
        {"problem": "Expected `str`, got `int` (at $.user_message)"},
    )
    UNKNOWN_FIELD = (
        400,
        "unknown_field",
        "The request body has a field that the schema does not name: `{field}`. Remove the field.",
        {"field": "model"},
    )
    INVALID_IDEMPOTENCY_KEY = (
        400,
        "invalid_idempotency_key",
        "The header `Idempotency-Key` is not valid. Send it once, with 1 to 255 visible ASCII characters.",
    )
    INVALID_PARAMETER = (
        400,
        "invalid_parameter",
        "The query parameter `{name}` is not valid: it must be {rule}.",
        {"name": "limit", "rule": "a number from 1 to 100"},
    )
    UNKNOWN_PARAMETER = (
        400,
        "unknown_parameter",
        "There is no query parameter `{name}`. Remove it from the request.",
        {"name": "page"},
    )
    NOT_OWNER = (
        403,
        "not_owner",
        "This pipeline was submitted by a different caller. Only that caller can read or cancel it.",
    )
    UNKNOWN_PIPELINE = (
        404,
        "not_found",
        "There is no pipeline with this id. Use the `pipeline_id` of an accepted request.",
    )
    NOT_WAITING = (
        404,
        "not_found",
        "No answer of a pipeline with this id waits for approval. List those that do.",
    )
    UNKNOWN_ROUTE = (
        404,
        "not_found",
        "The API has no such resource or method. Its routes are in the OpenAPI document.",
    )
    IDEMPOTENCY_CONFLICT = (
        409,
        "idempotency_conflict",
        "This `Idempotency-Key` was already used with a different body. Use a new key for a new request.",
    )
    ALREADY_OVER = (
        409,
        "already_over",
        "The pipeline has already finished ({status}). It can no longer be cancelled.",
        {"status": "FAILED"},
    )
    ALREADY_DECIDED = (
        409,
        "already_decided",
        "{who} has already decided on this answer ({decision}). A decision is taken once.",
        {"who": "arn:aws:iam::111122223333:user/ann", "decision": "approved"},
    )
    RUN_ENDED = (
        409,
        "already_over",
        "The pipeline ended before this decision: it was cancelled or timed out. Nothing waits for it any more.",
    )
    BODY_TOO_LARGE = (
        413,
        "body_too_large",
        f"The request body is larger than {limits.REQUEST_BODY_BYTES:,} bytes. Send a shorter one.",
    )
    UNSUPPORTED_MEDIA_TYPE = (
        415,
        "unsupported_media_type",
        "The content type is not supported. Send JSON with the header `Content-Type: application/json`.",
    )
    INTERNAL = (
        500,
        "internal",
        "The API failed unexpectedly. Repeat the request with the same `Idempotency-Key`, if it had one.",
    )
    UNAVAILABLE = (
        503,
        "unavailable",
        "The API could not reach an AWS service. Repeat the request after `Retry-After` seconds.",
    )

    def __init__(
        self, status: int, code: str, sentence: str, example: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.sentence = sentence
        self._example = example or {}

    @property
    def example(self) -> str:
        """The sentence with sample values for its details."""
        return self.sentence.format(**self._example)


class ApiError(Exception):
    """Refuses a request. `details` replace the names in braces in the reason's sentence."""

    def __init__(self, reason: Reason, **details: object) -> None:
        super().__init__(reason.sentence.format(**details))
        self.reason = reason
