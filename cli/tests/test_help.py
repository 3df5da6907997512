"""The help of the command is complete, narrow and quick."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from cli.tests.support import call

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_in_80_columns(name):
    """`pipeline NAME --help` has examples and is at most 80 columns wide."""
    result = call(name, "--help")
    assert result.exit_code == 0
    assert name in ("down", "status") or "Examples:" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_help_loads_nothing_heavy():
    """`pipeline --help` imports neither AWS nor display libraries."""
    code = (
        "import sys\nfrom cli.main import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('boto3','botocore','rich','aws_cdk','msgspec') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "submit" in done.stdout


def test_a_mistyped_command_names_the_nearest():
    """A mistyped command is answered with the nearest command."""
    result = call("sbmit")
    assert result.exit_code == 2
    assert "Did you mean 'submit'?" in result.stderr


def test_version():
    """`--version` prints the version."""
    assert call("--version").stdout.startswith("pipeline 0.")


def test_help_is_quick():
    """`pipeline --help` takes less than 0.4 s of processor time."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "cli.main", "--help"], cwd=ROOT, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < 0.4
