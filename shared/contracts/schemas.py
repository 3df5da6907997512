"""JSON Schemas of every event's `detail` and every stage's result, made from the types.

They describe what is produced, so they are closed: no field beside the named ones. `python -m
shared.contracts.schemas` writes the files beside this one; with `--check` it only says whether they are
current.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from shared.contracts import v1
from shared.contracts.envelope import OPEN_DOOR, Event, Metadata, PartialMetadata
from shared.contracts.events import EVENTS
from shared.contracts.stages import STAGES

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


def _schema(title: str, root: dict[str, Any], types: list[Any]) -> dict[str, Any]:
    refs, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    properties = dict(zip(root["properties"], refs, strict=False))
    return {
        "$schema": DIALECT,
        "title": title,
        **closed({**root, "properties": {**root["properties"], **properties}}),
        "$defs": closed(dict(definitions)),
    }


def event_schema(kind: type[Event]) -> dict[str, Any]:
    """The schema of one event's `detail`."""
    is_request = any(stage.request.NAME == kind.NAME for stage in STAGES)
    is_open_door = kind.NAME == OPEN_DOOR
    properties: dict[str, Any] = {"data": {}, "metadata": {}}
    if is_request:
        properties["task_token"] = {"type": "string", "minLength": 1, "maxLength": 2048}
    root = {
        "type": "object",
        "description": kind.__doc__ or "",
        "properties": properties,
        "required": ["data"] if is_open_door else list(properties),
    }
    return _schema(kind.detail_type(), root, [kind, PartialMetadata if is_open_door else Metadata])


def result_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of what a stage hands back: its result and its meter."""
    root = {
        "type": "object",
        "description": kind.__doc__ or "",
        "properties": {"data": {}, "meter": {}},
        "required": ["data", "meter"],
    }
    return _schema(f"{kind.__name__}.v1", root, [kind, v1.Meter])


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
