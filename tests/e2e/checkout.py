"""A copy of the files of this checkout that are deployed. Tests change the copy, never the checkout."""

import shutil
from pathlib import Path

from local.fingerprint import SOURCES
from local.paths import ROOT, STATE


def copy_checkout(copy: Path) -> None:
    """Write the copy to `copy`, which must not exist. It shares the checkout's `.venv` and fetched packages."""
    copy.mkdir(parents=True)
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        else:
            shutil.copy(source, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    (copy / ".pipeline").mkdir()
    (copy / ".pipeline" / "site").symlink_to(STATE / "site")
