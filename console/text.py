"""Text of strangers, made safe to read: escaping keeps it from being HTML, this keeps it from deceiving the eye."""

import json
import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_JOINER = "[\u200c\u200d]"
_OTHER = "[^\x00-\u02ff]"
_DECEIVES = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # invisible
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # invisible, ends of lines, directions
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # tags and selectors that carry hidden text
    "\ud800-\udfff]"
    # Joiners are part of emoji and of several scripts; beside an ASCII letter they only hide.
    f"|(?<!{_OTHER}){_JOINER}|{_JOINER}(?!{_OTHER})"
)


def shown(text: str) -> str:
    """Return a text in which nothing is invisible, reorders its neighbours, or controls anything."""
    return _DECEIVES.sub(REPLACEMENT, text)


def whole(text: str) -> int | None:
    """Return the number that an address or a form holds; None if it holds none, or one of ten digits or more."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def line(text: str, most: int) -> str:
    """Return the beginning of a text on one line."""
    flat = " ".join(text[: most * 4].split())
    return flat if len(flat) <= most and len(text) <= most * 4 else f"{flat[: most - 1]}…"


def editable(json_text: str) -> str:
    """Return a JSON text of the same value in which nothing deceives: what would be replaced elsewhere is escaped."""
    return _DECEIVES.sub(lambda match: json.dumps(match[0])[1:-1], json_text)
