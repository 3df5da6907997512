"""JSON Schemas of every event's `detail` and every stage's result, made from the types.

They describe what is produced, so they are closed: no field beside the named ones. `python -m
shared.contracts.schemas` writes the files beside this one; with `--check` it only says whether they are
current.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shared.contracts import v1
from shared.contracts.envelope import OPEN_DOOR, Event, Metadata, PartialMetadata
from shared.contracts.stages import STAGES
from shared.contracts.upcasting import EVENTS

FOLDER = Path(__file__).parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def closed(schema: Any) -> Any:
    """`schema` with every object that names its properties closed to others."""
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    walked = {name: closed(inner) for name, inner in schema.items()}
    if walked.get("type") == "object" and "properties" in walked:
        walked.setdefault("additionalProperties", False)
    return walked


References = Mapping[Any, dict[str, Any]]
"""By type, the schema that refers to its definition."""


def components(
    types: Sequence[Any],
    name_of_version: Callable[[type[Event]], str],
    place: str = "#/components/schemas/",
) -> tuple[References, dict[str, dict[str, Any]]]:
    """References to `types`, and all definitions: what belongs at `place` in a document.

    msgspec tells types of one name, such as an event's versions, apart by their modules. Here the first has the plain
    name, and a later version of an event that of `name_of_version`.
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
    """The type of an event's metadata: only who publishes from outside may leave some of it out."""
    return PartialMetadata if kind.NAME == OPEN_DOOR else Metadata


def event_detail(kind: type[Event], references: References) -> dict[str, Any]:
    """An event's `detail`, with the references to its data and its metadata."""
    properties: dict[str, Any] = {"data": references[kind], "metadata": references[metadata_of(kind)]}
    if any(stage.request.NAME == kind.NAME for stage in STAGES):
        properties["task_token"] = {"type": "string", "minLength": 1, "maxLength": 2048}
    return {
        "type": "object",
        "description": kind.__doc__ or "",
        "properties": properties,
        "required": ["data"] if kind.NAME == OPEN_DOOR else list(properties),
        "additionalProperties": False,
    }


def event_schema(kind: type[Event]) -> dict[str, Any]:
    """The schema of one event's `detail`."""
    return _document(kind.detail_type(), [kind, metadata_of(kind)], event_detail)


def result(kind: type[msgspec.Struct], references: References) -> dict[str, Any]:
    """What a stage hands back, with the references to its result and its meter."""
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
    """The schema of what a stage hands back: its result and its meter."""
    return _document(result_title(kind), [kind, v1.Meter], result)


def files() -> dict[Path, str]:
    """Each schema file and what belongs in it."""
    schemas = [event_schema(kind) for kind in EVENTS] + [result_schema(kind) for kind in v1.RESULTS]
    return {
        FOLDER / f"{schema['title']}.json": msgspec.json.format(
            msgspec.json.encode(schema), indent=2
        ).decode()
        + "\n"
        for schema in schemas
    }


def outdated() -> list[Path]:
    """Files that are missing, differ, or have no type any more."""
    wanted = files()
    wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    return wrong + [path for path in FOLDER.glob("*.json") if path not in wanted]


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        wrong = outdated()
        for path in wrong:
            sys.stderr.write(f"{path.name} does not match its type. Run: make schemas\n")
        return 1 if wrong else 0
    FOLDER.mkdir(exist_ok=True)
    wanted = files()
    for path in FOLDER.glob("*.json"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
