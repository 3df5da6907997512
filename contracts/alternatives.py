"""A JSON Schema as what a value may be: references followed, unions flattened, annotations dropped."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

Schema = Mapping[str, Any]
Part = Schema | bool
"""A schema within a document; `true` takes everything, `false` nothing."""

ANNOTATIONS = frozenset(
    {
        "$comment", "$defs", "$id", "$schema", "default", "deprecated", "description", "discriminator", "examples",
        "title",
    }
)  # fmt: skip
"""Keywords that refuse no value. (`discriminator` names the field by which a union's members are told apart.)"""


class Alternative(Struct, frozen=True):
    """One of the shapes a value may have: at most one `type`, no union. `ref` is the definition it comes from."""

    schema: Schema
    ref: str | None = None

    @property
    def type(self) -> str | None:
        found = self.schema.get("type")
        return None if found is None else str(found)

    @property
    def values(self) -> list[Any] | None:
        """All it may be, where that is a list."""
        if "const" in self.schema:
            return [self.schema["const"]]
        found = self.schema.get("enum")
        return None if found is None else list(found)


def alternatives(schema: Part, root: Schema) -> list[Alternative]:
    """Every shape `schema`, a part of the document `root`, allows; none if nothing satisfies it."""
    return list(_flattened(schema, root, None, frozenset()))


def _flattened(
    schema: Part, root: Schema, ref: str | None, followed: frozenset[str]
) -> Iterator[Alternative]:
    if isinstance(schema, bool):
        if schema:
            yield Alternative({})
        return
    own = {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}
    if (target := own.pop("$ref", None)) is not None:
        if target not in followed:  # else a type that is only itself: no value satisfies it
            yield from _flattened({**definition(target, root), **own}, root, target, followed | {target})
        return
    for union in ("anyOf", "oneOf"):
        if (choices := own.pop(union, None)) is not None:
            for choice in choices:
                beside = choice if isinstance(choice, bool) else {**own, **choice}
                yield from _flattened(beside, root, None, followed)
            return
    if isinstance(own.get("type"), list):
        for name in own["type"]:
            yield Alternative({**own, "type": name}, ref)
        return
    yield Alternative(own, ref)


def definition(ref: str, root: Schema) -> Schema:
    """What a `$ref` within the document points to. Raises KeyError."""
    found: Any = root
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def opened(schema: Any) -> Any:
    """`schema` as a consumer reads: fields it does not name are ignored, not refused."""
    if isinstance(schema, list):
        return [opened(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        keyword: opened(value)
        for keyword, value in schema.items()
        if not (keyword == "additionalProperties" and value is False and "properties" in schema)
    }
