"""How texts are formatted for a terminal; `operations.wording` has what every face words alike."""

from collections.abc import Sequence

from operations.wording import ago, counted, duration, local, printable

__all__ = ["ago", "counted", "duration", "in_a_line", "in_columns", "local", "printable"]


def in_a_line(text: str) -> str:
    """Return a text of others as part of one line: none of its own line breaks can look like a line of a command."""
    return printable(" ".join(text.split()))


def in_columns(rows: Sequence[tuple[str, str]], indent: str = "  ") -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{indent}{name:<{width}}  {text}" for name, text in rows)
