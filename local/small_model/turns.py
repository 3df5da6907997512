"""A fair queue: one request at a time, in the order of arrival."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.2
"""Time between two looks whether a waiting client is still there."""

Gone = Callable[[], bool]
"""Tells whether the client has closed its connection."""


class QueueFullError(Exception):
    """As many requests as the queue may hold wait already."""


class ClientGoneError(Exception):
    """The client closed its connection before it had its answer."""


class Turns:
    """The queue of a server. A connection sends one request after another, so it can't hold two places."""

    def __init__(self, limit: int) -> None:
        """Make an empty queue in which `limit` requests may wait behind the one that is being answered."""
        self._limit = limit
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """The number of requests that wait behind the one that is being answered."""
        return max(0, len(self._queue) - 1)

    @contextmanager
    def turn(self, gone: Gone) -> Iterator[None]:
        """Wait for the caller's turn and hold it inside the context.

        Raises QueueFullError at once, and ClientGoneError if the client goes away while it waits; it then loses its
        place.
        """
        place = object()
        with self._changed:
            if len(self._queue) > self._limit:
                raise QueueFullError
            self._queue.append(place)
        try:
            with self._changed:
                look_at = time.monotonic() + LOOK_SECONDS
                while self._queue[0] is not place:
                    self._changed.wait(LOOK_SECONDS)
                    if time.monotonic() >= look_at:
                        if gone():
                            raise ClientGoneError
                        look_at = time.monotonic() + LOOK_SECONDS
            if gone():
                raise ClientGoneError
            yield
        finally:
            with self._changed:
                self._queue.remove(place)
                self._changed.notify_all()
