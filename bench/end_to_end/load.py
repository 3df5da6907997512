"""What an engine and its functions' processes take of the machine while they work: resident memory, and CPU time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local import process

EVERY_SECONDS = 0.5


@dataclass
class Load:
    """Memory in megabytes, each the highest seen; pages that processes share are counted for each: an upper bound.
    CPU time in seconds, as far as it was sampled.
    """

    engine_mb: float = 0.0
    workers_mb: float = 0.0
    workers: int = 0
    cpu: dict[int, list[float]] = field(default_factory=dict)
    """CPU time of each process, when first and when last seen."""

    def cpu_seconds(self, pids: set[int] | None = None) -> float:
        return sum(last - first for pid, (first, last) in self.cpu.items() if pids is None or pid in pids)


@contextmanager
def watched(engine_pid: int) -> Iterator[Load]:
    """The engine leads its process group, so that all of its functions are found by it."""
    load, over = Load(), threading.Event()

    def look() -> None:
        members = process.group_members(engine_pid)
        workers = [pid for pid in members if pid != engine_pid]
        load.engine_mb = max(load.engine_mb, process.resident_mb(engine_pid))
        load.workers_mb = max(load.workers_mb, sum(map(process.resident_mb, workers)))
        load.workers = max(load.workers, len(workers))
        for pid in members:
            now = process.cpu_seconds(pid)
            load.cpu.setdefault(pid, [now, now])[1] = now

    def watch() -> None:
        while not over.wait(EVERY_SECONDS):
            look()

    look()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield load
    finally:
        over.set()
        thread.join()
        look()
