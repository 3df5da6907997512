"""The definitions of many schemas in one document: each once, under a name of its own."""

import json
from collections.abc import Iterator
from typing import Any

from contracts.alternatives import Schema

_LOCAL = "#/$defs/"


class Components:
    """Collects definitions. `schemas` is what belongs under `components/schemas` of the document."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self._texts: dict[str, str] = {}

    def add(self, schema: Schema) -> dict[str, Any]:
        """`schema` with its definitions moved here. Two different definitions of one name keep apart."""
        own = schema.get("$defs", {})
        names = {name: self._name(name, own, schema.get("title", "")) for name in own}
        for name, definition in own.items():
            self.schemas[names[name]] = _pointing(definition, names)
        return dict(
            _pointing({key: value for key, value in schema.items() if key not in ("$defs", "$schema")}, names)
        )

    def _name(self, name: str, own: Schema, title: str) -> str:
        """The name itself, unless it stands for something else already."""
        text = json.dumps({used: own[used] for used in sorted(_reached(name, own))}, sort_keys=True)
        for candidate in (name, f"{name}.{title}"):
            if self._texts.setdefault(candidate, text) == text:
                return candidate
        raise ValueError(f"two definitions of {name} in {title}")


def _reached(name: str, own: Schema, found: frozenset[str] = frozenset()) -> frozenset[str]:
    """The definitions that one leads to, itself included."""
    if name in found:
        return found
    found |= {name}
    for other in _references(own[name]):
        found = _reached(other, own, found)
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, str) and part.startswith(_LOCAL):
        yield part.removeprefix(_LOCAL)
    elif isinstance(part, dict):
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _pointing(part: Any, names: dict[str, str]) -> Any:
    """`part` with its references led to the document's components."""
    if isinstance(part, str) and part.startswith(_LOCAL):
        return f"#/components/schemas/{names[part.removeprefix(_LOCAL)]}"
    if isinstance(part, dict):
        return {key: _pointing(inner, names) for key, inner in part.items()}
    if isinstance(part, list):
        return [_pointing(inner, names) for inner in part]
    return part
