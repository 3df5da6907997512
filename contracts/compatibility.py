"""The check whether a consumer of one schema can read everything that a producer of another schema may write.

A producer writes exactly the fields of its schema; a consumer ignores fields that its schema does not name. Where the
answer can't be decided (two different patterns, an unknown keyword), the check reports an obstacle, so it never
overlooks one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from contracts.alternatives import ANNOTATIONS, Alternative, Schema, alternatives, opened
from contracts.words import shape, value
from operations.wording import listed
from shared.contracts.schemas import closed


class Obstacle(Struct, frozen=True):
    """A reason why some events can't be read: what the value at `path` may be, and what the reader accepts.

    `may` and `takes` form a sentence: "In a new event `path` {may}; an old consumer {takes}."
    """

    path: str
    may: str
    takes: str


def obstacles(written: Schema, read: Schema, *, at: str = "$") -> list[Obstacle]:
    """Return all reasons why a consumer of `read` may fail on what a producer of `written` writes."""
    judge = _Judge(closed(written), opened(read))
    return list(dict.fromkeys(judge.node(judge.written, judge.read, at)))


Counted = tuple[str, str, str]
_COUNTS: Mapping[Any, Counted] = {
    "string": ("minLength", "maxLength", "characters"),
    "array": ("minItems", "maxItems", "items"),
    "object": ("minProperties", "maxProperties", "entries"),
}
_FINITE: Mapping[Any, list[Any]] = {"null": [None], "boolean": [True, False]}
_JUDGED = frozenset(
    {
        "additionalProperties", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "items", "maximum",
        "minimum", "multipleOf", "oneOf", "pattern", "prefixItems", "properties", "required", "type", "uniqueItems",
        "$ref", *(keyword for least, most, _ in _COUNTS.values() for keyword in (least, most)),
    }
)  # fmt: skip


class _Judge:
    """Finds what the schema `written` permits and a consumer of the schema `read` cannot read.

    It holds both whole schemas, so that references (`$ref`) can be followed.
    """

    def __init__(self, written: Schema, read: Schema) -> None:
        self.written = written
        self.read = read
        self._under_way: set[tuple[int, int]] = set()

    def node(self, written: Any, read: Any, path: str) -> Iterator[Obstacle]:
        pair = (id(written), id(read))  # parts of the two documents, which live as long as this object does
        if pair in self._under_way:  # a type that contains itself
            return
        self._under_way.add(pair)
        takes = alternatives(read, self.read)
        for alternative in alternatives(written, self.written):
            yield from self._alternative(alternative, takes, path)
        self._under_way.remove(pair)

    def _alternative(self, written: Alternative, takes: list[Alternative], path: str) -> Iterator[Obstacle]:
        """Yield the obstacles of one written shape, from the shape of the reader that fits it best."""
        values = _FINITE.get(written.type) if written.values is None else written.values
        if values is not None:
            refused = [item for item in values if not any(self._accepts(item, other) for other in takes)]
            if refused:
                may = shape(written, self.written) if refused == values else listed(map(value, refused), "or")
                yield Obstacle(path, f"may be {may}", self._takes(takes))
            return
        attempts = [
            list(self._within(written.schema, candidate.schema, path))
            for candidate in takes
            if candidate.values is None and _fits(written.type, candidate.type)
        ]
        if all(attempts):
            no_candidate = Obstacle(path, f"may be {shape(written, self.written)}", self._takes(takes))
            yield from min(attempts, key=len, default=[no_candidate])

    def _takes(self, takes: list[Alternative]) -> str:
        return (
            f"takes {listed((shape(candidate, self.read) for candidate in takes), 'or') or 'nothing there'}"
        )

    def _accepts(self, instance: Any, read: Alternative) -> bool:
        from jsonschema import Draft202012Validator  # noqa: PLC0415 -- slow to import, and rarely needed

        document = {**read.schema, "$defs": self.read.get("$defs", {})}
        return bool(Draft202012Validator(document).is_valid(instance))

    def _within(self, written: Schema, read: Schema, path: str) -> Iterator[Obstacle]:
        """Yield the obstacles between two schemas, each of one type, whose types fit."""
        kind = written.get("type")
        if kind is None and set(read) - ANNOTATIONS:
            yield Obstacle(path, "may be anything", f"takes {shape(Alternative(read), self.read)}")
            return
        if kind in _COUNTS:
            yield from _counts(written, read, _COUNTS[kind], path)
        if kind in ("integer", "number"):
            yield from _numbers(written, read, path)
        elif kind == "string":
            yield from _pattern(written, read, path)
        elif kind == "array":
            yield from self._array(written, read, path)
        elif kind == "object":
            yield from self._object(written, read, path)
        for keyword in sorted(read.keys() - _JUDGED - ANNOTATIONS):
            if written.get(keyword) != read[keyword]:
                yield Obstacle(path, f"need not keep `{keyword}`", f"takes `{keyword}: {read[keyword]}` only")

    def _array(self, written: Schema, read: Schema, path: str) -> Iterator[Obstacle]:
        if read.get("uniqueItems") and not written.get("uniqueItems"):
            yield Obstacle(path, "may hold the same item twice", "takes each item once")
        fixed = max(len(written.get("prefixItems", ())), len(read.get("prefixItems", ())))
        most = written.get("maxItems")
        for index in range(fixed if most is None else min(fixed, most)):
            yield from self.node(_item(written, index), _item(read, index), f"{path}[{index}]")
        if most is None or most > fixed:
            yield from self.node(_item(written, fixed), _item(read, fixed), f"{path}[*]")

    def _object(self, written: Schema, read: Schema, path: str) -> Iterator[Obstacle]:
        wrote, reads = written.get("properties", {}), read.get("properties", {})
        always = set(written.get("required", ()))
        others, ignored = written.get("additionalProperties", True), "additionalProperties" not in read
        for name in read.get("required", ()):
            if name not in always:
                missing = "is missing" if name not in wrote and others is False else "may be missing"
                yield Obstacle(f"{path}.{name}", missing, "requires it")
        for name, inner in wrote.items():
            if name in reads or not ignored:
                yield from self.node(
                    inner, reads.get(name, read.get("additionalProperties")), f"{path}.{name}"
                )
        if others is False:
            return
        for name in sorted(reads.keys() - wrote.keys()):
            yield from self.node(others, reads[name], f"{path}.{name}")
        if not ignored:
            yield from self.node(others, read["additionalProperties"], f"{path}.*")


def _fits(written: str | None, read: str | None) -> bool:
    return read is None or written is None or written == read or (written, read) == ("integer", "number")


def _item(schema: Schema, index: int) -> Any:
    fixed = schema.get("prefixItems", ())
    return fixed[index] if index < len(fixed) else schema.get("items", True)


def _counts(written: Schema, read: Schema, counted: Counted, path: str) -> Iterator[Obstacle]:
    least, most, unit = counted
    few, needed = written.get(least, 0), read.get(least, 0)
    if few < needed:
        yield Obstacle(path, f"may have as few as {few:,} {unit}", f"needs at least {needed:,}")
    many, taken = written.get(most), read.get(most)
    if taken is not None and (many is None or many > taken):
        yield Obstacle(
            path,
            f"may have any number of {unit}" if many is None else f"may have up to {many:,} {unit}",
            f"takes at most {taken:,}",
        )


def _numbers(written: Schema, read: Schema, path: str) -> Iterator[Obstacle]:
    for side, keyword, word in ((-1, "inimum", "low"), (1, "aximum", "high")):
        taken, limit = _end(read, keyword, side), _end(written, keyword, side)
        if taken is not None and (limit is None or (side * limit[0], limit[1]) > (side * taken[0], taken[1])):
            yield Obstacle(
                path,
                "may be any number" if limit is None else f"may be as {word} as {limit[0]:,}",
                f"takes {'no less' if side < 0 else 'no more'} than {taken[0]:,}"
                + ("" if taken[1] else ", and not that itself"),
            )
    step, of = written.get("multipleOf"), read.get("multipleOf")
    if of is not None and (step is None or step % of):
        yield Obstacle(path, f"need not be a multiple of {of}", "takes multiples only")


def _end(schema: Schema, keyword: str, side: int) -> tuple[float, bool] | None:
    """Return the lower or upper limit of a numeric schema, and whether it is inclusive; None without a limit.

    `keyword` is `inimum` or `aximum`, `side` -1 or 1. If both an inclusive and an exclusive limit are given, the
    stricter one counts.

    For integers, an exclusive limit becomes the next permitted integer.
    """
    ends: list[tuple[float, bool]] = []
    if (inclusive := schema.get(f"m{keyword}")) is not None:
        ends.append((inclusive, True))
    if (exclusive := schema.get(f"exclusiveM{keyword}")) is not None:
        whole = schema.get("type") == "integer" and exclusive == int(exclusive)
        ends.append((exclusive - side, True) if whole else (exclusive, False))
    return min(ends, key=lambda end: (side * end[0], end[1]), default=None)


def _pattern(written: Schema, read: Schema, path: str) -> Iterator[Obstacle]:
    if (pattern := read.get("pattern")) is not None and written.get("pattern") != pattern:
        yield Obstacle(path, f"need not match `{pattern}`", "takes nothing else")
