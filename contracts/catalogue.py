"""The catalogue of events: their fields in words, their parties, and what a refusal looks like."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import Struct

from contracts.alternatives import Schema, alternatives
from contracts.changes import Change, changes
from contracts.examples import event_examples
from contracts.parties import Parties, events, on_the_bus, parties
from contracts.references import current
from contracts.words import described
from operations.violations import Violation, violations
from shared.contracts.upcasting import CHAINS


class Field(Struct, frozen=True, kw_only=True):
    """One field of an event. `path` begins below the event's detail; `type` has its bounds, in words."""

    path: str
    type: str
    required: bool
    default: Any
    """The value that a missing field means; None if that is nothing in particular."""
    meaning: str


class Version(Struct, frozen=True, kw_only=True):
    """One version of an event."""

    detail_type: str
    name: str
    version: int
    newest: bool
    meaning: str
    parties: Parties
    on_the_bus: bool


class Refusal(Struct, frozen=True, kw_only=True):
    """An event that is refused, what was changed in a valid one to make it, and why it is refused."""

    change: str
    detail: Mapping[str, Any]
    violations: tuple[Violation, ...]


class Entry(Struct, frozen=True, kw_only=True):
    """All that is to be known about one version of an event."""

    version: Version
    fields: tuple[Field, ...]
    examples: tuple[Mapping[str, Any], ...]
    refusals: tuple[Refusal, ...]
    schema: Schema


@cache
def versions() -> tuple[Version, ...]:
    """Return every version of every event, in the order of a run, the versions of one event together."""
    found = [
        Version(
            detail_type=kind.detail_type(),
            name=kind.NAME,
            version=kind.VERSION,
            newest=CHAINS[kind.NAME].versions[-1] is kind,
            meaning=" ".join((kind.__doc__ or "").split()),
            parties=parties(kind.detail_type()),
            on_the_bus=on_the_bus(kind),
        )
        for kind in events()
    ]
    order = list(dict.fromkeys(one.name for one in found))
    return tuple(sorted(found, key=lambda one: (order.index(one.name), one.version)))


@cache
def entry(detail_type: str) -> Entry:
    """Return the entry of a version. Raises KeyError for one that does not exist."""
    version = {one.detail_type: one for one in versions()}[detail_type]
    schema = current()[detail_type]
    examples = tuple(event_examples(schema))
    return Entry(
        version=version,
        fields=tuple(_fields(schema, schema, "")),
        examples=examples,
        refusals=tuple(_refusals(detail_type, examples[-1])),
        schema=schema,
    )


def differences(old: str, new: str) -> list[Change]:
    """Return what differs between two versions, which need not be of one event, in words."""
    schemas = current()
    return changes(schemas[old], schemas[new], at="$.detail")


def _fields(schema: Schema, root: Schema, within: str) -> Iterator[Field]:
    """Yield the fields of an object and, after each, those of the object in it."""
    for name, inner in schema.get("properties", {}).items():
        yield Field(
            path=f"{within}{name}",
            type=described(inner, root),
            required=name in schema.get("required", ()),
            default=inner.get("default"),
            meaning=meaning(inner),
        )
        for at, objects in ((name, _objects(inner, root)), (f"{name}[]", _items(inner, root))):
            if len(objects) == 1 and within.count(".") < _DEPTH:
                yield from _fields(objects[0], root, f"{within}{at}.")


def _objects(schema: Any, root: Schema) -> list[Schema]:
    return [one.schema for one in alternatives(schema, root) if one.schema.get("properties")]


def _items(schema: Any, root: Schema) -> list[Schema]:
    """Return the objects that an array holds."""
    arrays = [one.schema for one in alternatives(schema, root) if isinstance(one.schema.get("items"), dict)]
    return [found for one in arrays for found in _objects(one["items"], root)]


_DEPTH = 3
"""How deep fields are listed; what is deeper is named by its type."""


def meaning(inner: Schema) -> str:
    """Return a field's own description, or that of the only member of its union that has one."""
    descriptions = [member["description"] for member in inner.get("anyOf", ()) if "description" in member]
    own = inner.get("description") or (descriptions[0] if len(descriptions) == 1 else "")
    return " ".join(str(own).split())


def _refusals(detail_type: str, example: Mapping[str, Any]) -> Iterator[Refusal]:
    """Yield what is refused most often: a field that is missing, one too many, and one of another type."""
    data = example["data"]
    for change, detail in (
        ("a field that no contract knows", {**example, "data": {**data, "unknown_field": 1}}),
        *(
            (f"without `{name}`", {**example, "data": {key: data[key] for key in data if key != name}})
            for name in list(data)[:1]
        ),
        *((f"`{name}` as a number", {**example, "data": {**data, name: 12}}) for name in list(data)[:1]),
    ):
        if found := violations(detail_type, detail):
            yield Refusal(change=change, detail=detail, violations=tuple(found))
