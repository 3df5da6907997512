"""How texts, numbers, times and amounts of money are worded for people, in every face of this library.

Money is counted in nano-dollars and shown in dollars.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

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


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(parts: Iterable[str], last: str = "and") -> str:
    """Join the parts: `a`, `a and b`, `a, b and c`."""
    *others, end = list(dict.fromkeys(parts)) or [""]
    return f"{', '.join(others)} {last} {end}" if others else end


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


def usd(nanos: int | float) -> str:
    """Return an amount in dollars, with four significant digits if it is below $10."""
    dollars = nanos / 1e9
    if abs(dollars) >= 10:
        return f"${dollars:,.2f}"
    return f"${Decimal(f'{dollars:.4g}'):f}"


def exact(number: Decimal, places: int) -> str:
    """Return a number with at most so many decimal places, and no zeros at its end."""
    return f"{number:,.{places}f}".rstrip("0").rstrip(".")


def micro(nanos: int) -> str:
    """Return an exact amount in millionths of a dollar, which is also the price of a million in dollars."""
    return f"{nanos // 1_000:,}.{nanos % 1_000:03}"


def cost_line(nanos: int | None, waste: int, *, lacking: bool, stand_in: str | None = None) -> str:
    """Return a sentence about a cost. `lacking`: a part of it is unknown, so that it is a lower bound.

    Where there is a stand-in for the models, the cost is what AWS would charge for the same run. It is empty if no
    model was asked.
    """
    if nanos is None:
        return "unknown, because no price is known"
    text = f"{stand_in}; " if stand_in else ""
    text += "on AWS this would cost " if stand_in is not None else ""
    text += f"{'at least ' if lacking else ''}{usd(nanos)} (${nanos / 1_000:,.2f} per million such runs)"
    if waste and nanos:
        text += f", {waste / nanos:.0%} wasted"
    return text
