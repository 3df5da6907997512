"""Descriptions in words of the types and bounds in a JSON Schema."""

import json
from collections.abc import Mapping
from typing import Any

from contracts.alternatives import Alternative, Part, Schema, alternatives
from operations.wording import listed

_FORMATS: Mapping[str, str] = {"date-time": "date and time (RFC 3339)"}


def value(json_value: Any) -> str:
    """Return a JSON value as code, in backticks; null is written without them."""
    return "null" if json_value is None else f"`{json.dumps(json_value, ensure_ascii=False)}`"


def described(schema: Part, root: Schema) -> str:
    """Return the type and bounds of a part of the document `root`: `integer, 0 or more`, `string or null`."""
    return listed(shapes(schema, root), "or") or "nothing"


def shapes(schema: Part, root: Schema) -> list[str]:
    return [shape(alternative, root) for alternative in alternatives(schema, root)]


def shape(alternative: Alternative, root: Schema) -> str:
    """Return the type of one shape, its bounds, and what it contains."""
    values, schema = alternative.values, alternative.schema
    if values is not None:
        return ("one of " if len(values) > 1 else "") + ", ".join(sorted(map(value, values)))
    if alternative.type is None:
        return "anything"
    bounds = [bound for bound in (_count(schema, alternative.type), _range(schema), _rest(schema)) if bound]
    return ", ".join([_named(alternative, root), *bounds])


def _named(alternative: Alternative, root: Schema) -> str:
    kind, schema = str(alternative.type), alternative.schema
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "string")
    if kind == "array":
        return f"array of {_items(schema, root)}"
    if kind == "object":
        if alternative.ref:
            return f"object `{alternative.ref.rpartition('/')[2]}`"
        if isinstance(others := schema.get("additionalProperties"), dict):
            return f"object whose values are each {described(others, root)}"
    return kind


def _items(schema: Schema, root: Schema) -> str:
    fixed = schema.get("prefixItems", ())
    if fixed:
        return ", then ".join(described(item, root) for item in fixed)
    words = described(schema.get("items", True), root)
    return f"({words})" if "," in words or " or " in words else words


_UNITS = {
    "string": ("Length", "character"),
    "array": ("Items", "item"),
    "object": ("Properties", "entry"),
}


def _count(schema: Schema, kind: str) -> str:
    if kind not in _UNITS:
        return ""
    keyword, unit = _UNITS[kind]
    least, most = schema.get(f"min{keyword}", 0), schema.get(f"max{keyword}")
    if most is None:
        return f"at least {_counted(least, unit)}" if least else ""
    if least == most:
        return f"exactly {_counted(most, unit)}"
    return f"{least:,} to {_counted(most, unit)}" if least else f"at most {_counted(most, unit)}"


def _counted(number: int, unit: str) -> str:
    plural = unit[:-1] + "ies" if unit.endswith("y") else f"{unit}s"
    return f"{number:,} {unit if number == 1 else plural}"


def _range(schema: Schema) -> str:
    parts = [
        template.format(f"{schema[keyword]:,}")
        for keyword, template in (
            ("minimum", "{} or more"),
            ("exclusiveMinimum", "more than {}"),
            ("maximum", "{} or less"),
            ("exclusiveMaximum", "less than {}"),
            ("multipleOf", "a multiple of {}"),
        )
        if keyword in schema
    ]
    return ", ".join(parts)


_DESCRIBED_KEYWORDS = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "prefixItems", "pattern", "uniqueItems",
        "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf",
        *(f"{end}{keyword}" for keyword, _ in _UNITS.values() for end in ("min", "max")),
    }
)  # fmt: skip


def _pattern(pattern: str) -> str:
    return "not blank" if pattern == r"\S" else f"matching `{pattern}`"


def _rest(schema: Schema) -> str:
    parts = [_pattern(schema["pattern"])] if "pattern" in schema else []
    if schema.get("uniqueItems"):
        parts.append("each once")
    others = sorted(
        schema.keys() - _DESCRIBED_KEYWORDS - ({"format"} if schema.get("format") in _FORMATS else set())
    )
    parts += [f"{keyword} {value(schema[keyword])}" for keyword in others]
    return ", ".join(parts)
