"""Ctrl-C: the first stops the work after its current step, the second ends it at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from operations.stop import Stop


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Yield a Stop that Ctrl-C requests. A second Ctrl-C raises KeyboardInterrupt as usual."""
    stop = Stop()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True
        # a signal handler must not use sys.stderr's buffer
        os.write(2, b"\nStopping after the current step; press Ctrl-C again to end at once.\n")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
