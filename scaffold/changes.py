"""Changes of files in a checkout: what they are, whether git has a copy of what they replace, and their writing."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from operations.errors import RefusedError

Kind = Literal["create", "edit", "delete"]


class Change(Struct, frozen=True, kw_only=True):
    """One file's change. `path` is relative to the checkout; `text` is the new content, None for a deletion."""

    kind: Kind
    path: str
    text: str | None = None


def uncommitted(root: Path, paths: Sequence[str]) -> tuple[str, ...] | None:
    """Return those of `paths`, relative to `root`, of which git has no copy as they are now.

    A folder stands for all in it that git does not ignore. None if there is no git, or no repository: no copy at all.
    """
    try:
        listed = subprocess.run(
            ["git", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *paths],
            cwd=root,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError:
        return None
    if listed.returncode != 0:
        return None
    return tuple(sorted(line[3:] for line in listed.stdout.split("\0") if line))


def write(root: Path, changes: Sequence[Change]) -> None:
    """Carry out the changes; if one fails, those before it are taken back.

    A folder that a deletion leaves without any file but byte code is deleted, too. Raises RefusedError.
    """
    before: list[tuple[Path, bytes | None]] = []
    try:
        for change in changes:
            path = root / change.path
            before.append((path, path.read_bytes() if path.exists() else None))
            if change.text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(change.text.encode())
    except OSError as error:
        _restore(before)
        raise RefusedError(
            f"Nothing was changed: {error}. Make the file writable, then try again."
        ) from error
    for folder in sorted(
        {(root / change.path).parent for change in changes if change.text is None}, reverse=True
    ):
        _drop_if_empty(folder)


def _restore(before: Sequence[tuple[Path, bytes | None]]) -> None:
    for path, content in reversed(before):
        if content is not None:
            path.write_bytes(content)
        elif path.exists():
            path.unlink()
            _drop_if_empty(path.parent)


def _drop_if_empty(folder: Path) -> None:
    """Delete a folder that holds nothing but byte code."""
    if folder.is_dir() and all(entry.name == "__pycache__" for entry in folder.iterdir()):
        shutil.rmtree(folder)
