"""Parking: a message that can't be handled goes to its service's DLQ with what is known about it.

A message is parked before its failure is reported, so that a crash in between loses nothing.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from msgspec import Struct

from shared.aws import translated_errors
from shared.contracts.envelope import Metadata
from shared.errors import PipelineError


class Parked(Struct, frozen=True, kw_only=True):
    """What a parked message says about itself, as SQS message attributes (strings, ten at most)."""

    service: str
    error_type: str
    error: str
    parked_at: str
    detail_type: str = ""
    pipeline_id: str = ""
    execution_arn: str = ""
    attempt: str = ""


ERROR_ATTRIBUTE_CHARS = 512


def attributes(note: Parked) -> dict[str, dict[str, str]]:
    """SQS refuses empty values and most control characters."""
    values = {name: getattr(note, name) for name in note.__struct_fields__}
    return {
        name: {"DataType": "String", "StringValue": "".join(c if c.isprintable() else " " for c in value)}
        for name, value in values.items()
        if value
    }


class ParkingLot:
    """Raises TransientError or PermanentError when the DLQ can't be reached: the message then stays put.

    `connect` makes the SQS client, at the first message parked.
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
        """`metadata` is null where the event could not be read that far."""
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
        with translated_errors():
            self._client().send_message(
                QueueUrl=self._dlq_url, MessageBody=body, MessageAttributes=attributes(note)
            )
