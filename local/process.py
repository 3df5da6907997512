"""Processes by id and start time: an id alone may belong to another process by now."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

ASKED_SECONDS = 2.0
"""The engine keeps nothing on disk: what it still has to do when it is asked to end is not worth a wait."""
KILLED_SECONDS = 8.0
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


def find(pattern: str) -> tuple[int, re.Match[str]] | None:
    """The first process whose command line has a match, with the match."""
    for pid, _, command in _processes():
        if (match := re.search(pattern, command)) and pid != os.getpid():
            return pid, match
    return None


def group_members(group: int, marker: str = "") -> list[int]:
    """The processes of a group, zombies left out, whose command line holds `marker`."""
    return [pid for pid, of, command in _processes() if of == group and marker in command]


def group_alive(group: int) -> bool:
    """Whether anything of the group still runs. Zombies don't: they wait for a parent that may never look."""
    return bool(group_members(group))


def end_group(group: int) -> bool:
    """Ends a process group: asked first, killed when it takes too long. False if it is still there after that."""
    for number, patience in ((signal.SIGTERM, ASKED_SECONDS), (signal.SIGKILL, KILLED_SECONDS)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        until = time.monotonic() + patience
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
    """Id, group and command line of each living process. Linux has /proc, but not always `ps`."""
    if not _PROC.exists():
        for line in _ps("-ww", "-axo", "pid=,pgid=,stat=,command=").splitlines():
            pid, group, state, command = line.split(maxsplit=3)
            if not state.startswith("Z"):
                yield int(pid), int(group), command
        return
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                state, _, group, *_ = _stat(int(folder.name))
                if state != "Z":
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    yield int(folder.name), int(group), command


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on: state, parent, group, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
