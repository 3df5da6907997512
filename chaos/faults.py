"""The kinds of faults, by the name they have in the table, and what was injected when."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """In the table's order."""

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
    """One fault that happened. `pipeline` is the number of the one it hit, where that is known."""

    fault: Fault
    at_seconds: float
    pipeline: int | None = None
    detail: str = ""


@dataclass
class Ledger:
    """What was injected, by several threads. `number_of` tells a pipeline by a task token, once it was seen."""

    number_of: Callable[[str], int | None] = lambda _: None
    _began: float = field(default_factory=time.monotonic)
    _found: list[tuple[Injection, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, fault: Fault, *, pipeline: int | None = None, token: str = "", detail: str = "") -> None:
        noted = Injection(
            fault=fault, at_seconds=round(time.monotonic() - self._began, 3), pipeline=pipeline, detail=detail
        )
        with self._lock:
            self._found.append((noted, token))

    def injections(self) -> list[Injection]:
        with self._lock:
            found = list(self._found)
        return [
            noted
            if noted.pipeline is not None or not token
            else Injection(
                fault=noted.fault,
                at_seconds=noted.at_seconds,
                pipeline=self.number_of(token),
                detail=noted.detail,
            )
            for noted, token in found
        ]

    def count(self) -> int:
        with self._lock:
            return len(self._found)
