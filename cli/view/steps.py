"""Shows the steps of long work as they end, and, where a person looks, the ones under way."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.text import Text

from cli.session import Session
from operations.progress import Progress, Step

_MARKS = {"finished": ("✓", "green"), "unchanged": ("·", "dim"), "failed": ("✗", "red")}


@contextmanager
def shown(session: Session) -> Iterator[Progress]:
    """A callback for `local`'s operations that writes to stderr."""
    console = session.err
    under_way: dict[str, str] = {}
    status = console.status("", spinner_style="dim") if console.is_terminal else None

    def show(step: Step) -> None:
        if step.state == "started":
            under_way[step.name] = step.text
        else:
            under_way.pop(step.name, None)
            mark, style = _MARKS[step.state]
            seconds = f"{step.seconds:6.1f} s" if step.seconds is not None else " " * 8
            line = Text.assemble((f"{mark} ", style), f"{step.name:<11}", (f"{seconds}  ", "dim"), step.text)
            console.print(line)
        if status:
            status.update(", ".join(under_way) or "…")

    if status is None:
        yield show
        return
    with status:
        yield show
