"""A request to long work to stop: it finishes what is under way, and starts nothing new."""

import time
from collections.abc import Callable

SLICE_SECONDS = 0.05


class Stop:
    """A plain flag, which a signal handler can set at any moment: unlike a threading.Event, it has no lock."""

    def __init__(self, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.requested = False
        self._pause = pause

    def wait(self, seconds: float) -> None:
        """Wait for this long, or until a stop is requested."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            self._pause(min(SLICE_SECONDS, left))
