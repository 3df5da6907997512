"""Generates the JSON Schemas of every event's `detail` and every stage's result from the types.

The schemas describe published events, so they allow no other fields. `python -m shared.contracts.schemas` writes the
files in `schemas/`; with `--check` it only reports files that are out of date.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shared.contracts import v1
from shared.contracts.envelope import INBOUND_EVENT, Event, Metadata, PartialMetadata
from shared.contracts.stages import STAGES
from shared.contracts.upcasting import EVENTS

FOLDER = Path(__file__).parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def closed(schema: Any) -> Any:
    """Return `schema` with `additionalProperties: false` in every object that names its properties."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    walked = {name: closed(inner) for name, inner in schema.items()}
    if walked.get("type") == "object" and "properties" in walked:
        walked.setdefault("additionalProperties", False)
    return walked


References = Mapping[Any, dict[str, Any]]
"""For each type, the schema that refers to its definition."""


def components(
    types: Sequence[Any],
    name_of_version: Callable[[type[Event]], str],
    place: str = "#/components/schemas/",
) -> tuple[References, dict[str, dict[str, Any]]]:
    """Return the references to `types`, and all definitions, which belong at `place` in a document.

    msgspec adds the module to the names of types that share a name, such as an event's versions. Here the first type
    keeps the plain name, and a later version of an event gets the name that `name_of_version` returns.
    """
    references, schemas = msgspec.json.schema_components(types, ref_template=f"{place}{{name}}")
    text = msgspec.json.encode([references, schemas])
    versions = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in types}
    named: set[str] = set()
    for qualified in schemas:
        if "." in qualified:
            name = qualified.rpartition(".")[2]
            if name in named:
                name = name_of_version(versions[qualified]) if qualified in versions else qualified
            named.add(name)
            text = text.replace(f'{qualified}"'.encode(), f'{name}"'.encode())
    references, schemas = msgspec.json.decode(text)
    # Generators of clients name a type by its title, so no two may share one.
    schemas = {
        name: {**schema, "title": name} if "title" in schema else schema for name, schema in schemas.items()
    }
    return dict(zip(types, references, strict=True)), schemas


def _document(title: str, kinds: Sequence[Any], root: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    references, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "title": title,
        **root(kinds[0], dict(zip(kinds, references, strict=True))),
        "$defs": closed(dict(definitions)),
    }


def metadata_of(kind: type[Event]) -> type[Metadata | PartialMetadata]:
    """Return the type of an event's metadata. Its fields are optional only in pipeline.requested."""
    return PartialMetadata if kind.NAME == INBOUND_EVENT else Metadata


def event_detail(kind: type[Event], references: References) -> dict[str, Any]:
    """Return the schema of an event's `detail`, with the references to its data and its metadata."""
    properties: dict[str, Any] = {"data": references[kind], "metadata": references[metadata_of(kind)]}
    if any(stage.request.NAME == kind.NAME for stage in STAGES):
        properties["task_token"] = {"type": "string", "minLength": 1, "maxLength": 2048}
    return {
        "type": "object",
        "description": kind.__doc__ or "",
        "properties": properties,
        "required": ["data"] if kind.NAME == INBOUND_EVENT else list(properties),
        "additionalProperties": False,
    }


def event_schema(kind: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema document of an event's `detail`."""
    return _document(kind.detail_type(), [kind, metadata_of(kind)], event_detail)


def result(kind: type[msgspec.Struct], references: References) -> dict[str, Any]:
    """Return the schema of a stage's output, with the references to its result and its meter."""
    return {
        "type": "object",
        "description": kind.__doc__ or "",
        "properties": {"data": references[kind], "meter": references[v1.Meter]},
        "required": ["data", "meter"],
        "additionalProperties": False,
    }


def result_title(kind: type[msgspec.Struct]) -> str:
    return f"{kind.__name__}.v1"


def result_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema document of a stage's output: its result and its meter."""
    return _document(result_title(kind), [kind, v1.Meter], result)


def files() -> dict[Path, str]:
    """Return the text of each schema file by its path."""
    schemas = [event_schema(kind) for kind in EVENTS] + [result_schema(stage.result) for stage in STAGES]
    return {
        FOLDER / f"{schema['title']}.json": msgspec.json.format(
            msgspec.json.encode(schema), indent=2
        ).decode()
        + "\n"
        for schema in schemas
    }


def outdated() -> list[Path]:
    """Return the files that are missing, differ from their type, or no longer have a type."""
    current = files()
    wrong = [path for path, text in current.items() if not path.exists() or path.read_text("utf-8") != text]
    return wrong + [path for path in FOLDER.glob("*.json") if path not in current]


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        wrong = outdated()
        for path in wrong:
            sys.stderr.write(f"{path.name} does not match its type. Run: make schemas\n")
        return 1 if wrong else 0
    FOLDER.mkdir(exist_ok=True)
    current = files()
    for path in FOLDER.glob("*.json"):
        if path not in current:
            path.unlink()
    for path, text in current.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
