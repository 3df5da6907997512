"""The decision records in docs/decisions, and their index."""

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

DECISIONS = Path(__file__).resolve().parents[2] / "docs" / "decisions"
FILES = sorted(DECISIONS.glob("[0-9]*.md"))
HEAD = re.compile(r"# (\d{4}) (.+)\n\nDate: (\S+)\\\nStatus: (.+)\n")
ROW = re.compile(r"^\| \[(\d{4})\]\((.+?)\) \| (.+) \| (\S+) \| (.+?) \|$", re.MULTILINE)
STATUS = re.compile(r"accepted|deprecated|(superseded|amended) by \[(\d{4})\]\((\d{4}-[a-z0-9-]+\.md)\)")


class Decision(NamedTuple):
    number: str
    file: str
    title: str
    date: str
    status: str


def decision(path: Path) -> Decision:
    head = HEAD.match(path.read_text("utf-8"))
    assert head, f"{path.name} does not begin with title, date and status"
    number, title, day, status = head.groups()
    return Decision(number, path.name, title, day, status)


def test_the_index_lists_every_decision():
    """The index lists each file in order, with its title, date and status."""
    rows = [Decision(*row) for row in ROW.findall((DECISIONS / "README.md").read_text("utf-8"))]
    assert rows == [decision(path) for path in FILES]


def test_numbers_have_no_gaps():
    """Decisions are numbered from 0001 without a gap, and each file's name begins with its decision's number."""
    assert [path.name[:4] for path in FILES] == [f"{n:04}" for n in range(1, len(FILES) + 1)]
    assert all(decision(path).number == path.name[:4] for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:4])
def test_a_decision_has_a_date_and_a_known_status(path):
    """Every decision has a date and a known status; an outdated one links to a later one, which links back."""
    record = decision(path)
    assert date.fromisoformat(record.date)
    status = STATUS.fullmatch(record.status)
    assert status, record.status
    if status[2]:
        successor = DECISIONS / status[3]
        assert status[3].startswith(status[2])
        assert status[2] > record.number
        assert f"]({path.name})" in successor.read_text("utf-8")
