"""Preflight as its tests ask it: its findings, and the environment's file of options."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra import options
from infra.doctor.findings import Finding, Outcome
from operations.preflight.preflight import preflight
from operations.tests.accounts import ACCOUNT, FakeAccount

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:mine"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that writes the environment's file of options; no options of this checkout reach the test."""
    monkeypatch.setattr(options, "FOLDER", tmp_path)

    def write(text: str) -> None:
        (tmp_path / "dev.toml").write_text(text)

    return write


def outcomes(account: FakeAccount, **given: Any) -> dict[str, Outcome]:
    return {outcome.check: outcome for outcome in preflight(account, **given)}


def findings(account: FakeAccount, **given: Any) -> list[Finding]:
    return [finding for outcome in preflight(account, **given) for finding in outcome.findings]


def only(account: FakeAccount, check: str, severity: str = "error", **given: Any) -> Finding:
    """Return the only finding, which must be of this check."""
    (finding,) = findings(account, **given)
    assert (finding.check, finding.severity) == (check, severity), finding
    assert finding.fix
    assert finding.why
    return finding
