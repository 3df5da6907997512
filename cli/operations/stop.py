"""Asking long work to stop: it finishes what is under way, and starts nothing new."""

import time
from collections.abc import Callable


class Stop:
    """A plain flag, so that a signal handler may set it at any moment: an Event's lock could be held then."""

    def __init__(self) -> None:
        self.requested = False


SLICE_SECONDS = 0.05


def wait(seconds: float, stop: Stop, pause: Callable[[float], None] = time.sleep) -> None:
    """Waits, or less if asked to stop."""
    end = time.monotonic() + seconds
    while not stop.requested and (left := end - time.monotonic()) > 0:
        pause(min(SLICE_SECONDS, left))
