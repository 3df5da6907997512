"""Asking long work to stop: it finishes what is under way, and starts nothing new."""

import time
from collections.abc import Callable

SLICE_SECONDS = 0.05


class Stop:
    """A plain flag, so that a signal handler may set it at any moment: an Event's lock could be held then."""

    def __init__(self, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.requested = False
        self._pause = pause

    def wait(self, seconds: float) -> None:
        """Waits, or less if asked to stop."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            self._pause(min(SLICE_SECONDS, left))
