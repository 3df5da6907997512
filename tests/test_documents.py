"""The Markdown files: lines of a readable length, and links that lead somewhere."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINE_CHARS = 120
MADE = {"node_modules", "cdk.out", "build", "__pycache__"}
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`]*`")


def documents() -> list[str]:
    """Return the project's own Markdown files: none that a set-up or a build made."""
    files = [path for folder in (ROOT, *own_folders()) for path in folder.glob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in files)


def own_folders() -> Iterator[Path]:
    for folder, names, _ in os.walk(ROOT):
        names[:] = [name for name in names if name == ".github" or not name.startswith(".")]
        names[:] = [name for name in names if name not in MADE]
        yield from (Path(folder, name) for name in names)


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines outside code fences."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    titles = [line.lstrip("#").strip() for _, line in prose(text) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", documents())
def test_lines_of_prose_are_readable(name: str):
    """No line of prose is longer than 120 characters; a table's row is one line, however long."""
    long = [
        number
        for number, line in prose((ROOT / name).read_text("utf-8"))
        if len(line) > LINE_CHARS and not line.lstrip().startswith("|") and " " in line.strip()
    ]
    assert long == []


@pytest.mark.parametrize("name", documents())
def test_links_lead_somewhere(name: str):
    """Every relative link names an existing file and, if it has an anchor, one of that file's headings."""
    path = ROOT / name
    broken = []
    for number, line in prose(path.read_text("utf-8")):
        for address in _LINK.findall(_CODE.sub("", line)):
            if re.match(r"[a-z]+:", address):
                continue
            file, _, anchor = address.partition("#")
            linked = (path.parent / file).resolve() if file else path
            if not linked.exists() or (anchor and anchor not in anchors(linked.read_text("utf-8"))):
                broken.append(f"{number}: {address}")
    assert broken == []
