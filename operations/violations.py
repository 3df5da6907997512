"""The violations of an event: every place at which it breaks its contract, with a path and a reason."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from operations.json_text import REFUSED, cleaned, texts, written
from shared.contracts import limits
from shared.contracts.envelope import INBOUND_EVENT, Event, Metadata, PartialMetadata
from shared.contracts.schemas import event_schema
from shared.contracts.upcasting import EVENTS

KINDS: Mapping[str, type[Event]] = {kind.detail_type(): kind for kind in EVENTS}
ENTRY_BYTES = 1_000_000
"""The largest entry that EventBridge accepts, less a reserve for the fields beside the detail."""


class Violation(Struct, frozen=True):
    """A place at which an event breaks its contract, as a JSON path into the event, and the reason."""

    path: str
    reason: str


@cache
def _validator(detail_type: str) -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- slow to import, and needed for this only

    return Draft202012Validator(event_schema(KINDS[detail_type]))


def violations(detail_type: str, detail: Any) -> list[Violation]:
    """Return all violations of `detail`: of its schema, and of the rules that a schema cannot express."""
    errors = sorted(_validator(detail_type).iter_errors(detail), key=lambda error: list(map(str, error.path)))
    broken = [Violation(_path("$.detail", error.path), _in_words(error)) for error in errors]
    if isinstance(detail, dict):
        kind = KINDS[detail_type]
        metadata = PartialMetadata if kind.NAME == INBOUND_EVENT else Metadata
        for name, type_ in (("data", kind), ("metadata", metadata)):
            if name in detail and not any(other.path.startswith(f"$.detail.{name}") for other in broken):
                broken += _beyond_schema(detail[name], type_, at=f"$.detail.{name}")
        broken += _of_another_schema(detail.get("metadata"), kind)
    for path, text in texts(detail, "$.detail"):
        if REFUSED.search(text):
            reason = "must not contain U+FFFE, U+FFFF or half a character, which SQS does not carry"
            broken.append(Violation(cleaned(path), reason))
    if not broken and size(detail) > ENTRY_BYTES:
        broken = [Violation("$.detail", f"is larger than an event may be ({ENTRY_BYTES:,} bytes)")]
    return list(dict.fromkeys(broken))


def _beyond_schema(value: Any, kind: type[Struct], *, at: str) -> list[Violation]:
    """Return what the type's own checks refuse, in msgspec's words, which never quote the message."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        return [Violation(f"{at}{path.rstrip('`')}", f"{reason[0].lower()}{reason[1:]}")]
    return []


def _of_another_schema(metadata: Any, kind: type[Event]) -> Iterator[Violation]:
    """Yield violations where the metadata names another schema or version than the detail-type."""
    if isinstance(metadata, dict):
        for name, expected in (("schema", kind.NAME), ("schema_version", kind.VERSION)):
            value = metadata.get(name)
            if isinstance(value, type(expected)) and value != expected:
                yield Violation(f"$.detail.metadata.{name}", f"must be `{expected}`, as the detail-type says")


def size(detail: Any) -> int:
    """Return the size in bytes of the detail as it is sent."""
    return len(written(detail).encode())


def _path(start: str, parts: Any) -> str:
    return start + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _in_words(error: Any) -> str:
    """Return the reason in words, without text of the message."""
    if error.validator == "anyOf":  # a type or null: describe what is wrong with the value as that type
        deeper = [inner for inner in error.context if inner.validator != "type"]
        if deeper:
            return _in_words(deeper[0])
    describe = _WORDS.get(error.validator)
    return describe(error) if describe else f"breaks `{error.validator}: {error.validator_value}`"


def _missing(error: Any) -> str:
    return f"lacks {_names(name for name in error.validator_value if name not in error.instance)}"


def _extra(error: Any) -> str:
    known = error.schema.get("properties", {})
    extra = (name for name in error.instance if name not in known)
    return f"has no place for {_names(extra)}; it knows {_names(known)}"


def _pattern(error: Any) -> str:
    if error.validator_value == limits.PIPELINE_ID_PATTERN:
        return "must be 1 to 64 letters, digits, `_` or `-`"
    return _BLANK if error.validator_value == r"\S" else f"must match {error.validator_value}"


def _choices(error: Any) -> str:
    kinds = " or ".join(str(choice.get("type", "object")) for choice in error.validator_value)
    return f"must be of type {kinds}, not {_json_type(error.instance)}"


_BLANK = "must not be blank"
_WORDS: Mapping[str, Callable[[Any], str]] = {
    "required": _missing,
    "additionalProperties": _extra,
    "pattern": _pattern,
    "anyOf": _choices,
    "type": lambda error: f"must be of type {error.validator_value}, not {_json_type(error.instance)}",
    "minLength": lambda _: _BLANK,
    "maxLength": lambda error: (
        f"must be at most {error.validator_value:,} characters, has {len(error.instance):,}"
    ),
    "enum": lambda error: f"must be one of {_names(error.validator_value)}",
    "minItems": lambda error: f"must have {error.validator_value} or more items, has {len(error.instance)}",
    "minimum": lambda error: f"must be {error.validator_value} or more",
    "maxItems": lambda error: f"must have at most {error.validator_value} items, has {len(error.instance)}",
}


def _names(values: Iterable[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values) or "nothing"


def _json_type(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")
