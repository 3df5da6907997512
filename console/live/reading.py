"""Readings: what is read on request only, because it costs or takes long, by one thread for all tabs.

A reading goes on when the tab that asked for it is closed, and its result stays until the next one has succeeded.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from operations.errors import OperationError
from operations.stop import Stop

Tell = Callable[[str], None]
"""A callback that receives what is being read."""
Read = Callable[[Tell, Stop], Any]
Phase = Literal["never", "running", "read", "failed"]

log = logging.getLogger(__name__)


class State(Struct, frozen=True, kw_only=True):
    """What is known of one subject. `value` is what the last reading that succeeded brought, at `read_at`."""

    number: int = 0
    """The number of the reading, counted from 1; 0 if there was none."""
    phase: Phase = "never"
    telling: str = ""
    error: str = ""
    value: Any = None
    read_at: datetime | None = None
    stopping: bool = False


class Reading:
    """The readings of one subject, one after another. Any thread may use it."""

    def __init__(self) -> None:
        self._state = State()
        self._stop = Stop()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> State:
        return self._state

    def begin(self, read: Read) -> bool:
        """Start to read in a thread of its own. Return False if that is under way already."""
        with self._lock:
            if self._state.phase == "running":
                return False
            self._stop = Stop()
            self._state = State(
                number=self._state.number + 1,
                phase="running",
                telling="beginning",
                value=self._state.value,
                read_at=self._state.read_at,
            )
            self._thread = threading.Thread(
                target=self._run, args=(read, self._stop), name="reading", daemon=True
            )
        self._thread.start()
        return True

    def join(self) -> None:
        """Wait until no reading is under way."""
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        """Ask the reading that is under way to end with what it has."""
        with self._lock:
            self._stop.requested = True
            if self._state.phase == "running":
                self._set(stopping=True)

    def _run(self, read: Read, stop: Stop) -> None:
        try:
            value = read(self._tell, stop)
        except OperationError as error:
            problem = str(error)
        except Exception:
            log.exception("a reading failed")
            problem = "The console itself failed. Its terminal shows the error; the pipeline is not affected."
        else:
            with self._lock:
                self._state = State(
                    number=self._state.number, phase="read", value=value, read_at=datetime.now(UTC)
                )
            return
        with self._lock:
            self._set(phase="failed", error=problem, stopping=False)

    def _tell(self, text: str) -> None:
        with self._lock:
            self._set(telling=text)

    def _set(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)


class Readings:
    """The readings of a console by name."""

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Reading:
        with self._lock:
            return self._readings.setdefault(name, Reading())
