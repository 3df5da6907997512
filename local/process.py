"""Processes of an engine and of its functions, by psutil. A zombie is gone: its parent may never collect it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

ASKED_SECONDS = 2.0
"""The engine keeps nothing on disk: what it still has to do when it is asked to end is not worth a wait."""
KILLED_SECONDS = 8.0


def command_line(pid: int) -> str | None:
    """The command line of a living process, its words joined by spaces; None if there is no such process."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return " ".join(process.cmdline())
    return None


def living(group: int | None = None, marker: str = "") -> Iterator[tuple[int, str]]:
    """Id and command line of each living process, of `group` if one is named, whose command line has `marker`."""
    for pid in psutil.pids():
        if group in (None, _group(pid)) and (command := command_line(pid)) is not None and marker in command:
            yield pid, command


def group_members(group: int, marker: str = "") -> list[int]:
    """The living processes of a group. A group and not a tree: an engine's crash leaves its functions no parent."""
    return [pid for pid, _ in living(group, marker)]


def end_group(group: int) -> bool:
    """Ends a process group: asked first, killed when it takes too long. False if it is still there after that."""
    for number, patience in ((signal.SIGTERM, ASKED_SECONDS), (signal.SIGKILL, KILLED_SECONDS)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if not group_members(group):
                reap(group)
                return True
            time.sleep(0.05)
    return False


def reap(pid: int) -> None:
    """Collects a child that has ended; a process that is no child of ours is init's business."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def cpu_seconds(pid: int) -> float:
    """User and system time of the process so far; 0 for one that is gone."""
    with contextlib.suppress(psutil.Error):
        used = psutil.Process(pid).cpu_times()
        return float(used.user + used.system)
    return 0.0


def resident_mb(pid: int) -> float:
    """Resident memory of the process; 0 for one that is gone."""
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    return 0.0


def _group(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getpgid(pid)
    return None
