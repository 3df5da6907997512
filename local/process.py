"""Processes of an engine and of its functions. A zombie counts as ended: its parent may never collect it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

TERM_SECONDS = 2.0
"""Short, because the engine has nothing to save: it keeps its data in memory."""
KILL_SECONDS = 8.0


def command_line(pid: int) -> str | None:
    """Return the command line of a living process, its words joined by spaces; None if there is no such process."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return " ".join(process.cmdline())
    return None


def settled_command_line(pid: int) -> str | None:
    """Return `command_line`, but wait a moment for a process that is just becoming another program: it has none."""
    for _ in range(10):
        if (command := command_line(pid)) != "":
            return command
        time.sleep(0.02)
    return ""


def living(group: int | None = None, marker: str = "") -> Iterator[tuple[int, str]]:
    """Yield id and command line of each living process, of `group` if given, whose command line has `marker`."""
    for pid in psutil.pids():
        if group in (None, _group(pid)) and (command := command_line(pid)) is not None and marker in command:
            yield pid, command


def group_members(group: int, marker: str = "") -> list[int]:
    """Return the living processes of a group: functions stay in it when their parent, the engine, has crashed."""
    return [pid for pid, _ in living(group, marker)]


def end_group(group: int) -> bool:
    """End a process group with SIGTERM and, if that takes too long, SIGKILL. False if a process survives both."""
    for number, patience in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
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
    """Collect a child process that has ended; do nothing for a process that is not our child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of the process so far; 0 if it has ended."""
    with contextlib.suppress(psutil.Error):
        used = psutil.Process(pid).cpu_times()
        return float(used.user + used.system)
    return 0.0


def resident_mb(pid: int) -> float:
    """Return the resident memory of the process; 0 if it has ended."""
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    return 0.0


def _group(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getpgid(pid)
    return None
