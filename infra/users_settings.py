"""Separates the user's settings that say how to reach packages from those that change what is installed.

It needs the standard library only, because the set-up imports it before anything is installed.
"""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WAYS = {
    "PIP_": frozenset(
        {
            "CACHE_DIR", "CERT", "CLIENT_CERT", "CONFIG_FILE", "DEFAULT_TIMEOUT", "EXTRA_INDEX_URL",
            "FIND_LINKS", "INDEX_URL", "KEYRING_PROVIDER", "NO_CACHE_DIR", "NO_INDEX", "PROXY", "RETRIES",
            "TIMEOUT", "TRUSTED_HOST",
        }
    ),
    "UV_": frozenset(
        {
            "CACHE_DIR", "DEFAULT_INDEX", "EXTRA_INDEX_URL", "FIND_LINKS", "HTTP_TIMEOUT", "INDEX",
            "INDEX_STRATEGY", "INDEX_URL", "INSECURE_HOST", "KEYRING_PROVIDER", "NATIVE_TLS", "NO_CACHE",
            "NO_INDEX", "OFFLINE", "SYSTEM_CERTS",
        }
    ),
}  # fmt: skip
"""The settings of pip and uv that say how to reach packages. All others (a folder, a constraint, a date, an
installation for one user) would change what is installed, or where.
"""
_UV_INDEX = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
NODE = frozenset({"NODE_OPTIONS", "NODE_PATH", "NODE_ENV"})
"""The variables that change how Node runs, or what it loads."""


def without_users_choices(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what would change the result of pip, uv, npm or Python."""
    return {**{name: value for name, value in variables.items() if _is_kept(name)}, "PYTHONUTF8": "1"}


def _is_kept(name: str) -> bool:
    for prefix, ways in WAYS.items():
        if name.startswith(prefix):
            # UV_INDEX_<NAME>_USERNAME and the like are the credentials of an index.
            return name.removeprefix(prefix) in ways or name.startswith("UV_INDEX_")
    return name not in NODE and name != "VIRTUAL_ENV" and not name.startswith("PYTHON")


def ways_to_packages(python: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the ways to packages from the user's files of pip, as variables for pip and uv.

    They replace these files, which may also hold what would change the installation. `python` has pip. A way that
    `variables` say wins, and uv gets pip's index where it has none of its own.
    """
    listed = subprocess.run(
        [str(python), "-m", "pip", "config", "list"],
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    ways: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        name = option.upper().replace("-", "_")
        if section in {"global", "install"} and name in WAYS["PIP_"]:
            with contextlib.suppress(ValueError, SyntaxError):
                ways.setdefault(f"PIP_{name}", " ".join(str(ast.literal_eval(value)).split()))
    ways = {name: value for name, value in ways.items() if name not in variables}
    everything = {**variables, **ways}
    if "PIP_INDEX_URL" in everything and not any(name.startswith(_UV_INDEX) for name in variables):
        ways["UV_DEFAULT_INDEX"] = everything["PIP_INDEX_URL"]
        # As pip does. It is safe, because every package is pinned by its hash.
        ways["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        for name in ("EXTRA_INDEX_URL", "FIND_LINKS"):
            if f"PIP_{name}" in everything:
                ways[f"UV_{name}"] = everything[f"PIP_{name}"]
    return {**ways, "PIP_CONFIG_FILE": os.devnull}
