"""The end of a command that is asked to end by another program, or whose terminal is closed."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command with exit code 143 or 129, as usual, but not half-way through its files.

    A terminal gets its cursor back, a child process ends with its parent, a draft of a file is removed. A signal that
    is ignored, as under nohup, stays ignored.
    """
    changed = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


_ENDING = (signal.SIGTERM, signal.SIGHUP)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
