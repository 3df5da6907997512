"""Copies of this checkout. Tests change the copy, never the checkout."""

import shutil
import subprocess
import sys
from pathlib import Path

from local.fingerprint import SOURCES
from local.paths import ENGINE_PROCESS, ROOT, STATE


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


PIPELINE = """#!{python}
import sys
from pathlib import Path

sys.path.insert(0, {copy!r})
from local import paths

paths.STATE, paths.ENGINE_PROCESS = Path({engine!r}), Path({process!r})
from cli.main import main

sys.exit(main())
"""


def copy_everything(copy: Path, engine: Path) -> Path:
    """Write all files of the project to `copy`, which must not exist, as a repository of its own with one commit.

    The copy shares what is installed in the checkout. Return a folder with its `pipeline` command, which uses the
    checkout's engine with the state folder `engine`.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    shared = (".venv", "node_modules", ".pipeline/site")
    (copy / ".pipeline").mkdir()
    for name in shared:
        (copy / name).symlink_to(ROOT / name)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    (copy / ".git" / "info").mkdir(exist_ok=True)
    (copy / ".git" / "info" / "exclude").write_text("\n".join(shared), "utf-8")
    options = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "base"]):
        subprocess.run(["git", *options, *words], cwd=copy, check=True)
    command = copy.with_name(f"{copy.name}-bin") / "pipeline"
    command.parent.mkdir()
    command.write_text(
        PIPELINE.format(
            python=sys.executable, copy=str(copy), engine=str(engine), process=str(ENGINE_PROCESS)
        ),
        "utf-8",
    )
    command.chmod(0o755)
    return command.parent
