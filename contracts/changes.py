"""Differences between two versions of a schema, in words; order, type names and descriptions are not compared."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from contracts.alternatives import Alternative, Schema, alternatives
from contracts.words import described, shapes, value


class Change(Struct, frozen=True):
    """One difference. The path and `text` form a sentence: "`$.data.tone` is new, optional: string"."""

    path: str
    text: str


def changes(old: Schema, new: Schema, *, at: str = "$") -> list[Change]:
    """Return the differences field by field, outer fields first. `at` is the path of the two schemas."""
    return list(dict.fromkeys(_Walk(old, new).node(old, new, at)))


class _Walk:
    def __init__(self, old: Schema, new: Schema) -> None:
        self.old = old
        self.new = new
        self._under_way: set[tuple[int, int]] = set()

    def node(self, old: Any, new: Any, path: str) -> Iterator[Change]:
        pair = (id(old), id(new))
        if pair in self._under_way:  # a type that contains itself
            return
        self._under_way.add(pair)
        if _nameless(shapes(old, self.old)) != _nameless(shapes(new, self.new)):
            yield Change(path, f"was {described(old, self.old)}; is {described(new, self.new)}")
        yield from self._default(old, new, path)
        for before, after in _pairs(alternatives(old, self.old), alternatives(new, self.new)):
            yield from self._object(before.schema, after.schema, path)
            yield from self._array(before.schema, after.schema, path)
        self._under_way.remove(pair)

    def _default(self, old: Any, new: Any, path: str) -> Iterator[Change]:
        if (
            not isinstance(old, dict)
            or not isinstance(new, dict)
            or "default" not in old
            or "default" not in new
        ):
            return  # if only one has a default, the field was or is required, which is reported elsewhere
        if old["default"] != new["default"]:
            yield Change(
                path, f"means {value(new['default'])} where it is missing; it meant {value(old['default'])}"
            )

    def _object(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        had, has = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in dict.fromkeys([*had, *has]):
            at = f"{path}.{name}"
            if name not in had:
                kind = "required" if name in needs else "optional"
                yield Change(at, f"is new, {kind}: {described(has[name], self.new)}")
            elif name not in has:
                yield Change(at, f"is gone; it was {'required' if name in needed else 'optional'}")
            else:
                if (name in needed) != (name in needs):
                    yield Change(at, "is required now" if name in needs else "is optional now")
                yield from self.node(had[name], has[name], at)
        before, after = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.node(before, after, f"{path}.*")

    def _array(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        if "items" in old and "items" in new:
            yield from self.node(old["items"], new["items"], f"{path}[*]")
        for index, (before, after) in enumerate(
            zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=False)
        ):
            yield from self.node(before, after, f"{path}[{index}]")


def _pairs(old: list[Alternative], new: list[Alternative]) -> Iterator[tuple[Alternative, Alternative]]:
    """Yield each old object or array shape with its new counterpart: same name, else equal, else nameless."""
    for kind in ("object", "array"):
        before = [shape for shape in old if shape.type == kind]
        after = [shape for shape in new if shape.type == kind]
        if len(before) == len(after) == 1:
            yield before[0], after[0]
            continue
        for corresponds in (_same_name, _equal, _both_nameless):
            for shape in list(before):
                counterpart = next((candidate for candidate in after if corresponds(shape, candidate)), None)
                if counterpart is not None:
                    before.remove(shape)
                    after.remove(counterpart)
                    yield shape, counterpart


def _same_name(old: Alternative, new: Alternative) -> bool:
    return bool(old.ref) and old.ref == new.ref


def _equal(old: Alternative, new: Alternative) -> bool:
    return not (old.ref or new.ref) and old.schema == new.schema


def _both_nameless(old: Alternative, new: Alternative) -> bool:
    return not (old.ref or new.ref)


def _nameless(descriptions: list[str]) -> list[str]:
    return sorted(re.sub(r"object `[^`]*`", "object", description) for description in descriptions)
