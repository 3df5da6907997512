"""Edits of the stage table's source: a row more or less, and the import of its types. Nothing else is touched."""

import ast
from collections.abc import Sequence
from typing import Final

from operations.errors import RefusedError

TABLE: Final = "shared/contracts/stages.py"
_CHANGED: Final = (
    f"{TABLE} does not have the form that this command edits: {{}}. Add or remove the row by hand, as its first "
    "lines say."
)


def with_row(source: str, row: str, *, module: str, after: str | None) -> str:
    """Return the table's source with `row` after the stage with the key `after`, or first, and `module` imported."""
    rows = _rows(source)
    lines = source.splitlines(keepends=True)
    place = rows[after][1] if after else min(first for first, _ in rows.values()) - 1
    lines[place:place] = [row]
    return _importing(lines, [*_imported(source), module], source)


def without_row(source: str, key: str, *, module: str) -> str:
    """Return the table's source without the row of `key` and the import of `module`."""
    first, last = _rows(source)[key]
    lines = source.splitlines(keepends=True)
    # The import stands above the table, so that its lines are the same without the row.
    del lines[first - 1 : last]
    return _importing(lines, [name for name in _imported(source) if name != module], source)


def _rows(source: str) -> dict[str, tuple[int, int]]:
    """Return the first and last line of each row, by its stage's key."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "STAGES":
            if isinstance(node.value, ast.Tuple):
                rows = node.value.elts
            elif isinstance(node.value, ast.Call):
                rows = node.value.args
            else:
                break
            found = {}
            for row in rows:
                keys = [
                    given.value.value
                    for given in getattr(row, "keywords", ())
                    if given.arg == "key" and isinstance(given.value, ast.Constant)
                ]
                if len(keys) != 1:
                    raise RefusedError(_CHANGED.format("a row of STAGES has no literal key"))
                found[str(keys[0])] = (row.lineno, row.end_lineno or row.lineno)
            return found
    raise RefusedError(_CHANGED.format("it has no rows of STAGES"))


def _import(source: str) -> ast.ImportFrom:
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == "shared.contracts":
            return node
    raise RefusedError(_CHANGED.format("nothing is imported from shared.contracts"))


def _imported(source: str) -> list[str]:
    return [alias.name for alias in _import(source).names]


def _importing(lines: list[str], names: Sequence[str], source: str) -> str:
    """Return the lines with `names` imported from shared.contracts, where `source`, too, imports from it."""
    statement = _import(source)
    begin, end = statement.lineno - 1, statement.end_lineno or statement.lineno
    lines[begin:end] = [f"from shared.contracts import {', '.join(sorted(set(names)))}\n"]
    return "".join(lines)
