"""JSON Schemas as lists of the shapes a value may have, without references, unions and annotations."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

Schema = Mapping[str, Any]
Part = Schema | bool
"""A schema within a document; `true` accepts every value, `false` none."""

ANNOTATIONS = frozenset(
    {
        "$comment", "$defs", "$id", "$schema", "default", "deprecated", "description", "discriminator", "examples",
        "title",
    }
)  # fmt: skip
"""Keywords that refuse no value. (`discriminator` names the field that distinguishes the members of a union.)"""


class Alternative(Struct, frozen=True):
    """One of the shapes a value may have: a schema with at most one `type` and no union.

    `ref` names the definition that the schema comes from.
    """

    schema: Schema
    ref: str | None = None

    @property
    def type(self) -> str | None:
        name = self.schema.get("type")
        return None if name is None else str(name)

    @property
    def values(self) -> list[Any] | None:
        """All values of this shape if the schema lists them, else None."""
        if "const" in self.schema:
            return [self.schema["const"]]
        values = self.schema.get("enum")
        return None if values is None else list(values)


def alternatives(schema: Part, root: Schema) -> list[Alternative]:
    """Return every shape that `schema`, a part of the document `root`, allows; none if no value satisfies it."""
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
        if target not in followed:  # a type that refers only to itself is satisfied by no value
            yield from _flattened({**definition(target, root), **own}, root, target, followed | {target})
        return
    for union in ("anyOf", "oneOf"):
        if (choices := own.pop(union, None)) is not None:
            for choice in choices:
                merged = choice if isinstance(choice, bool) else {**own, **choice}
                yield from _flattened(merged, root, None, followed)
            return
    if isinstance(own.get("type"), list):
        for name in own["type"]:
            yield Alternative({**own, "type": name}, ref)
        return
    yield Alternative(own, ref)


def definition(ref: str, root: Schema) -> Schema:
    """Return the schema that a `$ref` within the document refers to. Raises KeyError."""
    node: Any = root
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return dict(node)


def opened(schema: Any) -> Any:
    """Return `schema` as a consumer applies it: fields that it does not name are ignored, not refused."""
    if isinstance(schema, list):
        return [opened(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        keyword: opened(value)
        for keyword, value in schema.items()
        if not (keyword == "additionalProperties" and value is False and "properties" in schema)
    }
