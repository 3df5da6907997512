"""docs/contracts.md and the generated files beside it cover every event and field, with valid examples."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from contracts import documents
from contracts.alternatives import alternatives
from contracts.examples import NoExampleError, value_of
from contracts.parties import events, parties
from contracts.references import current
from shared.contracts import schemas
from shared.contracts.schemas import event_schema

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/contracts.md").read_text("utf-8")


def section(heading: str) -> str:
    match = re.search(rf"^### {re.escape(heading)}$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, heading
    return match[1]


def blocks(text: str) -> list[str]:
    return re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)


def test_every_document_is_current():
    """The committed documents are the ones that the generators write."""
    assert documents.outdated() == []


def test_a_missing_and_a_stale_document_are_told_and_written(tmp_path: Path, monkeypatch):
    """The check names outdated documents; the export rewrites them and removes schemas without a type."""
    folder = tmp_path / "schemas"
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    monkeypatch.setattr(schemas, "FOLDER", folder)
    written = documents.write()
    assert {path.name for path in written} >= {"contracts.md", "asyncapi.json", "openapi.json"}
    assert documents.outdated() == []
    (tmp_path / "docs/openapi.json").write_text("{}")
    (folder / "old.requested.v1.json").write_text("{}")
    assert {path.name for path in documents.outdated()} == {"openapi.json", "old.requested.v1.json"}
    documents.write()
    assert documents.outdated() == []
    assert not (folder / "old.requested.v1.json").exists()


@pytest.mark.parametrize("kind", events(), ids=lambda kind: kind.detail_type())
def test_each_event_is_described(kind):
    """Each version of each event is described with its fields, its parties and examples that satisfy its schema."""
    name, schema = kind.detail_type(), event_schema(kind)
    text = section(name)
    (data,) = alternatives(schema["properties"]["data"], schema)
    for field in data.schema["properties"]:
        assert f"| `data.{field}` |" in text
    for service in (*parties(name).publishers, *parties(name).consumers):
        assert service.endswith("outside") or service in text
    assert blocks(text)
    for block in blocks(text):
        jsonschema.validate(json.loads(block), schema, cls=jsonschema.Draft202012Validator)


def test_every_link_within_the_page_leads_to_a_heading():
    """Every link in the page names an existing heading or an existing file."""
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (ROOT / "docs" / target).exists(), target


def test_every_type_that_is_named_is_explained():
    """Every type that the page links to has a table of its fields."""
    for name in re.findall(r"\[(\w+)\]\(#", PAGE):
        assert "| field | type |" in section(name)


def test_the_page_tells_publishers_how_a_refusal_is_told():
    """The page states what contract.rejected contains and never contains, with a pattern for a rule."""
    start = PAGE.index("## When an event is rejected")
    text = PAGE[start : PAGE.index("## Who publishes")]
    for word in ("rejected_event_id", "path", "reason", "never contains text", "MalformedDetail"):
        assert word in text
    (pattern,) = blocks(text)
    assert json.loads(pattern)["detail-type"] == ["contract.rejected.v1"]


def test_a_new_field_has_an_example_by_itself():
    """An example is derived from a schema alone; if that is impossible, the error names the field's path."""
    turn = {"type": "object", "properties": {"role": {"enum": ["user"]}, "n": {"type": "integer", "minimum": 3}},
            "required": ["role"]}  # fmt: skip
    schema = {
        "type": "object",
        "properties": {
            "turns": {"type": "array", "items": turn, "minItems": 2},
            "when": {"type": "string", "format": "date-time"},
            "long": {"type": "string", "minLength": 30},
            "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}], "items": False},
            "user_message": {"type": "boolean"},
        },
        "required": ["turns"],
    }
    made = value_of(schema, schema)
    jsonschema.validate(made, schema)
    assert made["turns"] == [{"role": "user", "n": 3}] * 2
    assert made["user_message"] is True
    with pytest.raises(NoExampleError, match=r"\$\.odd"):
        value_of({"type": "object", "properties": {"odd": {"type": "string", "pattern": "^x{7}y$"}}}, {})


def test_results_are_described_as_well():
    """Each stage's result has a section with a valid example."""
    for name in set(current()) - {kind.detail_type() for kind in events()}:
        (block,) = blocks(section(name))
        jsonschema.validate(json.loads(block), current()[name], cls=jsonschema.Draft202012Validator)
