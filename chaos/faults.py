"""The kinds of faults, and the ledger of the faults that were injected."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """A kind of fault. The values are the names in the report's table, in the order of its rows."""

    MODEL_THROTTLED = "model throttled (429)"
    MODEL_FAILING = "model failing (500)"
    MODEL_TOO_SLOW = "model slower than the chatbot waits"
    MODEL_SLOW = "model slow"
    MODEL_GARBAGE = "model answers garbage"
    MODEL_EXHAUSTED = "model fails all four tries"
    KILLED_BEFORE = "worker killed before its callback"
    KILLED_AFTER = "worker killed after its callback"
    REFUSED = "callback refused (500, throttled)"
    LOST = "callback's answer lost"
    TWICE = "callback delivered twice"
    KILLED = "worker killed at any moment"
    POSTED_TWICE = "request posted twice"
    PUBLISHED_TWICE = "start event published twice"
    DUPLICATED = "stage request duplicated at once"
    REPEATED = "stage request repeated after its run"
    MALFORMED = "start event breaks its contract"
    JUNK = "garbage in a service's queue"
    NO_MODEL_RIGHT = "right to the model removed"
    NO_TABLE_RIGHT = "right to the table removed"
    NO_CALLBACK_RIGHT = "right to call back removed"
    REDEPLOYED = "service redeployed under load"


CALLBACK_FAULTS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.REFUSED, Fault.LOST, Fault.TWICE)


@dataclass(frozen=True, kw_only=True)
class Injection:
    """A fault that was injected. `pipeline` is the number of the run that it hit, if known."""

    fault: Fault
    at_seconds: float
    pipeline: int | None = None
    detail: str = ""


@dataclass
class Ledger:
    """The injected faults, recorded by several threads.

    `number_of` returns the number of the run that a task token belongs to, once that token has been seen.
    """

    number_of: Callable[[str], int | None] = lambda _: None
    _started_at: float = field(default_factory=time.monotonic)
    _injections: list[tuple[Injection, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, fault: Fault, *, pipeline: int | None = None, token: str = "", detail: str = "") -> None:
        injection = Injection(
            fault=fault,
            at_seconds=round(time.monotonic() - self._started_at, 3),
            pipeline=pipeline,
            detail=detail,
        )
        with self._lock:
            self._injections.append((injection, token))

    def injections(self) -> list[Injection]:
        with self._lock:
            injections = list(self._injections)
        return [
            injection
            if injection.pipeline is not None or not token
            else Injection(
                fault=injection.fault,
                at_seconds=injection.at_seconds,
                pipeline=self.number_of(token),
                detail=injection.detail,
            )
            for injection, token in injections
        ]

    def count(self) -> int:
        with self._lock:
            return len(self._injections)
