"""The revision of a function's code."""

from infra.constructs.service_function import revision
from shared.contracts.limits import REVISION_CHARS


def test_a_revision_is_of_what_a_bundle_holds(tmp_path):
    """Bundles with the same files have the same revision, wherever they are; another name or content changes it."""
    made = {}
    for name, files in {
        "one": {"a.py": "x", "b/c.py": "y"},
        "moved": {"b/c.py": "y", "a.py": "x"},
        "changed": {"a.py": "x", "b/c.py": "z"},
        "renamed": {"a.py": "x", "b/d.py": "y"},
        "shifted": {"a.py": "xb", "c.py": "y"},
    }.items():
        for path, text in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        made[name] = revision(tmp_path / name)
    assert made["one"] == made["moved"]
    assert len(set(made.values())) == len(made) - 1
    assert {len(one) for one in made.values()} == {REVISION_CHARS}
