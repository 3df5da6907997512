"""A short campaign of `make chaos` on its own engine, with every kind of fault at least once."""

from pathlib import Path

import pytest

from chaos.campaign import Options, run
from chaos.faults import Fault
from chaos.report import rows, verdicts
from local.paths import STATE

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SHORT = Options(
    seed=1,
    pipelines=60,
    per_second=5,
    timeout_seconds=6,
    chatbot_timeout_seconds=10,
    visibility_seconds=8,
    without_right_seconds=1.5,
    quiet_within_seconds=240,
)
FOLDER: Path = STATE / "chaos-short"


def test_nothing_is_lost_whatever_breaks():
    """Under every kind of fault, each accepted pipeline ends with one answer that was paid for once."""
    outcome = run(SHORT, folder=FOLDER)
    assert not outcome.violations, {name: broken for name, broken in verdicts(outcome) if broken}
    never = [row.fault for row in rows(outcome) if not row.injected]
    assert never == []
    assert len(outcome.state.accepted) == SHORT.pipelines
    assert set(Fault) == {row.fault for row in rows(outcome)}
