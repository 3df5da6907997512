"""How texts are formatted for a terminal; `operations.wording` has what every face words alike."""

from collections.abc import Sequence

from operations.wording import ago, counted, duration, local, printable

__all__ = ["ago", "counted", "duration", "in_columns", "local", "printable"]


def in_columns(rows: Sequence[tuple[str, str]], indent: str = "  ") -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{indent}{name:<{width}}  {text}" for name, text in rows)
