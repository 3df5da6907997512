"""The released version: pyproject.toml states it, and CHANGELOG.md describes it."""

import re
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_has_a_dated_section_in_the_change_log():
    """The version in pyproject.toml is that of the newest section of CHANGELOG.md, which has a date."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    log = (ROOT / "CHANGELOG.md").read_text("utf-8")
    sections = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", log, re.MULTILINE)
    assert log.index("## [Unreleased]") < log.index(f"## [{sections[0][0]}]")
    assert sections[0][0] == version
    assert date.fromisoformat(sections[0][1])
