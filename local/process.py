"""Processes by id and start time: an id alone may belong to another process by now."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_SECONDS = 8.0
_PROC = Path("/proc/self/stat")


def start_time(pid: int) -> str | None:
    """When the process started, in the system's own words; None if there is none or it is a zombie."""
    if _PROC.exists():
        try:
            fields = _stat(pid)
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    state, _, started = _ps("-p", str(pid), "-o", "stat=,lstart=").strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def find(marker: str) -> int | None:
    """The process whose command line holds `marker`, which must be unique to it."""
    for pid, _, command in _processes():
        if marker in command and pid != os.getpid():
            return pid
    return None


def group_members(group: int, marker: str) -> list[int]:
    """The processes of a group whose command line holds `marker`; zombies have none."""
    return [pid for pid, of, command in _processes() if of == group and marker in command]


def group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user, or, on macOS, only zombies
        return True
    return True


def end_group(group: int, *, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Ends a process group: asked first, killed when it takes too long. False if it is still there after that."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        until = time.monotonic() + patience_seconds
        while time.monotonic() < until:
            reap(group)
            if not group_alive(group):
                return True
            time.sleep(0.05)
    return False


def reap(pid: int) -> None:
    """Collects a child that has ended; a process that is no child of ours is init's business."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _processes() -> Iterator[tuple[int, int, str]]:
    """Id, group and command line of each process of the machine. Linux has /proc, but not always `ps`."""
    if not _PROC.exists():
        for line in _ps("-ww", "-axo", "pid=,pgid=,command=").splitlines():
            pid, group, command = line.split(maxsplit=2)
            yield int(pid), int(group), command
        return
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield int(folder.name), int(_stat(int(folder.name))[2]), command


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on: state, parent, group, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
