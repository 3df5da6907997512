"""Turns a queue's message into a typed event. Unknown fields are ignored.

Each step raises ContractViolation with the JSON path and the reason, never with the message's text.
"""

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from shared.contracts.envelope import (
    INBOUND_EVENT,
    Delivery,
    Detail,
    Event,
    Metadata,
    PartialMetadata,
    traceparent_of,
    well_formed,
)
from shared.contracts.limits import PIPELINE_ID_PATTERN
from shared.contracts.upcasting import readable, upcast
from shared.errors import ContractViolation

SOURCE_REFUSED = "Events from this source are not accepted"
"""The reason for rejecting an event whose detail-type is known, but which came from the wrong publisher."""

NOT_JSON = "The text is not valid JSON"
"""The reason for rejecting a text that can't be decoded as JSON."""

T = TypeVar("T")
E = TypeVar("E", bound=Event)

_PIPELINE_ID = re.compile(PIPELINE_ID_PATTERN)
_PATH = re.compile(r"^(?P<reason>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_QUOTING = re.compile(r"^(Invalid (?:enum )?value) .*$", re.DOTALL)
"""Matches msgspec's errors that quote the invalid value, which may be a user's text."""
_OF_A_FIELD = re.compile(r"`(?P<field>\w+(?:\[\d+\](?:\.\w+)?)?)` (?:must|holds) ")
"""Matches our own reasons, which msgspec reports at the object that holds the field."""


def read(raw: bytes | str, kind: type[T], *, at: str = "$") -> T:
    """Decode JSON text into the type `kind`. Raises ContractViolation; `at` is the text's path in the event."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _violation(error, at) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ContractViolation(at, NOT_JSON) from error


def typed(parsed: Any, kind: type[T], *, at: str = "$") -> T:
    """Convert JSON that is already parsed to `kind`, like `read`."""
    try:
        return msgspec.convert(parsed, kind)
    except msgspec.ValidationError as error:
        raise _violation(error, at) from error


def _violation(error: msgspec.ValidationError, at: str) -> ContractViolation:
    match = _PATH.match(str(error))
    path = (match and match["path"]) or "$"
    reason = _QUOTING.sub(r"\1", (match and match["reason"]) or "invalid")
    field = _OF_A_FIELD.match(reason)
    return ContractViolation(at + path.removeprefix("$") + (f".{field['field']}" if field else ""), reason)


def unknown_fields(raw: bytes | str, value: Any, *, at: str = "$") -> str | None:
    """Return the path of the first field of `raw` that `value`, which was decoded from it, does not have.

    Published events, unlike those that are read, must have no other fields than the schema's.
    """
    return unknown_in(msgspec.json.decode(raw), value, at=at)


def unknown_in(parsed: Any, value: Any, *, at: str = "$") -> str | None:
    """Return the path of the first unknown field, like `unknown_fields`, of JSON that is already parsed."""
    return _first_unknown(parsed, msgspec.to_builtins(value), at)


def _first_unknown(parsed: Any, known: Any, at: str) -> str | None:
    if isinstance(parsed, dict) and isinstance(known, dict):
        for name, inner in parsed.items():
            if name not in known:
                return f"{at}.{name}"
            if path := _first_unknown(inner, known[name], f"{at}.{name}"):
                return path
    elif isinstance(parsed, list) and isinstance(known, (list, tuple)):
        for index, (inner, other) in enumerate(zip(parsed, known, strict=False)):
            if path := _first_unknown(inner, other, f"{at}[{index}]"):
                return path
    return None


def sent_as(detail_type: str, newest: type[Event]) -> type[Event]:
    """Return the version in which an event was sent, among those that a consumer of `newest` reads."""
    versions = readable(newest)
    for kind in versions:
        if kind.detail_type() == detail_type:
            return kind
    known = " and ".join(f"v{kind.VERSION}" for kind in versions)
    raise ContractViolation(
        "$.detail-type", f"Unsupported detail-type; only {newest.NAME} {known} is accepted"
    )


class _PublisherMetadata(PartialMetadata, frozen=True, kw_only=True):
    """The metadata that a publisher gave. An invalid trace context is no reason to reject an event."""

    traceparent: Any = None


def read_metadata(delivery: Delivery, detail: Detail, kind: type[Event]) -> Metadata:
    """Return the complete metadata of an event that was sent as `kind`.

    A publisher of `pipeline.requested` may leave out all or part of them. A missing pipeline id is replaced by the
    event's own id, which PutEvents returned to the publisher; a missing or invalid traceparent is derived from the
    pipeline id.
    """
    if kind.NAME != INBOUND_EVENT:
        metadata = read(detail.metadata, Metadata, at="$.detail.metadata")
        _check_schema(metadata, kind)
        return metadata
    partial = (
        _PublisherMetadata()
        if bytes(detail.metadata) == b"null"
        else read(detail.metadata, _PublisherMetadata, at="$.detail.metadata")
    )
    _check_schema(partial, kind)
    pipeline_id = partial.pipeline_id or delivery.id
    if not pipeline_id or not _PIPELINE_ID.fullmatch(pipeline_id):
        raise ContractViolation("$.id", "An event needs an id, or a pipeline_id in its metadata")
    try:
        return Metadata(
            event_id=partial.event_id or delivery.id or pipeline_id,
            pipeline_id=pipeline_id,
            schema=kind.NAME,
            schema_version=kind.VERSION,
            occurred_at=partial.occurred_at or delivery.time or datetime.now(UTC),
            correlation_id=partial.correlation_id or pipeline_id,
            causation_id=partial.causation_id,
            traceparent=well_formed(partial.traceparent) or traceparent_of(pipeline_id),
        )
    except ValueError as error:  # from the event's own id or time: its metadata were checked above
        at = "$.time" if partial.occurred_at is None and "occurred_at" in str(error) else "$.id"
        raise ContractViolation(at, str(error)) from error


def _check_schema(metadata: Metadata | PartialMetadata, kind: type[Event]) -> None:
    """Raise ContractViolation if the metadata name a different schema than the detail-type."""
    for field, value, expected in (
        ("schema", metadata.schema, kind.NAME),
        ("schema_version", metadata.schema_version, kind.VERSION),
    ):
        if value not in (None, expected):
            raise ContractViolation(
                f"$.detail.metadata.{field}",
                f"The metadata names another schema than the detail-type {kind.detail_type()}",
            )


def read_data(detail: Detail, kind: type[E]) -> E:
    return read(detail.data, kind, at="$.detail.data")


def read_upcast(detail: Detail, kind: type[Event], newest: type[E]) -> E:
    """Return the data of an event that was sent as `kind`, upcast to the version that its consumer works with."""
    data = read_data(detail, kind)
    try:
        return upcast(data, newest)
    except Exception as error:
        reason = f"The event can't be read as {newest.detail_type()} ({type(error).__name__})"
        raise ContractViolation("$.detail.data", reason) from error
