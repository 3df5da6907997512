"""Copies of this checkout. Tests change the copy, never the checkout."""

import shutil
import subprocess
from pathlib import Path

from local.fingerprint import SOURCES
from local.paths import ROOT, STATE


def copy_checkout(copy: Path) -> None:
    """Write the files that are deployed to `copy`, which must not exist.

    The copy shares the checkout's `.venv` and fetched packages.
    """
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


def copy_everything(copy: Path, engine: Path) -> None:
    """Write all files of the project to `copy`, which must not exist; its commands use the engine in that folder.

    The copy shares what is installed in the checkout, and is a repository of its own with one commit.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    shared = {".venv": ROOT / ".venv", "node_modules": ROOT / "node_modules", ".pipeline": engine}
    for name, source in shared.items():
        (copy / name).symlink_to(source)
    if not (engine / "site").exists():
        (engine / "site").symlink_to(STATE / "site")
    options = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    (copy / ".git" / "info").mkdir(exist_ok=True)
    (copy / ".git" / "info" / "exclude").write_text("\n".join(shared), "utf-8")
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "base"]):
        subprocess.run(["git", *options, *words], cwd=copy, check=True)
