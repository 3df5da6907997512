"""The contracts in the dialect that AWS takes: JSON Schema draft 4, without references.

API Gateway's models and EventBridge's schema registry know draft 4 only, and a model can't refer within itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.contracts.envelope import SOURCE, Event
from shared.contracts.events import EVENTS
from shared.contracts.schemas import closed, components, event_schema
from shared.contracts.stages import STAGES
from shared.contracts.upcasting import readable
from shared.contracts.v2 import PipelineRequested

Schema = dict[str, Any]

DRAFT_4: Final = "http://json-schema.org/draft-04/schema#"
_KEPT: Final = frozenset(
    {
        "additionalItems", "additionalProperties", "anyOf", "description", "enum", "format", "items", "maxItems",
        "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf",
        "oneOf", "pattern", "properties", "required", "type", "uniqueItems",
    }
)  # fmt: skip
_ANNOTATIONS: Final = frozenset({"$defs", "$schema", "default", "discriminator", "examples", "title"})
"""Refuse nothing, and mean nothing to AWS."""


def posted() -> tuple[type[Event], ...]:
    """The events whose data a POST to the API may be: what its function reads."""
    return readable(PipelineRequested)


def published() -> tuple[type[Event], ...]:
    """Every version of every event that travels on the bus."""
    commands = {stage.request.NAME for stage in STAGES if stage.via == "queue"}
    return tuple(kind for kind in EVENTS if kind.NAME not in commands)


def request_schema() -> Schema:
    """What a POST takes, in the contracts' own dialect: the data of the events it may become, and no other field."""
    references, definitions = components(posted(), version_name, "#/$defs/")
    choices = list(references.values())
    return {"$defs": closed(definitions), **(choices[0] if len(choices) == 1 else {"anyOf": choices})}


def version_name(kind: type[Event]) -> str:
    return f"{kind.__name__}{kind.VERSION}"


def request_model() -> Schema:
    """`request_schema` as a model of API Gateway."""
    return {"$schema": DRAFT_4, "title": "PipelineRequest", **draft4(request_schema())}


def registered(kind: type[Event]) -> Schema:
    """One event as EventBridge delivers it, for the schema registry."""
    return {
        "$schema": DRAFT_4,
        "title": kind.detail_type(),
        "type": "object",
        "properties": {
            "version": {"type": "string"},
            "id": {"type": "string"},
            "detail-type": {"enum": [kind.detail_type()]},
            "source": {"enum": [SOURCE]},
            "account": {"type": "string"},
            "time": {"type": "string", "format": "date-time"},
            "region": {"type": "string"},
            "resources": {"type": "array", "items": {"type": "string"}},
            "detail": draft4(event_schema(kind)),
        },
        "required": ["detail-type", "source", "detail"],
    }


def draft4(schema: Mapping[str, Any]) -> Schema:
    """`schema` in draft 4, every definition in the place where it is used.

    Raises ValueError for a type that contains itself, or a keyword that draft 4 does not have.
    """
    converted: Schema = _converted(schema, schema.get("$defs", {}), ())
    return converted


def _converted(part: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    if not isinstance(part, Mapping):  # true or false
        return part
    own = {keyword: value for keyword, value in part.items() if keyword not in _ANNOTATIONS}
    if (reference := own.pop("$ref", None)) is not None:
        name = reference.removeprefix("#/$defs/")
        if name in within:
            raise ValueError(f"{name} contains itself: draft 4 without references can't say that")
        return _converted({**definitions[name], **own}, definitions, (*within, name))
    found: Schema = {}
    for keyword, value in _in_draft4(own).items():
        if keyword not in (*_KEPT, "exclusiveMinimum", "exclusiveMaximum"):
            raise ValueError(f"draft 4 has no `{keyword}`")
        found[keyword] = _inner(keyword, value, definitions, within)
    return found


def _in_draft4(schema: Schema) -> Schema:
    """The keywords that draft 4 spells otherwise."""
    spelt = {
        keyword: value
        for keyword, value in schema.items()
        if keyword not in ("const", "exclusiveMaximum", "exclusiveMinimum", "prefixItems")
    }
    if spelt.get("required") == []:  # there it names at least one
        del spelt["required"]
    if "const" in schema:
        spelt["enum"] = [schema["const"]]
    for exclusive, inclusive, narrower in (
        ("exclusiveMinimum", "minimum", max),
        ("exclusiveMaximum", "maximum", min),
    ):
        if exclusive in schema:
            end = schema[exclusive]
            spelt[inclusive] = narrower(end, schema.get(inclusive, end))
            if spelt[inclusive] == end:
                spelt[exclusive] = True
    if "prefixItems" in schema:
        spelt["additionalItems"] = schema.get("items", True)
        spelt["items"] = list(schema["prefixItems"])
    return spelt


def _inner(keyword: str, value: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    if keyword == "properties":
        return {name: _converted(inner, definitions, within) for name, inner in value.items()}
    if keyword in ("additionalItems", "additionalProperties", "items") and isinstance(value, Mapping):
        return _converted(value, definitions, within)
    if keyword in ("anyOf", "oneOf", "items") and isinstance(value, list):
        return [_converted(inner, definitions, within) for inner in value]
    return value
