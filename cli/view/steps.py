"""How progress is shown: steps as they end, and, where a person looks, the ones under way; a bar of many items."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from operations.progress import Progress, Step

_MARKS = {"finished": ("✓", "green"), "unchanged": ("·", "dim"), "failed": ("✗", "red")}


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """A callback for long work, whose steps are written to `console`."""
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


@contextmanager
def bar(console: Console, text: str, total: int, completed: int = 0) -> Iterator[Callable[[int, str], None]]:
    """A progress bar, where a person looks: call it with how many items are done, and a remark."""
    if not console.is_terminal or not total:
        yield lambda _done, _remark: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Bar(*columns, console=console, transient=True) as drawn:
        task = drawn.add_task(text, total=total, completed=completed, remark="")
        yield lambda done, remark: drawn.update(task, completed=done, remark=remark)
