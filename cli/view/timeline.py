"""A journey's bars, drawn in a terminal."""

from collections.abc import Iterator

from rich.text import Text

from operations.runs.timeline import Bar
from operations.wording import duration

NAME, WIDTH = 12, 54
WAITED, WORKED, OTHER, PAUSED, OPEN = "░", "█", "▒", "┄", "…"
STYLES = {WAITED: "yellow", WORKED: "green", OTHER: "red", PAUSED: "dim", OPEN: "cyan"}
LEGEND = f"{WAITED} waiting  {WORKED} working  {OTHER} retries, hops, not metered"


def legend(timeline: list[Bar]) -> str:
    """Return what the signs of these bars mean."""
    return f"{LEGEND}  {PAUSED} until a redrive" if any(bar.paused_ms for bar in timeline) else LEGEND


def drawn(timeline: list[Bar], width: int = WIDTH) -> Iterator[Text]:
    """Yield a line for each bar: its name (`NAME` columns), the bar (`width` columns) and its duration."""
    whole = max((bar.start_ms + bar.length_ms for bar in timeline), default=0.0)
    for bar in timeline:
        yield _line(bar, whole, width)


def _line(bar: Bar, whole: float, width: int) -> Text:
    scale = width / whole if whole else 0.0
    start, end = round(bar.start_ms * scale), round((bar.start_ms + bar.length_ms) * scale)
    start = min(start, width - 1)
    cells = _cells(bar, max(1, end - start))
    text = Text.assemble(f"{bar.name:<{NAME}}", " " * start)
    for sign in cells:
        text.append(sign, STYLES[sign])
    if bar.is_open:
        text.append(OPEN, STYLES[OPEN])
    pad = width + 1 - start - len(cells) - bar.is_open
    text.append(f"{' ' * max(1, pad)}{duration(bar.length_ms)}")
    return text


def _cells(bar: Bar, count: int) -> str:
    """Divide `count` signs among waiting, other time and work; each that took time gets one, if there is room."""
    parts = {WAITED: bar.waited_ms, OTHER: bar.other_ms, PAUSED: bar.paused_ms or 0.0, WORKED: bar.worked_ms}
    total = bar.length_ms or 1.0
    cells = {sign: round(ms / total * count) for sign, ms in parts.items() if ms}
    if not cells:
        return WORKED * count
    if len(cells) <= count:
        cells = {sign: max(1, number) for sign, number in cells.items()}
    while (excess := sum(cells.values()) - count) != 0:
        cells[max(cells, key=cells.__getitem__)] -= 1 if excess > 0 else -1
    return "".join(sign * number for sign, number in cells.items())
