"""Parking: a message that can't be handled goes to its service's DLQ, with the reason and the ids of its run.

A message is parked before its failure is reported, so that a crash in between loses nothing.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from msgspec import Struct

from shared.aws import translated_errors
from shared.contracts.envelope import Metadata
from shared.errors import PipelineError


class Parked(Struct, frozen=True, kw_only=True):
    """The facts about a parked message that are stored as its SQS message attributes (strings, ten at most)."""

    service: str
    error_type: str
    error: str
    parked_at: str
    detail_type: str = ""
    pipeline_id: str = ""
    execution_arn: str = ""
    attempt: str = ""


ERROR_ATTRIBUTE_CHARS = 512
MESSAGE_BYTES = 1_048_576
"""SQS's limit for a message's body and attributes together."""


def attributes(note: Parked) -> dict[str, dict[str, str]]:
    """Return SQS message attributes without empty values and control characters, which SQS refuses."""
    values = {name: getattr(note, name) for name in note.__struct_fields__}
    return {
        name: {"DataType": "String", "StringValue": "".join(c if c.isprintable() else " " for c in value)}
        for name, value in values.items()
        if value
    }


def that_fit(named: Mapping[str, Mapping[str, str]], space: int) -> dict[str, Mapping[str, str]]:
    """Return the attributes that fit into `space` bytes, the important ones first; the error may be cut."""
    kept: dict[str, Mapping[str, str]] = {}
    for name in _BY_IMPORTANCE:
        if name not in named:
            continue
        attribute = named[name]
        space -= len(name) + len(attribute["DataType"])
        value = attribute["StringValue"].encode()[: max(0, space)].decode("utf-8", "ignore")
        if (name != "error" and value != attribute["StringValue"]) or not value:
            break
        kept[name] = {**attribute, "StringValue": value}
        space -= len(value.encode())
    return kept


_BY_IMPORTANCE = (
    "error_type", "service", "pipeline_id", "parked_at", "detail_type", "execution_arn", "attempt", "error",
)  # fmt: skip


class ParkingLot:
    """A service's DLQ. Raises TransientError or PermanentError if the DLQ can't be reached: SQS then redelivers.

    `connect` makes the SQS client when the first message is parked.
    """

    def __init__(self, connect: Callable[[], Any], *, dlq_url: str, service: str) -> None:
        self._client = cache(connect)
        self._dlq_url = dlq_url
        self._service = service

    def park(
        self,
        body: str,
        error: PipelineError,
        *,
        detail_type: str = "",
        metadata: Metadata | None = None,
    ) -> None:
        """Send `body` to the DLQ. `metadata` is None if the event's metadata could not be read."""
        note = Parked(
            service=self._service,
            error_type=error.NAME,
            error=error.cause[:ERROR_ATTRIBUTE_CHARS],
            parked_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            detail_type=detail_type[:128],
            pipeline_id=metadata.pipeline_id if metadata else "",
            execution_arn=(metadata.execution_arn or "")[:256] if metadata else "",
            attempt=str(metadata.attempt) if metadata else "",
        )
        # A message that arrived nearly as large as SQS takes has no room left for all attributes.
        fitting = that_fit(attributes(note), MESSAGE_BYTES - len(body.encode("utf-8", "surrogatepass")))
        with translated_errors():
            self._client().send_message(QueueUrl=self._dlq_url, MessageBody=body, MessageAttributes=fitting)
