"""The help of the command is complete, narrow and quick."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

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


class Interrupted(ModuleType):
    """A module during whose import Ctrl-C was pressed."""

    @property
    def main(self):
        raise KeyboardInterrupt


def test_ctrl_c_during_the_imports_leaves_no_traceback(monkeypatch, capsys):
    """Ctrl-C while the installed command imports its modules gives exit code 130 and one word."""
    (program,) = entry_points(group="console_scripts", name="pipeline")
    main = program.load()
    monkeypatch.setitem(sys.modules, "cli.main", Interrupted("cli.main"))
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, capsys.readouterr().err) == (130, "Interrupted.\n")


def test_lists_of_subcommands_are_not_cut():
    """The help of a group says of each of its commands in a whole phrase what it does."""
    lines = [line for name in COMMANDS for line in call(name, "--help").stdout.splitlines()]
    assert not [line for line in lines if line.endswith("...") and not line.startswith("Usage: ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_overview(name):
    """The overview in cli/README.md has each command."""
    assert f"pipeline {name}" in (ROOT / "cli" / "README.md").read_text("utf-8")
