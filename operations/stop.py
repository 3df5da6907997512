"""A request to long work to stop: it finishes what is under way, and starts nothing new."""

import time
from collections.abc import Callable

SLICE_SECONDS = 0.05


class Stop:
    """A plain flag that a signal handler may set at any moment, when the lock of a threading.Event could be held."""

    def __init__(self, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.requested = False
        self._pause = pause

    def wait(self, seconds: float) -> None:
        """Wait for this long, or until a stop is requested."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            self._pause(min(SLICE_SECONDS, left))
