"""A correction as steps, which mend the same fault in other messages (pure).

Steps are found by comparing a message's data before and after its correction. A field that was renamed keeps each
message's own value; a value is changed only where it was the same one.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from operations.dlq.contract import correctable, problems_of_correction
from operations.dlq.messages import Parked, violation
from operations.errors import InvalidInputError
from operations.json_text import written

MOST = 500
"""Messages that one plan corrects."""
MOST_CHANGES = 10
"""Changes of one message that a preview shows."""
VALUE_CHARS = 200
"""The beginning of a value that a preview shows."""
TOLD_CHARS = 500
"""The beginning of what the audit tells of a correction."""
UNREPEATABLE = (
    "This correction can't be repeated: it renames a field and changes its value at once. Correct this message "
    "alone, or only rename the field."
)
_OTHER_FAULT = "It has another fault, or another value there, so this correction does not mend it."
_SOUND = "It keeps its contract, so there is nothing to mend in it."
_TOO_MANY = "A plan corrects {} messages at most. Read the queues afterwards, and plan the others."

Place = tuple[str | int, ...]


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of a message's data, at the field or item `path`.

    `rename` gives the field the name `name`, `change` replaces the value `before` by `value`, `add` sets `value`
    where there was no such field, `remove` takes the field away.
    """

    kind: Literal["rename", "change", "add", "remove"]
    path: Place
    name: str = ""
    before: Any = None
    value: Any = None

    @property
    def in_words(self) -> str:
        """The step without any value, e.g. `rename user_mesage to user_message`."""
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        what = "change the value of" if self.kind == "change" else self.kind
        return f"{what} {place.removeprefix('.')}{f' to {self.name}' if self.name else ''}"


class Change(Struct, frozen=True):
    """What a step changes in one message, as text: the field before and after it; empty where there is none."""

    before: str
    after: str


class Fit(Struct, frozen=True, kw_only=True):
    """Whether steps mend a message. `data` is its corrected data; None if they don't, as `reason` says."""

    message: Parked
    data: Mapping[str, Any] | None
    reason: str = ""


def steps_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return the steps of a correction. Raises InvalidInputError if they could not be repeated."""
    found = tuple(_steps(before, after, ()))
    if not _same(applied(found, before), after):
        raise InvalidInputError(UNREPEATABLE)
    return found


def told(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return what a correction does, without any value; nothing if its steps can't be told apart."""
    try:
        return "; ".join(step.in_words for step in steps_of(before, after))[:TOLD_CHARS]
    except InvalidInputError:
        return ""


def applied(steps: Sequence[Step], data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the data after the steps; None if one of them does not fit."""
    corrected: dict[str, Any] = copy.deepcopy(dict(data))
    return corrected if all(_apply(step, _inside(corrected, step.path[:-1])) for step in steps) else None


def changes(steps: Sequence[Step], data: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return what the first steps change in this data, to which they fit."""
    return tuple(_change(step, _inside(data, step.path)) for step in steps[:MOST_CHANGES])


def fits(messages: Sequence[Parked], example: Parked, steps: Sequence[Step]) -> Iterator[Fit]:
    """Yield for each message whether the steps mend it: it has the example's fault, and keeps its contract then."""
    fault = _fault(example)
    number = 0
    for message in messages:
        data = correctable(message)
        mended = applied(steps, data) if data is not None and _fault(message) == fault else None
        if mended is None or problems_of_correction(message, written(mended)):
            yield Fit(message=message, data=None, reason=_OTHER_FAULT if violation(message) else _SOUND)
        elif number == MOST:
            yield Fit(message=message, data=None, reason=_TOO_MANY.format(MOST))
        else:
            number += 1
            yield Fit(message=message, data=mended)


def _fault(message: Parked) -> tuple[str, str, str]:
    """Return the event's type and its first violation; empty texts if it keeps its contract."""
    found = violation(message)
    return (message.detail_type, found.path, found.reason) if found else (message.detail_type, "", "")


def _steps(before: Any, after: Any, path: Place) -> Iterator[Step]:
    if isinstance(before, dict) and isinstance(after, dict):
        new = [name for name in after if name not in before]
        gone = []
        for name in before:
            if name in after:
                yield from _steps(before[name], after[name], (*path, name))
            elif (renamed := next((one for one in new if _same(after[one], before[name])), None)) is not None:
                new.remove(renamed)
                yield Step(kind="rename", path=(*path, name), name=renamed)
            else:
                gone.append(name)
        if gone and new:  # which of them are the same field is anybody's guess
            raise InvalidInputError(UNREPEATABLE)
        yield from (Step(kind="remove", path=(*path, name)) for name in gone)
        yield from (Step(kind="add", path=(*path, name), value=after[name]) for name in new)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _steps(one, other, (*path, index))
    elif not _same(before, after):
        yield Step(kind="change", path=path, before=before, value=after)


def _has(around: Any, part: str | int) -> bool:
    if isinstance(around, dict):
        return part in around
    return isinstance(around, list) and isinstance(part, int) and 0 <= part < len(around)


def _inside(value: Any, path: Place) -> Any:
    """Return what is at a place; None if there is no such place."""
    for part in path:
        if not _has(value, part):
            return None
        value = value[part]
    return value


def _apply(step: Step, around: Any) -> bool:
    """Change the dictionary or list in which a step's field is; return whether the step fits."""
    field = step.path[-1]
    if step.kind == "add":
        return isinstance(around, dict) and field not in around and _set(around, field, step.value)
    if not _has(around, field):
        return False
    if step.kind == "change":
        return _same(around[field], step.before) and _set(around, field, step.value)
    if step.kind == "rename" and step.name in around:
        return False
    kept = [(name, value) for name, value in around.items() if name != field or step.kind == "rename"]
    around.clear()
    around.update((step.name if name == field else name, value) for name, value in kept)
    return True


def _set(around: Any, field: str | int, value: Any) -> bool:
    around[field] = copy.deepcopy(value)
    return True


def _change(step: Step, value: Any) -> Change:
    name = step.path[-1]
    match step.kind:
        case "rename":
            return Change(_text(name, value), _text(step.name, value))
        case "change":
            return Change(_text(name, value), _text(name, step.value))
        case "add":
            return Change("", _text(name, step.value))
        case "remove":
            return Change(_text(name, value), "")


def _text(name: str | int, value: Any) -> str:
    text = f"{written(name)}: {written(value)}"
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON, which tells 1 from true."""
    return _sorted(one) == _sorted(other)


def _sorted(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(name)}:{_sorted(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_sorted, value)) + "]"
    return written(value)
