"""How texts, numbers and times are formatted for people."""

from collections.abc import Sequence
from datetime import UTC, datetime

_CONTROLS = dict.fromkeys(
    [
        *(code for code in range(32) if chr(code) not in "\n\t"),
        *range(0x7F, 0xA0),
        *(0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)),  # line ends, directions
        *range(0xD800, 0xE000),
    ],
    "\N{REPLACEMENT CHARACTER}",
)


def printable(text: str) -> str:
    """Replace what could send commands to the terminal, or show a text in another order than it has."""
    return text.translate(_CONTROLS)


def in_a_line(text: str) -> str:
    """Return a text of others as part of one line: none of its own line breaks can look like a line of a command."""
    return printable(" ".join(text.split()))


def in_columns(rows: Sequence[tuple[str, str]], indent: str = "  ") -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{indent}{name:<{width}}  {text}" for name, text in rows)


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def local(moment: datetime) -> datetime:
    """Return a moment in local time, or as it is at an end of the calendar, where that has no date."""
    try:
        return moment.astimezone()
    except OverflowError:
        return moment


def ago(moment: datetime) -> str:
    """Return how long ago a moment was, e.g. `3 min 5 s ago`."""
    return f"{duration(max(0.0, (datetime.now(UTC) - moment).total_seconds() * 1_000))} ago"


def duration(milliseconds: float | None) -> str:
    """Return a duration in short form: 12 ms, 3.4 s, 2 min 5 s, 3 h 20 min, 13 days 4 h."""
    if milliseconds is None:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3_600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    if seconds < 2 * 86_400:
        return f"{int(seconds // 3_600)} h {int(seconds % 3_600 // 60)} min"
    return f"{int(seconds // 86_400)} days {int(seconds % 86_400 // 3_600)} h"
