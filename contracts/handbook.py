"""docs/contracts.md: every event in words, for the people who publish and subscribe."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from contracts.alternatives import Schema, alternatives
from contracts.asyncapi import event_components
from contracts.examples import event_examples, value_of
from contracts.parties import PUBLISHERS, SUBSCRIBERS, events, on_the_bus, parties, results
from contracts.prose import INTRODUCTION, OF_A_STAGE, TYPES, VERSIONS
from contracts.references import current
from contracts.words import described, listed
from shared.contracts import v1
from shared.contracts.schemas import event_detail, result, result_title

_REF = "#/components/schemas/"
_WIDTH = 100


def handbook() -> str:
    """The whole page."""
    schemas = current()
    names = [kind.detail_type() for kind in events()]
    references, definitions = event_components(*results(), v1.Meter)
    moved = {kind.detail_type(): event_detail(kind, references) for kind in events()}
    moved |= {result_title(kind): result(kind, references) for kind in results()}
    document = {"components": {"schemas": definitions}}
    parts = [INTRODUCTION, _table(), VERSIONS, "## Events"]
    shown = set()
    for name in names:
        shown.add(moved[name]["properties"]["data"]["$ref"])
        parts += _event(name, schemas[name], moved[name], document)
    parts.append("## Results of the stages")
    for name in sorted(set(schemas) - set(names)):
        parts += _result(name, schemas[name], moved[name], document)
    parts += ["## Types", TYPES]
    for name in sorted(definitions):
        if f"{_REF}{name}" not in shown:
            parts += _type(name, definitions[name], document)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _table() -> str:
    rows = ["| event | published by | consumed by | |", "| --- | --- | --- | --- |"]
    for kind in events():
        who = parties(kind.detail_type())
        via = "" if on_the_bus(kind) else "straight to the queue, not on the bus"
        rows.append(
            f"| {_link(kind.detail_type())} | {_named(who.publishers)} | {_named(who.consumers)} | {via} |"
        )
    return "\n".join(["## Who publishes, who consumes", "", *rows])


_OUTSIDE = {PUBLISHERS: "whoever may", SUBSCRIBERS: "whoever subscribes"}


def _named(services: tuple[str, ...]) -> str:
    return listed(_OUTSIDE.get(name, name) for name in services) or "nobody"


def _event(name: str, schema: Schema, moved: Schema, document: Schema) -> Iterator[str]:
    who = parties(name)
    yield f"### {name}"
    yield f"{_plain(schema.get('description', ''))}"
    yield f"Published by {_named(who.publishers)}; consumed by {_named(who.consumers)}."
    if "task_token" in moved["properties"]:
        yield OF_A_STAGE
    (data,) = alternatives(moved["properties"]["data"], document)
    rest = {field: inner for field, inner in moved["properties"].items() if field != "data"}
    rows = _rows(data.schema, document, "data.")
    yield "\n".join([*_HEAD, *rows, *_rows({**moved, "properties": rest}, document)])
    for example in event_examples(schema):
        yield _code(example)


def _result(name: str, schema: Schema, moved: Schema, document: Schema) -> Iterator[str]:
    who = parties(name)
    yield f"### {name}"
    yield (
        f"{_plain(schema.get('description', ''))} From the {listed(who.publishers)}, for the "
        f"{listed(who.consumers)}: the output of the stage's task."
    )
    yield _fields(moved, document)
    yield _code(value_of(schema, schema))


def _type(name: str, schema: Schema, document: Schema) -> Iterator[str]:
    yield f"### {name}"
    if said := _plain(schema.get("description", "")):
        yield said
    yield _fields(schema, document)


def _fields(schema: Schema, document: Schema) -> str:
    """A table of an object's fields."""
    return "\n".join([*_HEAD, *_rows(schema, document)])


_HEAD = ("| field | type | required | meaning |", "| --- | --- | --- | --- |")


def _rows(schema: Schema, document: Schema, within: str = "") -> Iterator[str]:
    for field, inner in schema["properties"].items():
        required = "yes" if field in schema.get("required", ()) else _default(inner)
        about = _plain(_description(inner))
        yield f"| `{within}{field}` | {_type_of(inner, document)} | {required} | {about} |"


def _default(inner: Mapping[str, Any]) -> str:
    if inner.get("default") in (None, [], {}):
        return "no"
    return f"no; `{json.dumps(inner['default'])}`"


def _description(inner: Mapping[str, Any]) -> str:
    """Its own, or that of the one choice that has one."""
    said = [one["description"] for one in inner.get("anyOf", ()) if "description" in one]
    return str(inner.get("description") or (said[0] if len(said) == 1 else ""))


def _type_of(inner: Any, document: Schema) -> str:
    words = described(inner, document)
    linked = re.sub(r"object `([^`]+)`", lambda found: _link(found[1]), words)
    return linked.replace("|", "\\|")


def _link(heading: str) -> str:
    """To a heading of this page, as GitHub names it."""
    anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    return f"[{heading}](#{anchor})"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(value: Any) -> str:
    return f"```json\n{_printed(value)}\n```"


def _printed(value: Any, indent: str = "") -> str:
    """JSON in which whatever fits a line stands in one."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    deeper = f"{indent}  "
    if isinstance(value, list):
        parts, (start, end) = [_printed(inner, deeper) for inner in value], "[]"
    else:
        parts = [f"{json.dumps(name)}: {_printed(inner, deeper)}" for name, inner in value.items()]
        start, end = "{}"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{end}"
