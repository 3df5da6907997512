"""A copy of this checkout, as far as a deployment depends on it: a test changes the copy, never the checkout."""

import shutil
from pathlib import Path

from local.fingerprint import SOURCES
from local.paths import ROOT, STATE


def copy_checkout(copy: Path) -> None:
    """Writes it to `copy`, which must not exist. Environment and fetched packages are the checkout's own."""
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
