"""How progress is shown: finished steps as lines, running ones beside a spinner, many items as a bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from cli.view.text import duration
from operations.progress import Progress, Step

_MARKS = {"finished": ("✓", "green"), "unchanged": ("·", "dim"), "failed": ("✗", "red")}


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """Yield a callback that writes the steps of long work to `console`."""
    running: dict[str, str] = {}
    status = console.status("", spinner_style="dim") if console.is_terminal else None

    def show(step: Step) -> None:
        if step.state == "started":
            running[step.name] = step.text
        else:
            running.pop(step.name, None)
            mark, style = _MARKS[step.state]
            seconds = f"{step.seconds:6.1f} s" if step.seconds is not None else " " * 8
            line = Text.assemble((f"{mark} ", style), f"{step.name:<11}", (f"{seconds}  ", "dim"), step.text)
            console.print(line)
        if status:
            status.update(", ".join(running) or "…")

    if status is None:
        yield show
        return
    with status:
        yield show


class _TimeLeft(ProgressColumn):
    """The time that is left at the average pace since the bar was drawn; `before` items had been finished by then."""

    max_refresh = 1.0

    def __init__(self, before: int) -> None:
        super().__init__()
        self._before = before

    def render(self, task: Task) -> Text:
        done = int(task.completed) - self._before
        return Text(time_left(task.elapsed or 0, done, int(task.remaining or 0)), "dim")


ENOUGH = 3
"""So many items must have ended before their pace says anything about the others."""


def time_left(elapsed_seconds: float, done: int, remaining: int) -> str:
    """Return the time that is left after `done` items in `elapsed_seconds`; empty while too few have ended."""
    if done < ENOUGH or not remaining:
        return ""
    return f"about {duration(1_000 * round(elapsed_seconds / done * remaining))} left"


@contextmanager
def bar(console: Console, text: str, total: int, completed: int = 0) -> Iterator[Callable[[int, str], None]]:
    """Yield a callback that moves a progress bar; it takes the number of finished items and a remark.

    Without a terminal, or with nothing to do, no bar is shown.
    """
    if not console.is_terminal or not total:
        yield lambda _done, _remark: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        _TimeLeft(completed),
        TextColumn("{task.fields[remark]}"),
    )
    with Bar(*columns, console=console, transient=True) as progress:
        task = progress.add_task(text, total=total, completed=completed, remark="")
        yield lambda done, remark: progress.update(task, completed=done, remark=remark)
