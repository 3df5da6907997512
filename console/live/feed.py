"""Feeds: what is looked at again and again, once for all who watch, and not at all while nobody does."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from msgspec import Struct

from operations.errors import OperationError

SECONDS = 2.0
"""The shortest time between two looks of one feed, however many watch it and however often a page is loaded."""
KEPT = 900
"""Looks that a feed remembers: half an hour of them."""
MOST_STREAMS = 4
"""Streams at a time. A browser opens six connections to one server, and hidden tabs close theirs."""

T = TypeVar("T")


class Look(Struct, Generic[T], frozen=True, kw_only=True):
    """One look. After a failure, `value` is that of the last look that succeeded, and `error` says what happened."""

    number: int
    value: T | None
    error: str = ""
    cause: OperationError | None = None
    """What `error` says, for whoever raises it again."""


class Feed(Generic[T]):
    """One thing that is looked at while somebody watches it. Any thread may use it."""

    def __init__(self, look: Callable[[], T], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.history: deque[T] = deque(maxlen=KEPT)
        self._look = look
        self._clock = clock
        self._last: Look[T] | None = None
        self._looked_at = float("-inf")
        self._watchers = 0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._wake = threading.Event()

    @property
    def is_watched(self) -> bool:
        return self._watchers > 0

    def latest(self) -> Look[T]:
        """Return the last look, or a new one if that is older than `SECONDS`. Others wait for a look under way."""
        with self._looking:
            if self._last is None or self._clock() - self._looked_at >= SECONDS:
                self._last = self._again()
            return self._last

    def seen(self) -> Look[T] | None:
        """Return the last look without looking."""
        return self._last

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look every `SECONDS` inside the block."""
        with self._lock:
            self._watchers += 1
            if self._thread is None or not self._thread.is_alive():
                self._wake.clear()
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1
                if not self._watchers:
                    self._wake.set()
                    self._thread = None

    def _run(self) -> None:
        mine, wake = threading.current_thread(), self._wake
        while self._thread is mine and self._watchers:
            self.latest()
            rest = SECONDS - (self._clock() - self._looked_at)
            if wake.wait(max(0.05, rest)):
                return

    def _again(self) -> Look[T]:
        """Look once. A look counts from its beginning: a slow one is not followed by a pause as long."""
        before = self._last
        number = before.number + 1 if before else 1
        self._looked_at = self._clock()
        try:
            value = self._look()
        except OperationError as error:
            return Look(number=number, value=before.value if before else None, error=str(error), cause=error)
        self.history.append(value)
        return Look(number=number, value=value)


class Feeds:
    """The feeds of a console by name, and the streams that show them."""

    def __init__(self) -> None:
        self.stopping = False
        self._feeds: dict[str, Feed[object]] = {}
        self._streams = 0
        self._lock = threading.Lock()

    def feed(self, name: str, look: Callable[[], T]) -> Feed[T]:
        """Return the feed of this name; a new one if there is none. Feeds that nobody watches are forgotten."""
        with self._lock:
            if len(self._feeds) > 2 * MOST_STREAMS:
                self._feeds = {key: one for key, one in self._feeds.items() if one.is_watched or key == "now"}
            return self._feeds.setdefault(name, Feed(look))  # type: ignore[return-value]

    @contextmanager
    def stream(self) -> Iterator[bool]:
        """Count one stream. Yields whether there is room for it."""
        with self._lock:
            fits = self._streams < MOST_STREAMS
            self._streams += 1
        try:
            yield fits
        finally:
            with self._lock:
                self._streams -= 1

    def stop(self) -> None:
        """End all streams."""
        self.stopping = True
