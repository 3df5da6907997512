"""Shows what long work is doing: a line for each thing, and where a person looks, a clock beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.session import Session


@contextmanager
def shown(session: Session) -> Iterator[Callable[[str], None]]:
    """A callback for long work that writes to stderr."""
    if not session.err.is_terminal:
        yield session.note
        return
    columns = (SpinnerColumn(style="dim"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=session.err, transient=True) as progress:
        task = progress.add_task("…", total=None)

        def say(text: str) -> None:
            progress.console.print(text)
            progress.update(task, description="working")

        yield say
