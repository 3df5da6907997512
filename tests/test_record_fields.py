"""A check of the record fields that code accesses by name, where mypy does not check them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared.contracts import v1
from shared.contracts.record import ERRORS_JSON, METERS_JSON, METERS_OF, Record, StageMeter, as_json
from shared.contracts.stages import RECORDED

ROOT = Path(__file__).parents[1]
NOT_PIPELINES = (
    "bench/functions",
    "local/",
    "shared/worker/",
    "shared/tests/fakes.py",
    "cli/view/logs",
)
"""Where `record` is a message of SQS, a line of a log or an engine's note."""
OWN = {"published"}
"""What a measurement adds to its copy of a record."""


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield the literals in `record["…"]`, `record.get("…")` and `"…" in record`."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Name(id="record"), slice=ast.Constant(value=str(name))):
                yield name
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="record"), attr="get"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[ast.Name(id="record")]):
                yield name


FOLDERS = ("shared", "services", "operations", "cli", "chaos", "scale", "bench", "infra")
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "tests" not in path.parts and "cdk.out" not in path.parts
]


def test_every_field_that_is_read_is_one_of_a_record():
    """No module accesses a record field that does not exist."""
    known = Record.__annotations__.keys() | OWN
    asked = {
        (path, name)
        for path in FILES
        if not path.startswith(NOT_PIPELINES)
        for name in names_in(ast.parse((ROOT / path).read_text()))
    }
    assert len(asked) > 40
    assert {(path, name) for path, name in asked if name not in known} == set()


@pytest.mark.parametrize("line", ['record.get("statsu")', 'record["statsu"]', '"statsu" in record'])
def test_each_way_to_ask_is_seen(line):
    """A mistyped field name is found in each of the three forms of access."""
    assert list(names_in(ast.parse(line))) == ["statsu"]


def test_meters_have_the_fields_of_the_contract():
    """A record's meter has exactly the fields of the meter that workers write."""
    assert StageMeter.__annotations__.keys() == {field.name for field in msgspec.structs.fields(v1.Meter)}


def test_no_field_has_the_name_of_a_stored_text():
    """No field has the same name as a JSON text that the workflow stores."""
    stored = {ERRORS_JSON, METERS_JSON, METERS_OF}
    results = {as_json(stage.key) for stage in RECORDED}
    assert not stored & results
    assert not Record.__annotations__.keys() & (stored | results)
