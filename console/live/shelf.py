"""The shelf: the one snapshot of the dead-letter queues that all pages show, read in the background on request."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from msgspec import Struct

from operations.dlq.snapshot import Snapshot, read
from operations.errors import OperationError
from operations.stop import SLICE_SECONDS, Stop
from operations.target import Target


class Shown(Struct, frozen=True, kw_only=True):
    """What is on the shelf. `reading` says how far a reading is, empty if none goes on; `error` why one failed."""

    snapshot: Snapshot | None = None
    reading: str = ""
    error: str = ""


class Shelf:
    """The shelf of one console. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues = threading.Lock()
        """Held by whoever receives the parked messages: SQS hides them from everybody else meanwhile."""
        self._target: Target | None = None
        self._shown = Shown()

    def shown(self, target: Target) -> Shown:
        """Return what is known of a target. What was read of an earlier engine is not."""
        with self._lock:
            return self._shown if self._target is target else Shown()

    def read(self, target: Target) -> bool:
        """Begin to read the queues, or join whoever reads them; False if a plan is being carried out."""
        with self._lock:
            if self._shown.reading:
                return True
            if not self._queues.acquire(blocking=False):
                return False
            before = self._shown.snapshot if self._target is target else None
            self._target, self._shown = target, Shown(snapshot=before, reading="the dead-letter queues")
        threading.Thread(target=self._read, args=(target, before), name="shelf", daemon=True).start()
        return True

    def drop(self, ids: Collection[str]) -> None:
        """Forget messages that have left their queues."""
        with self._lock:
            if snapshot := self._shown.snapshot:
                self._shown = Shown(snapshot=snapshot.without(ids), error=self._shown.error)

    @contextmanager
    def alone(self, stop: Stop) -> Iterator[None]:
        """Wait until nobody reads the queues, and keep readers away inside the block."""
        while not (mine := self._queues.acquire(timeout=SLICE_SECONDS)) and not stop.requested:
            pass
        try:
            yield
        finally:
            if mine:
                self._queues.release()

    def wait(self) -> None:
        """Wait for the end of a reading."""
        with self._queues:
            pass

    def _read(self, target: Target, before: Snapshot | None) -> None:
        outcome = Shown(snapshot=before, error="The reading has ended without a result. Read again.")
        try:
            for step in read(target):
                if step.snapshot is not None:
                    outcome = Shown(snapshot=step.snapshot)
                    break
                with self._lock:
                    self._shown = Shown(snapshot=before, reading=step.text)
        except OperationError as error:
            outcome = Shown(snapshot=before, error=str(error))
        finally:
            with self._lock:
                self._shown = outcome
                self._queues.release()
