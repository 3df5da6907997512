"""For every kind of change to a schema, the check says whether old and new consumers can read new and old events."""

import re
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from contracts.alternatives import opened
from contracts.changes import changes
from contracts.compatibility import obstacles
from contracts.references import current
from shared.contracts.schemas import closed

pytestmark = pytest.mark.slow

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NULL = {"type": "null"}
ANY: dict[str, Any] = {}


def record(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def either(*choices: Any, **beside: Any) -> dict[str, Any]:
    return {"anyOf": list(choices), **beside}


def array(items: Any = STRING, **bounds: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **bounds}


def union(*names: str) -> dict[str, Any]:
    members = {name: record(("kind", "x"), kind={"enum": [name]}, x=INTEGER) for name in ("a", "b")}
    return {
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in names],
        "discriminator": {"propertyName": "kind"},
        "$defs": {name: members[name] for name in names},
    }


def tree(**leaf: Any) -> dict[str, Any]:
    """Return the schema of a type that contains itself."""
    node = record(
        ("value",),
        value={"type": "integer", **leaf},
        left=either({"$ref": "#/$defs/Tree"}, NULL, default=None),
    )
    return {"$ref": "#/$defs/Tree", "$defs": {"Tree": node}}


READ, BREAKS = True, False
# change: (old schema, new schema, an old consumer reads new events, a new consumer reads old events)
CHANGES: dict[str, tuple[Any, Any, bool, bool]] = {
    "nothing": (record(("a",), a=STRING), record(("a",), a=STRING), READ, READ),
    "order": (record(("a", "b"), a=STRING, b=INTEGER), record(("b", "a"), b=INTEGER, a=STRING), READ, READ),
    "description": (STRING, {**STRING, "description": "new", "title": "T", "examples": ["x"]}, READ, READ),
    "optional field added": (record(), record(a=STRING), READ, READ),
    "required field added": (record(), record(("a",), a=STRING), READ, BREAKS),
    "optional field removed": (record(a=STRING), record(), READ, READ),
    "required field removed": (record(("a",), a=STRING), record(), BREAKS, READ),
    "field became required": (record(a=STRING), record(("a",), a=STRING), READ, BREAKS),
    "field became optional": (record(("a",), a=STRING), record(a=STRING), BREAKS, READ),
    "field renamed": (record(("a",), a=STRING), record(("b",), b=STRING), BREAKS, BREAKS),
    "optional field renamed": (record(a=STRING), record(b=STRING), READ, READ),
    "type changed": (record(a=STRING), record(a=INTEGER), BREAKS, BREAKS),
    "integer became number": (INTEGER, {"type": "number"}, BREAKS, READ),
    "number became integer": ({"type": "number"}, INTEGER, READ, BREAKS),
    "null allowed": (STRING, either(STRING, NULL), BREAKS, READ),
    "null forbidden": (either(STRING, NULL), STRING, READ, BREAKS),
    "null said by a type list": (either(STRING, NULL), {"type": ["null", "string"]}, READ, READ),
    "anything narrowed": (ANY, STRING, READ, BREAKS),
    "widened to anything": (STRING, ANY, BREAKS, READ),
    "true is anything": (record(a=True), record(a=ANY), READ, READ),
    "nothing allowed any more": (record(a=STRING), record(a=False), READ, BREAKS),
    "value added": ({"enum": ["a", "b"]}, {"enum": ["b", "a", "c"]}, BREAKS, READ),
    "value removed": ({"enum": ["a", "b"]}, {"enum": ["a"]}, READ, BREAKS),
    "const changed": ({"const": 1}, {"const": 2}, BREAKS, BREAKS),
    "const is an enum of one": ({"const": 1}, {"enum": [1]}, READ, READ),
    "values became free": ({"enum": ["a", "b"]}, STRING, BREAKS, READ),
    "free became values": (STRING, {"enum": ["a", "b"]}, READ, BREAKS),
    "boolean said by its values": ({"type": "boolean"}, {"enum": [True, False]}, READ, READ),
    "boolean became true": ({"type": "boolean"}, {"const": True}, READ, BREAKS),
    "null in the values": ({"enum": ["a", None]}, either({"enum": ["a"]}, NULL), READ, READ),
    "longer text": ({**STRING, "maxLength": 5}, {**STRING, "maxLength": 9}, BREAKS, READ),
    "shorter text": ({**STRING, "maxLength": 9}, {**STRING, "maxLength": 5}, READ, BREAKS),
    "bound removed": ({**STRING, "maxLength": 5}, STRING, BREAKS, READ),
    "bound added": (STRING, {**STRING, "maxLength": 5}, READ, BREAKS),
    "empty text allowed": ({**STRING, "minLength": 1}, STRING, BREAKS, READ),
    "least length of 0": (STRING, {**STRING, "minLength": 0}, READ, READ),
    "pattern added": (STRING, {**STRING, "pattern": "^a"}, READ, BREAKS),
    "pattern removed": ({**STRING, "pattern": "^a"}, STRING, BREAKS, READ),
    "pattern changed": ({**STRING, "pattern": "^a"}, {**STRING, "pattern": "^b"}, BREAKS, BREAKS),
    "format added": (STRING, {**STRING, "format": "date-time"}, READ, BREAKS),
    "least number lowered": ({**INTEGER, "minimum": 1}, {**INTEGER, "minimum": 0}, BREAKS, READ),
    "least number raised": ({**INTEGER, "minimum": 0}, {**INTEGER, "minimum": 1}, READ, BREAKS),
    "least number added": (INTEGER, {**INTEGER, "minimum": 0}, READ, BREAKS),
    "most lowered": ({**INTEGER, "maximum": 9}, {**INTEGER, "maximum": 8}, READ, BREAKS),
    "bound itself excluded": (
        {"type": "number", "minimum": 0},
        {"type": "number", "exclusiveMinimum": 0},
        READ,
        BREAKS,
    ),
    "an integer's bound said otherwise": (
        {**INTEGER, "exclusiveMinimum": 0, "exclusiveMaximum": 10},
        {**INTEGER, "minimum": 1, "maximum": 9},
        READ,
        READ,
    ),
    "two bounds, the narrower counts": (
        {**INTEGER, "minimum": 0, "exclusiveMinimum": 4},
        {**INTEGER, "minimum": 5},
        READ,
        READ,
    ),
    "multiples of a multiple": ({**INTEGER, "multipleOf": 2}, {**INTEGER, "multipleOf": 6}, READ, BREAKS),
    "more items": (array(maxItems=3), array(maxItems=4), BREAKS, READ),
    "no item allowed": (array(minItems=1), array(), BREAKS, READ),
    "items narrowed": (array(), array({**STRING, "maxLength": 3}), READ, BREAKS),
    "items that never are": (array(INTEGER, maxItems=0), array(STRING, maxItems=0), READ, READ),
    "items unique": (array(), array(uniqueItems=True), READ, BREAKS),
    "place in a tuple changed": (
        {"type": "array", "prefixItems": [STRING, INTEGER], "items": False, "minItems": 2, "maxItems": 2},
        {"type": "array", "prefixItems": [INTEGER, INTEGER], "items": False, "minItems": 2, "maxItems": 2},
        BREAKS,
        BREAKS,
    ),
    "tuple became an array": (
        {"type": "array", "prefixItems": [STRING, STRING], "items": False, "minItems": 2, "maxItems": 2},
        array(),
        BREAKS,
        READ,
    ),
    "values of a map narrowed": (
        {"type": "object", "additionalProperties": STRING},
        {"type": "object", "additionalProperties": {**STRING, "maxLength": 3}},
        READ,
        BREAKS,
    ),
    "map became a record": (
        {"type": "object", "additionalProperties": STRING},
        record(("a",), a=STRING),
        READ,
        BREAKS,
    ),
    "map's entries bounded": (
        {"type": "object", "additionalProperties": STRING},
        {"type": "object", "additionalProperties": STRING, "maxProperties": 2},
        READ,
        BREAKS,
    ),
    "record took over a map's name": (
        {"type": "object", "additionalProperties": STRING},
        {"type": "object", "additionalProperties": STRING, "properties": {"a": INTEGER}},
        BREAKS,
        BREAKS,
    ),
    "deep inside": (
        record(a=array(record(("b",), b=STRING))),
        record(a=array(record(("b", "c"), b=STRING, c=STRING))),
        READ,
        BREAKS,
    ),
    "definition renamed": (
        {"$ref": "#/$defs/A", "$defs": {"A": record(("x",), x=STRING)}},
        {"$ref": "#/$defs/B", "$defs": {"B": record(("x",), x=STRING)}},
        READ,
        READ,
    ),
    "definition written out": (
        {"$ref": "#/$defs/A", "$defs": {"A": record(("x",), x=STRING)}},
        record(("x",), x=STRING),
        READ,
        READ,
    ),
    "member of a union added": (union("a"), union("a", "b"), BREAKS, READ),
    "order of a union": (union("a", "b"), union("b", "a"), READ, READ),
    "type that contains itself": (tree(), tree(), READ, READ),
    "type that contains itself narrowed": (tree(), tree(minimum=0), READ, BREAKS),
    "unknown keyword": (record(a=STRING), record(a={**STRING, "contentMediaType": "x/y"}), READ, BREAKS),
    "default": (record(a={**INTEGER, "default": 0}), record(a={**INTEGER, "default": 1}), READ, READ),
}


@pytest.mark.parametrize(("old", "new", "forwards", "backwards"), CHANGES.values(), ids=CHANGES)
def test_each_kind_of_change_has_its_verdict(old, new, forwards, backwards):
    """The check finds for each change whether an old consumer reads the new event, and a new consumer the old one."""
    assert (obstacles(new, old) == []) is forwards
    assert (obstacles(old, new) == []) is backwards


@pytest.mark.parametrize(("old", "new", "forwards", "backwards"), CHANGES.values(), ids=CHANGES)
def test_whatever_breaks_is_told_as_a_change(old, new, forwards, backwards):
    """Every change that breaks a consumer is listed among the changes."""
    if not (forwards and backwards):
        assert changes(old, new)


def test_an_obstacle_says_where_and_why():
    """An obstacle has the path of the field and describes the written and the accepted value in words."""
    old = record(("m",), m=record(("t",), t=array({**STRING, "maxLength": 5}), c={"enum": ["a"]}))
    new = record(("m",), m=record((), t=array({**STRING, "maxLength": 7}), c={"enum": ["a", "b"]}))
    places = {
        obstacle.path: (obstacle.may, obstacle.takes) for obstacle in obstacles(new, old, at="$.detail")
    }
    assert places == {
        "$.detail.m.t": ("may be missing", "requires it"),
        "$.detail.m.t[*]": ("may have up to 7 characters", "takes at most 5"),
        "$.detail.m.c": ('may be `"b"`', 'takes `"a"`'),
    }


def test_changes_are_told_in_words():
    """Each added, removed, required, optional, narrowed or defaulted field is described in a sentence."""
    old = record(
        ("gone", "kept", "free"),
        gone=STRING, kept={**STRING, "maxLength": 5}, free=STRING, tied=INTEGER, meant={**INTEGER, "default": 0},
    )  # fmt: skip
    new = record(
        ("kept", "tied", "fresh"),
        kept={**STRING, "maxLength": 9}, free=STRING, tied=INTEGER, meant={**INTEGER, "default": 1},
        fresh=array(maxItems=2), extra=either(STRING, NULL),
    )  # fmt: skip
    assert [f"{change.path} {change.text}" for change in changes(old, new)] == [
        "$.gone is gone; it was required",
        "$.kept was string, at most 5 characters; is string, at most 9 characters",
        "$.free is optional now",
        "$.tied is required now",
        "$.meant means `1` where it is missing; it meant `0`",
        "$.fresh is new, required: array of string, at most 2 items",
        "$.extra is new, optional: string or null",
    ]


@pytest.mark.parametrize("schema", current().values(), ids=current())
def test_every_contract_reads_itself(schema):
    """A contract compared with itself has neither changes nor obstacles, whatever keywords it uses."""
    assert obstacles(schema, schema) == []
    assert changes(schema, schema) == []


# --- soundness, on schemas nobody thought of ---------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sampled_from([STRING, INTEGER, NULL, {"type": "boolean"}, {"type": "number"}, ANY]),
    st.fixed_dictionaries({"type": st.just("string")}, optional={
        "minLength": st.integers(0, 2), "maxLength": st.integers(0, 3), "pattern": st.sampled_from(["a", "^b"]),
    }),
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional={
        "minimum": st.integers(-1, 2), "maximum": st.integers(0, 3),
        "exclusiveMinimum": st.integers(-1, 2), "exclusiveMaximum": st.integers(0, 3),
        "multipleOf": st.integers(1, 3),
    }),
    st.fixed_dictionaries({"enum": st.lists(
        st.sampled_from(["a", "b", "", 0, 1, None, True]), min_size=1, max_size=3
    )}),
)  # fmt: skip


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda properties, wanted: record(tuple(sorted(set(properties) & wanted)), **properties),
        st.dictionaries(NAMES, inner, max_size=3),
        st.sets(NAMES),
    )


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        _objects(inner),
        st.builds(lambda choices: either(*choices), st.lists(inner, min_size=1, max_size=3)),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner}, optional={
            "minProperties": st.integers(0, 1), "maxProperties": st.integers(0, 2)}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={
            "minItems": st.integers(0, 1), "maxItems": st.integers(0, 2), "uniqueItems": st.booleans(),
            "prefixItems": st.lists(inner, min_size=1, max_size=2)}),
    )  # fmt: skip


SCHEMAS = st.recursive(SCALARS, _nested, max_leaves=6)
PLAIN = st.sampled_from(["a", "b", "", "ab", "bbb", 0, 1, 2, 3, -1, 0.5, None, True, False])
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def fitting(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Return a strategy for values that are likely, but not certain, to satisfy `schema`."""
    if "anyOf" in schema:
        return draw(fitting(draw(st.sampled_from(schema["anyOf"]))))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema.get("type") == "object" and "properties" in schema:
        return {
            name: draw(fitting(inner))
            for name, inner in schema["properties"].items()
            if name in schema["required"] or draw(st.booleans())
        }
    if schema.get("type") == "object":
        return {name: draw(fitting(schema["additionalProperties"])) for name in draw(st.sets(NAMES))}
    if schema.get("type") == "array":
        first = schema.get("prefixItems", [])
        inner = [*first, schema["items"], schema["items"]]
        return [draw(fitting(item)) for item in inner[: draw(st.integers(0, len(inner)))]]
    return draw(VALUES if schema == ANY else PLAIN)


@settings(max_examples=400)
@given(st.data())
def test_what_is_said_to_be_readable_is(data):
    """If no obstacle is found, a consumer of one schema accepts everything that a producer of the other writes."""
    written = data.draw(SCHEMAS)
    read = data.draw(
        st.one_of(SCHEMAS, st.just(written), st.builds(lambda one: either(written, one), SCHEMAS))
    )
    instance = data.draw(fitting(written))
    assume(not obstacles(written, read))
    assume(jsonschema.Draft202012Validator(closed(written)).is_valid(instance))
    jsonschema.validate(instance, opened(read), cls=jsonschema.Draft202012Validator)


@settings(max_examples=200)
@given(SCHEMAS)
def test_any_schema_reads_itself(schema):
    """Any schema compared with itself has neither changes nor obstacles."""
    assert obstacles(schema, schema) == []
    assert changes(schema, schema) == []


def _two_lists(second: str) -> dict[str, Any]:
    number = {"type": "number", "exclusiveMinimum": 1}
    return either(
        {"type": "array", "items": {"type": "string"}, "prefixItems": [{"enum": ["b"]}]},
        {"type": "array", "items": {"type": second}, "prefixItems": [number]},
    )


@settings(max_examples=300)
@given(SCHEMAS, SCHEMAS)
@example(_two_lists("integer"), _two_lists("string"))
def test_no_obstacle_without_a_change(old, new):
    """Two schemas with an obstacle between them have at least one change in words."""
    if obstacles(old, new) or obstacles(new, old):
        differences = changes(old, new)
        assert differences
        assert all(re.match(r"\$", change.path) and change.text for change in differences)
