"""The contracts in the dialect that AWS accepts: JSON Schema draft 4 without references.

API Gateway's models and EventBridge's schema registry support draft 4 only, and a model cannot contain references to
itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.contracts.envelope import SOURCE, Event
from shared.contracts.schemas import closed, components, event_schema
from shared.contracts.stages import EVERY
from shared.contracts.upcasting import EVENTS, readable
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
"""Keywords that are left out: they refuse no value, and AWS ignores them."""


def posted() -> tuple[type[Event], ...]:
    """Return the events whose data may be posted to the API."""
    return readable(PipelineRequested)


def published() -> tuple[type[Event], ...]:
    """Return every version of every event that is published on the bus."""
    commands = {stage.request.NAME for stage in EVERY if stage.via == "queue"}
    return tuple(kind for kind in EVENTS if kind.NAME not in commands)


def request_schema() -> Schema:
    """Return the schema of a POST body in the contracts' own dialect: the data of one of the events it may become."""
    references, definitions = components(posted(), version_name, "#/$defs/")
    choices = list(references.values())
    return {"$defs": closed(definitions), **(choices[0] if len(choices) == 1 else {"anyOf": choices})}


def version_name(kind: type[Event]) -> str:
    return f"{kind.__name__}{kind.VERSION}"


def request_model() -> Schema:
    """Return `request_schema` as a model for API Gateway."""
    return {"$schema": DRAFT_4, "title": "PipelineRequest", **draft4(request_schema())}


def registered(kind: type[Event]) -> Schema:
    """Return the schema of an event as EventBridge delivers it, for the schema registry."""
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
    """Return `schema` in draft 4, with every reference replaced by its definition.

    Raises ValueError for a type that contains itself, and for a keyword that draft 4 does not have.
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
            raise ValueError(
                f"The type {name} contains itself, which draft 4 without references cannot express."
            )
        return _converted({**definitions[name], **own}, definitions, (*within, name))
    converted: Schema = {}
    for keyword, value in _in_draft4(own).items():
        if keyword not in (*_KEPT, "exclusiveMinimum", "exclusiveMaximum"):
            raise ValueError(
                f"JSON Schema draft 4 has no keyword `{keyword}`; change the contract or infra/contract_schemas.py."
            )
        converted[keyword] = _inner(keyword, value, definitions, within)
    return converted


def _in_draft4(schema: Schema) -> Schema:
    """Return `schema` with the keywords that draft 4 writes differently in draft 4's form."""
    draft = {
        keyword: value
        for keyword, value in schema.items()
        if keyword not in ("const", "exclusiveMaximum", "exclusiveMinimum", "prefixItems")
    }
    if draft.get("required") == []:  # in draft 4 it must name at least one property
        del draft["required"]
    if "const" in schema:
        draft["enum"] = [schema["const"]]
    for exclusive, inclusive, narrower in (
        ("exclusiveMinimum", "minimum", max),
        ("exclusiveMaximum", "maximum", min),
    ):
        if exclusive in schema:
            end = schema[exclusive]
            draft[inclusive] = narrower(end, schema.get(inclusive, end))
            if draft[inclusive] == end:
                draft[exclusive] = True
    if "prefixItems" in schema:
        draft["additionalItems"] = schema.get("items", True)
        draft["items"] = list(schema["prefixItems"])
    return draft


def _inner(keyword: str, value: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> Any:
    if keyword == "properties":
        return {name: _converted(inner, definitions, within) for name, inner in value.items()}
    if keyword in ("additionalItems", "additionalProperties", "items") and isinstance(value, Mapping):
        return _converted(value, definitions, within)
    if keyword in ("anyOf", "oneOf", "items") and isinstance(value, list):
        return [_converted(inner, definitions, within) for inner in value]
    return value
