"""From a queue's message to a typed event. Reading is open: unknown fields are ignored.

Each step raises ContractViolation with the JSON path and the reason, never with the message's text.
"""

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from shared.contracts.envelope import OPEN_DOOR, Delivery, Detail, Event, Metadata, PartialMetadata
from shared.contracts.traces import traceparent_of, well_formed
from shared.contracts.upcasting import readable, upcast
from shared.errors import ContractViolation

SOURCE_REFUSED = "Events from this source are not accepted"
"""The reason for refusing an event that another publisher may send, and its own may not."""

T = TypeVar("T")
E = TypeVar("E", bound=Event)

_PATH = re.compile(r"^(?P<reason>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)
_QUOTING = re.compile(r"^(Invalid (?:enum )?value) .*$", re.DOTALL)
"""Where msgspec quotes what it was given, which may be anybody's text."""


def read(raw: bytes | str, kind: type[T], *, at: str = "$") -> T:
    """`raw` as `kind`; `at` is where it stands in the event."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _violation(error, at) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ContractViolation(at, "not valid JSON") from error


def typed(parsed: Any, kind: type[T], *, at: str = "$") -> T:
    """JSON that is parsed already, as `kind`: like `read`."""
    try:
        return msgspec.convert(parsed, kind)
    except msgspec.ValidationError as error:
        raise _violation(error, at) from error


def _violation(error: msgspec.ValidationError, at: str) -> ContractViolation:
    match = _PATH.match(str(error))
    path = (match and match["path"]) or "$"
    reason = _QUOTING.sub(r"\1", (match and match["reason"]) or "invalid")
    return ContractViolation(at + path.removeprefix("$"), reason)


def unknown_fields(raw: bytes | str, value: Any, *, at: str = "$") -> str | None:
    """The path of the first field of `raw` that `value`, decoded from it, has no place for.

    Producing is closed: what this project publishes, and what is checked before it is published, has exactly
    the schema's fields.
    """
    return unknown_in(msgspec.json.decode(raw), value, at=at)


def unknown_in(parsed: Any, value: Any, *, at: str = "$") -> str | None:
    """The same of JSON that is parsed already."""
    return _first_unknown(parsed, msgspec.to_builtins(value), at)


def _first_unknown(given: Any, known: Any, at: str) -> str | None:
    if isinstance(given, dict) and isinstance(known, dict):
        for name, inner in given.items():
            if name not in known:
                return f"{at}.{name}"
            if found := _first_unknown(inner, known[name], f"{at}.{name}"):
                return found
    elif isinstance(given, list) and isinstance(known, (list, tuple)):
        for index, (inner, other) in enumerate(zip(given, known, strict=False)):
            if found := _first_unknown(inner, other, f"{at}[{index}]"):
                return found
    return None


def sent_as(detail_type: str, newest: type[Event]) -> type[Event]:
    """The version in which an event was sent, of those that a consumer of `newest` reads."""
    versions = readable(newest)
    for kind in versions:
        if kind.detail_type() == detail_type:
            return kind
    known = " and ".join(f"v{kind.VERSION}" for kind in versions)
    raise ContractViolation(
        "$.detail-type", f"another event or version; only {newest.NAME} {known} is read here"
    )


class _Given(PartialMetadata, frozen=True, kw_only=True):
    """What a publisher did state. A trace context that is none is no reason to refuse an event."""

    traceparent: Any = None


def read_metadata(delivery: Delivery, detail: Detail, kind: type[Event]) -> Metadata:
    """Complete metadata of one event that was sent as `kind`.

    A publisher of `pipeline.requested` may leave all or part of it out: the pipeline's id is then the event's
    own id, which PutEvents returned to the publisher, and its trace the one that follows from the id.
    """
    if kind.NAME != OPEN_DOOR:
        metadata = read(detail.metadata, Metadata, at="$.detail.metadata")
        _check_schema(metadata, kind)
        return metadata
    given = (
        _Given()
        if bytes(detail.metadata) == b"null"
        else read(detail.metadata, _Given, at="$.detail.metadata")
    )
    _check_schema(given, kind)
    pipeline_id = given.pipeline_id or delivery.id
    if not pipeline_id:
        raise ContractViolation("$.id", "an event needs an id or a pipeline_id in its metadata")
    return Metadata(
        event_id=given.event_id or delivery.id or pipeline_id,
        pipeline_id=pipeline_id,
        schema=kind.NAME,
        schema_version=kind.VERSION,
        occurred_at=given.occurred_at or delivery.time or datetime.now(UTC),
        correlation_id=given.correlation_id or pipeline_id,
        causation_id=given.causation_id,
        traceparent=well_formed(given.traceparent) or traceparent_of(pipeline_id),
    )


def _check_schema(metadata: Metadata | PartialMetadata, kind: type[Event]) -> None:
    """What the metadata says of its schema, if anything, is what the detail-type says."""
    for field, said, wanted in (
        ("schema", metadata.schema, kind.NAME),
        ("schema_version", metadata.schema_version, kind.VERSION),
    ):
        if said not in (None, wanted):
            raise ContractViolation(
                f"$.detail.metadata.{field}",
                f"names another schema than the detail-type {kind.detail_type()}",
            )


def read_data(detail: Detail, kind: type[E]) -> E:
    return read(detail.data, kind, at="$.detail.data")


def read_upcast(detail: Detail, kind: type[Event], newest: type[E]) -> E:
    """The data of an event that was sent as `kind`, as the version that its consumer works with."""
    data = read_data(detail, kind)
    try:
        return upcast(data, newest)
    except Exception as error:
        reason = f"can't be read as {newest.detail_type()} ({type(error).__name__})"
        raise ContractViolation("$.detail.data", reason) from error
