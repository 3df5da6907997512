"""What differs between two versions of a schema, in words. Order, names of types and descriptions do not count."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from contracts.alternatives import Alternative, Schema, alternatives
from contracts.words import described, shapes, value


class Change(Struct, frozen=True):
    """`text` goes on where the path ends: "`$.data.tone` is new, optional: string"."""

    path: str
    text: str


def changes(old: Schema, new: Schema, *, at: str = "$") -> list[Change]:
    """Field by field, from the outside in."""
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
        for one, other in _pairs(alternatives(old, self.old), alternatives(new, self.new)):
            yield from self._object(one.schema, other.schema, path)
            yield from self._array(one.schema, other.schema, path)
        self._under_way.remove(pair)

    def _default(self, old: Any, new: Any, path: str) -> Iterator[Change]:
        if (
            not isinstance(old, dict)
            or not isinstance(new, dict)
            or "default" not in old
            or "default" not in new
        ):
            return  # where only one has a default, the field was or is required: that is told
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
        one, other = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(one, dict) and isinstance(other, dict):
            yield from self.node(one, other, f"{path}.*")

    def _array(self, old: Schema, new: Schema, path: str) -> Iterator[Change]:
        if "items" in old and "items" in new:
            yield from self.node(old["items"], new["items"], f"{path}[*]")
        for index, (one, other) in enumerate(
            zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=False)
        ):
            yield from self.node(one, other, f"{path}[{index}]")


def _pairs(old: list[Alternative], new: list[Alternative]) -> Iterator[tuple[Alternative, Alternative]]:
    """The shapes that hold others, each with the one it has become: that of its name, its equal, or the next."""
    for kind in ("object", "array"):
        ones = [one for one in old if one.type == kind]
        others = [other for other in new if other.type == kind]
        if len(ones) == len(others) == 1:
            yield ones[0], others[0]
            continue
        for alike in (_same_name, _equal, _nameless_both):
            for one in list(ones):
                other = next((other for other in others if alike(one, other)), None)
                if other is not None:
                    ones.remove(one)
                    others.remove(other)
                    yield one, other


def _same_name(one: Alternative, other: Alternative) -> bool:
    return bool(one.ref) and one.ref == other.ref


def _equal(one: Alternative, other: Alternative) -> bool:
    return not (one.ref or other.ref) and one.schema == other.schema


def _nameless_both(one: Alternative, other: Alternative) -> bool:
    return not (one.ref or other.ref)


def _nameless(words: list[str]) -> list[str]:
    return sorted(re.sub(r"object `[^`]*`", "object", one) for one in words)
