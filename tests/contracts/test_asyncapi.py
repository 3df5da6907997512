"""docs/asyncapi.json describes what the bus carries, and is valid by AsyncAPI's own schema."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from contracts.asyncapi import asyncapi
from contracts.parties import OUTSIDE, events, parties
from shared.contracts.envelope import Delivery, Detail
from shared.contracts.reading import read, read_data, read_metadata, unknown_fields
from shared.contracts.schemas import components
from shared.contracts.stages import OPTIONAL, SERVICES
from tests.clients.tools import workplace

ROOT = Path(__file__).resolve().parents[2]
OFFICIAL = ROOT / "node_modules/@asyncapi/specs/schemas/3.0.0.json"
"""From the AsyncAPI Initiative's package; `make setup` installs it."""


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def official() -> Any:
    return jsonschema.Draft7Validator(json.loads(OFFICIAL.read_text("utf-8")))


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def resolved(document: Any, reference: str) -> Any:
    """Return the part of the document that a reference names. Raises KeyError."""
    part = document
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def test_document_is_the_one_the_types_make(document):
    """The committed document is the one that the generator writes."""
    assert document == asyncapi()


def test_document_is_valid_by_the_official_schema(document, official):
    """AsyncAPI's official JSON Schema of version 3.0.0 accepts the document, and refuses a broken copy."""
    assert [error.message for error in official.iter_errors(document)] == []
    broken = copy.deepcopy(document)
    next(iter(broken["operations"].values()))["action"] = "shout"
    assert not official.is_valid(broken)
    del broken["info"]
    assert not official.is_valid(broken)


def test_every_reference_leads_somewhere(document):
    """Every reference in the document names an existing part."""
    for reference in references(document):
        assert resolved(document, reference)


def test_every_event_is_there_with_its_parties(document):
    """Each version of each event is a message of exactly one channel, with its publishers and consumers."""
    for kind in events():
        name = kind.detail_type()
        carriers = [key for key, channel in document["channels"].items() if name in channel["messages"]]
        assert len(carriers) == 1
        who: dict[str, set[str]] = {"send": set(), "receive": set()}
        for operation in document["operations"].values():
            if operation["messages"][0]["$ref"].endswith(f"/{name}"):
                assert operation["channel"]["$ref"] == f"#/channels/{carriers[0]}"
                who[operation["action"]].add(operation["tags"][0]["name"])
        wanted = parties(name)
        assert who["send"] == set(wanted.publishers) - set(OUTSIDE)
        assert who["receive"] == set(wanted.consumers) - set(OUTSIDE)
        assert who["send"] | who["receive"] <= {*SERVICES, *(stage.service for stage in OPTIONAL), "workflow"}


@pytest.mark.parametrize("kind", events(), ids=lambda kind: kind.detail_type())
def test_examples_are_events_a_service_reads(document, kind):
    """Every example satisfies the message's schema, is read by the service's own code, and has no unknown field."""
    message = document["components"]["messages"][kind.detail_type()]
    payload = {**message["payload"], "components": document["components"]}
    assert message["examples"]
    for example in message["examples"]:
        jsonschema.validate(example["payload"], payload, cls=jsonschema.Draft7Validator)
        delivery = read(json.dumps(example["payload"]), Delivery)
        detail = read(delivery.detail, Detail, at="$.detail")
        metadata = read_metadata(delivery, detail, kind)
        data = read_data(detail, kind)
        assert unknown_fields(bytes(detail.data), data) is None
        assert (delivery.detail_type, metadata.schema_version) == (kind.detail_type(), kind.VERSION)


def test_a_schema_refuses_what_is_not_the_event(document):
    """An event's schema refuses a wrong type, an unknown field, a missing field and another source."""
    message = document["components"]["messages"]["pipeline.requested.v1"]
    validator = jsonschema.Draft7Validator({**message["payload"], "components": document["components"]})
    event = message["examples"][0]["payload"]
    assert validator.is_valid(event)
    details: list[Any] = [{"data": {"user_message": 5}}, {"data": {}}, {}, {**event["detail"], "stray": 1}]
    for detail in details:
        assert not validator.is_valid({**event, "detail": detail})
    assert not validator.is_valid({**event, "source": "someone.else"})


def test_two_definitions_of_one_name_keep_apart():
    """Two types of the same name get separate schemas, and a type that is used twice gets one."""
    versions = []
    for module, kind in (("first", str), ("second", int)):
        inner = msgspec.defstruct("Inner", [("value", kind)], module=module)
        versions += [
            (msgspec.defstruct(name, [("inner", inner)], module=module), kind) for name in ("Outer", "Other")
        ]
    moved, schemas = components([outer for outer, _ in versions], lambda outer: f"{outer.__name__}.newer")
    document = {"components": {"schemas": schemas}}
    for outer, kind in versions:
        inner = resolved(document, resolved(document, moved[outer]["$ref"])["properties"]["inner"]["$ref"])
        assert inner["properties"]["value"]["type"] == {str: "string", int: "integer"}[kind]
    assert set(schemas) == {"Outer", "Other", "Inner", "Outer.newer", "Other.newer", "second.Inner"}


def test_the_official_parser_has_nothing_to_find(document, tmp_path):
    """The AsyncAPI Initiative's parser finds no error, no warning, and no example that breaks its schema."""
    mistaken = copy.deepcopy(document)
    message = mistaken["components"]["messages"]["pipeline.requested.v1"]
    message["examples"][0]["payload"]["detail"]["data"]["user_message"] = 5
    paths = [tmp_path / "asyncapi.json", tmp_path / "mistaken.json"]
    for path, content in zip(paths, (document, mistaken), strict=True):
        path.write_text(json.dumps(content), "utf-8")
    with workplace("asyncapi.mjs") as place:
        ours, theirs = json.loads(place.node("asyncapi.mjs", *paths))
    # Severity 2 is information: the parser names a newer version of AsyncAPI, which few tools read yet.
    assert ours["findings"] == [{"code": "asyncapi-latest-version", "severity": 2}]
    assert set(ours["examples"]) == {kind.detail_type() for kind in events()}
    assert all(examples and not any(examples) for examples in ours["examples"].values())
    errors, *_ = theirs["examples"]["pipeline.requested.v1"]
    assert {error["instancePath"] for error in errors} == {"/detail/data/user_message"}
