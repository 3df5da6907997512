"""The files that `pipeline contracts export` writes: schemas, and documents for people and programs."""

from pathlib import Path
from typing import Any

import msgspec

from contracts.references import ROOT
from operations.files import replace_file
from shared.contracts import schemas


def documents() -> dict[Path, str]:
    """Return every file with the text that it should have."""
    from contracts.asyncapi import asyncapi  # noqa: PLC0415 -- jsonschema and Powertools are
    from contracts.handbook import handbook  # noqa: PLC0415 -- slow to import, and only this
    from contracts.openapi import openapi  # noqa: PLC0415 -- needs them

    docs = ROOT / "docs"
    return {
        **schemas.files(),
        docs / "contracts.md": handbook(),
        docs / "asyncapi.json": _json(asyncapi()),
        docs / "openapi.json": _json(openapi()),
    }


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def outdated() -> list[Path]:
    """Return the files that are missing, differ from the types, or describe an event that no longer exists."""
    wanted = documents()
    wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    return wrong + _orphans(wanted)


def write() -> list[Path]:
    """Bring every file up to date, and return those that were outdated."""
    wanted, wrong = documents(), outdated()
    for path in wrong:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, wanted[path].encode())
        else:
            path.unlink()
    return wrong


def _orphans(wanted: dict[Path, str]) -> list[Path]:
    return sorted(path for path in schemas.FOLDER.glob("*.json") if path not in wanted)
