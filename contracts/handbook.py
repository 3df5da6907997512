"""The generator of docs/contracts.md, which describes every event for people who publish and subscribe."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from contracts.alternatives import Schema, alternatives
from contracts.asyncapi import event_components
from contracts.catalogue import meaning
from contracts.examples import event_examples, value_of
from contracts.parties import PUBLISHERS, SUBSCRIBERS, events, on_the_bus, parties, results
from contracts.prose import INTRODUCTION, OF_A_STAGE, TYPES, VERSIONS
from contracts.references import current
from contracts.words import described
from operations.wording import listed
from shared.contracts import v1
from shared.contracts.schemas import event_detail, result, result_title

_REF = "#/components/schemas/"
_WIDTH = 100
"""The longest line of JSON that is not broken."""
_PROSE_WIDTH = 120


def handbook() -> str:
    """Return the whole page."""
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
    rows = ["| event | published by | consumed by | note |", "| --- | --- | --- | --- |"]
    for kind in events():
        who = parties(kind.detail_type())
        via = "" if on_the_bus(kind) else "sent directly to the consumer's queue, not over the bus"
        rows.append(
            f"| {_link(kind.detail_type())} | {_named(who.publishers)} | {_named(who.consumers)} | {via} |"
        )
    return "\n".join(["## Who publishes, who consumes", "", *rows])


_OUTSIDE = {PUBLISHERS: "any permitted publisher", SUBSCRIBERS: "any subscriber"}


def _named(services: tuple[str, ...]) -> str:
    return listed(_OUTSIDE.get(name, name) for name in services) or "nobody"


def _event(name: str, schema: Schema, moved: Schema, document: Schema) -> Iterator[str]:
    who = parties(name)
    yield f"### {name}"
    yield _wrapped(schema.get("description", ""))
    yield _wrapped(f"Published by {_named(who.publishers)}; consumed by {_named(who.consumers)}.")
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
    yield _wrapped(
        f"{schema.get('description', '')} The {listed(who.publishers)} returns this result as the output of its "
        f"task; it is read by the {listed(who.consumers)}."
    )
    yield _fields(moved, document)
    yield _code(value_of(schema, schema))


def _type(name: str, schema: Schema, document: Schema) -> Iterator[str]:
    yield f"### {name}"
    if description := _wrapped(schema.get("description", "")):
        yield description
    yield _fields(schema, document)


def _fields(schema: Schema, document: Schema) -> str:
    """Return a Markdown table of an object's fields."""
    return "\n".join([*_HEAD, *_rows(schema, document)])


_HEAD = ("| field | type | required | meaning |", "| --- | --- | --- | --- |")


def _rows(schema: Schema, document: Schema, within: str = "") -> Iterator[str]:
    for field, inner in schema["properties"].items():
        required = "yes" if field in schema.get("required", ()) else _default(inner)
        about = _plain(meaning(inner))
        yield f"| `{within}{field}` | {_type_of(inner, document)} | {required} | {about} |"


def _default(inner: Mapping[str, Any]) -> str:
    if inner.get("default") in (None, [], {}):
        return "no"
    return f"no; default `{json.dumps(inner['default'])}`"


def _type_of(inner: Any, document: Schema) -> str:
    words = described(inner, document)
    linked = re.sub(r"object `([^`]+)`", lambda match: _link(match[1]), words)
    return linked.replace("|", "\\|")


def _link(heading: str) -> str:
    """Return a link to a heading of this page, with the anchor that GitHub gives it."""
    anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    return f"[{heading}](#{anchor})"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _wrapped(text: str) -> str:
    return textwrap.fill(_plain(text), _PROSE_WIDTH, break_long_words=False, break_on_hyphens=False)


def _code(value: Any) -> str:
    return f"```json\n{_printed(value)}\n```"


def _printed(value: Any, indent: str = "") -> str:
    """Return JSON in which every value that fits on one line is on one line."""
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
