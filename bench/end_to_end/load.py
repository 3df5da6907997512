"""The load of an engine and its functions' processes: resident memory and CPU time while they work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local import process

EVERY_SECONDS = 0.5


@dataclass
class Load:
    """The load, as far as it was sampled.

    Memory is the highest sample in megabytes. It is an upper bound, because pages that processes share are counted in
    each of them. CPU time is in seconds.
    """

    engine_mb: float = 0.0
    workers_mb: float = 0.0
    workers: int = 0
    cpu: dict[int, list[float]] = field(default_factory=dict)
    """CPU time of each process in its first and in its last sample."""

    def cpu_seconds(self, pids: set[int] | None = None) -> float:
        return sum(last - first for pid, (first, last) in self.cpu.items() if pids is None or pid in pids)


@contextmanager
def watched(engine_pid: int) -> Iterator[Load]:
    """Sample the load of the engine's process group, which contains all its functions, until the context ends."""
    load, over = Load(), threading.Event()

    def sample() -> None:
        members = process.group_members(engine_pid)
        workers = [pid for pid in members if pid != engine_pid]
        load.engine_mb = max(load.engine_mb, process.resident_mb(engine_pid))
        load.workers_mb = max(load.workers_mb, sum(map(process.resident_mb, workers)))
        load.workers = max(load.workers, len(workers))
        for pid in members:
            now = process.cpu_seconds(pid)
            load.cpu.setdefault(pid, [now, now])[1] = now

    def keep_sampling() -> None:
        while not over.wait(EVERY_SECONDS):
            sample()

    sample()
    thread = threading.Thread(target=keep_sampling, daemon=True)
    thread.start()
    try:
        yield load
    finally:
        over.set()
        thread.join()
        sample()
