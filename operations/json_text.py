"""JSON of unknown origin: read with its limits checked, written so that every carrier and encoding takes it."""

import json
import re
from typing import Any

DEEPEST = 100
"""Levels of nesting that are read: more than any event has, and few enough for every encoder."""
DIGITS = 4_300
"""Digits of a whole number that Python converts."""

REFUSED = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""Halves of surrogate pairs and noncharacters: UTF-8 has no bytes for the former, SQS takes neither."""


def parse(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises ValueError, with a reason, also for what can't be written as JSON again: NaN, a number that is too large,
    and nesting of more than DEEPEST levels.
    """
    try:
        value = json.loads(text, parse_constant=_constant, parse_float=_number, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if depth(value) > DEEPEST:
        raise ValueError("it is nested too deeply")
    return value


def loosely(text: str) -> Any:
    """Return the value of a JSON text as far as its fields can be read; None if they can't.

    A number with too many digits is returned as a text, one that is infinite or none as None.
    """
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_whole_or_text)
    except (ValueError, RecursionError):
        return None


def written(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON text, with the characters that no carrier takes as escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return REFUSED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def cleaned(text: str) -> str:
    """Return a text that every encoder takes, with a replacement character for each that none does."""
    return REFUSED.sub("\N{REPLACEMENT CHARACTER}", text)


def shortened(value: Any, most: int = 80) -> str:
    """Return a value as an error quotes it: on one line, and cut."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def depth(value: Any) -> int:
    """Return the number of levels of nesting in a parsed value."""
    levels, inner = 0, [value]
    while inner:
        inner = [
            child
            for outer in inner
            if isinstance(outer, (dict, list))
            for child in (outer.values() if isinstance(outer, dict) else outer)
        ]
        levels += 1
    return levels - 1


def texts(value: Any, path: str = "$") -> list[tuple[str, str]]:
    """Return every text in a parsed value, keys included, with its JSON path."""
    found, left = [], [(path, value)]
    while left:
        at, inner = left.pop()
        if isinstance(inner, str):
            found.append((at, inner))
        elif isinstance(inner, dict):
            found += [(at, name) for name in inner]
            left += [(f"{at}.{name}", child) for name, child in inner.items()]
        elif isinstance(inner, list):
            left += [(f"{at}[{index}]", child) for index, child in enumerate(inner)]
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float | None:
    number = float(digits)
    return None if number in (float("inf"), float("-inf")) else number


def _whole_or_text(digits: str) -> int | str:
    return digits if len(digits) > DIGITS else int(digits)


def _number(digits: str) -> float:
    number = _finite(digits)
    if number is None:
        raise ValueError("a number is too large")
    return number


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number has more than {DIGITS:,} digits")
    return int(digits)
