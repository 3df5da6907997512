"""Ctrl-C: the first asks the work to stop in good order, the second ends it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from operations.stop import Stop


@contextmanager
def stoppable() -> Iterator[Stop]:
    """A Stop that Ctrl-C sets. A second Ctrl-C raises KeyboardInterrupt as usual."""
    stop = Stop()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        os.write(2, b"\nStopping; once more to end at once.\n")  # a handler must not use sys.stderr's buffer

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
