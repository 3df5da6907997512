"""An event as indented JSON, line by line, with the lines marked at which it breaks its contract; and differences."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from operations.json_text import DEEPEST, depth, loosely, written
from operations.violations import Violation

MOST_CHARS = 16_000
MOST_LINES = 2_000
"""Lines of a text that are compared: the time that a comparison takes grows with their square."""


class EventLine(Struct, frozen=True, kw_only=True):
    """One line. `why`: how the value that begins on it breaks the contract."""

    text: str
    why: tuple[str, ...] = ()


class EventText(Struct, frozen=True, kw_only=True):
    lines: tuple[EventLine, ...]
    left_out: bool


class DiffLine(Struct, frozen=True, kw_only=True):
    """One line of a difference. `sign` is `+`, `-` or a space; `…` stands for lines that are the same."""

    sign: str
    text: str


def event_text(body: str, violations: Sequence[Violation]) -> EventText:
    """Return an event's text with each violation at its place, or at the nearest place around it."""
    value = loosely(body)
    if not isinstance(value, (dict, list)) or depth(value) > DEEPEST:
        return EventText(lines=(EventLine(text=body[:MOST_CHARS]),), left_out=len(body) > MOST_CHARS)
    rows = list(_lines(value, "$", "", ""))
    first: dict[str, int] = {}
    for number, (path, _) in enumerate(rows):
        first.setdefault(path, number)
    why: dict[int, list[str]] = {}
    for one in violations:
        why.setdefault(first[_nearest(one.path, first)], []).append(one.reason)
    lines: list[EventLine] = []
    size = 0
    for number, (_, text) in enumerate(rows):
        if size > MOST_CHARS:
            return EventText(lines=tuple(lines), left_out=True)
        lines.append(EventLine(text=text[:MOST_CHARS], why=tuple(why.get(number, ()))))
        size += len(text)
    return EventText(lines=tuple(lines), left_out=any(len(text) > MOST_CHARS for _, text in rows))


def difference(before: Any, after: Any) -> tuple[DiffLine, ...] | None:
    """Return how two values differ as indented JSON; None if they are too long to be compared."""
    one, other = (written(value, indent=2).split("\n") for value in (before, after))
    if max(len(one), len(other)) > MOST_LINES:
        return None
    rows = list(difflib.unified_diff(one, other, lineterm="", n=3))[
        3:
    ]  # without the heads of files and first part
    return tuple(
        DiffLine(sign=" ", text="…")
        if row.startswith("@@")
        else DiffLine(sign=row[:1], text=row[1:MOST_CHARS])
        for row in rows
    )


def _nearest(path: str, known: dict[str, int]) -> str:
    while path not in known and path != "$":
        path = path[: max(path.rfind("."), path.rfind("["), 1)]
    return path


def _lines(value: Any, path: str, indent: str, name: str, end: str = "") -> Iterator[tuple[str, str]]:
    """Yield each line of a value with the JSON path of what begins on it."""
    if not isinstance(value, (dict, list)) or not value:
        yield path, f"{indent}{name}{written(value)}{end}"
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield path, f"{indent}{name}{opening}"
    items = (
        [(f"{path}.{key}", f"{written(key)}: ", inner) for key, inner in value.items()]
        if isinstance(value, dict)
        else [(f"{path}[{index}]", "", inner) for index, inner in enumerate(value)]
    )
    for number, (place, label, inner) in enumerate(items, start=1):
        yield from _lines(inner, place, f"{indent}  ", label, "," if number < len(items) else "")
    yield path, f"{indent}{closing}{end}"
