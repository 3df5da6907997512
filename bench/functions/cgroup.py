"""A cgroup with the size of a function: its memory from the start, its CPU share when `throttle` is called.

Supports versions 1 and 2 of the kernel's interface. Both need the right to create cgroups (root, on most machines).
"""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CPU_MB: Final = 1_769
"""The memory with which Lambda gives a function one CPU; with less, its share is smaller in proportion."""
PERIOD_US: Final = 20_000
"""The period of throttling: the kernel's default is 100 ms, but Lambda throttles in steps of 20 ms."""
ROOT: Final = Path("/sys/fs/cgroup")


class NoCgroupsError(Exception):
    """No cgroup can be created; the text says why."""


class Cgroup:
    def __init__(self, memory: Path, cpu: Path, memory_mb: int, *, unified: bool) -> None:
        self._memory, self._cpu, self._memory_mb, self._unified = memory, cpu, memory_mb, unified

    def join(self) -> None:
        """Limit the memory of the calling process from now on."""
        (self._memory / "cgroup.procs").write_text(str(os.getpid()))

    def throttle(self, pid: int) -> None:
        """Limit the process to its share of a CPU from now on."""
        quota = round(self._memory_mb / CPU_MB * PERIOD_US)
        if self._unified:
            (self._cpu / "cpu.max").write_text(f"{quota} {PERIOD_US}")
            return
        (self._cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (self._cpu / "cpu.cfs_quota_us").write_text(str(quota))
        (self._cpu / "cgroup.procs").write_text(str(pid))


@contextmanager
def cgroup(name: str, memory_mb: int) -> Iterator[Cgroup]:
    """Create a cgroup and remove it at the end, when its processes have ended. Raises NoCgroupsError."""
    unified = (ROOT / "cgroup.controllers").exists()
    parents = [ROOT] if unified else [ROOT / "memory", ROOT / "cpu"]
    folders = [parent / f"bench-{name}-{os.getpid()}" for parent in parents]
    try:
        for folder in folders:
            folder.mkdir()
        limit = folders[0] / ("memory.max" if unified else "memory.limit_in_bytes")
        limit.write_text(str(memory_mb << 20))
        if not (folders[-1] / ("cpu.max" if unified else "cpu.cfs_quota_us")).exists():
            raise NoCgroupsError("cgroups of this machine have no CPU quota")
        yield Cgroup(folders[0], folders[-1], memory_mb, unified=unified)
    except OSError as error:
        raise NoCgroupsError(f"no cgroup can be made: {error.strerror} ({error.filename})") from error
    finally:
        for folder in folders:
            _remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(50):
        with contextlib.suppress(OSError):
            folder.rmdir()
        if not folder.exists():
            return
        time.sleep(0.02)
