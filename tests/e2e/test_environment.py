"""Nothing in a user's shell leads the commands away from the local engine, or stops them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.bootstrap import bootstrap
from tests.e2e.conftest import Deployment
from tests.e2e.support import Shell, shell

__all__ = ["shell"]  # a fixture

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell with another account's profile, a file of AWS that can't be read, and a proxy that leads nowhere."""
    config = tmp_path / "config"
    config.write_text("[profile\nx")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    for name, value in {
        "AWS_PROFILE": "gone",
        "AWS_DEFAULT_PROFILE": "gone",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "mars-1",
        "AWS_DEFAULT_REGION": "mars-1",
        "AWS_ACCESS_KEY_ID": "theirs",
        "AWS_SECRET_ACCESS_KEY": "theirs",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("hostile")
def test_commands_reach_the_engine_whatever_the_shell_holds(pipeline: Deployment, shell: Shell) -> None:
    """The engine is prepared, a message is submitted and listed, although profile, files and proxy lead elsewhere."""
    bootstrap(pipeline.connection)
    answered = shell.json("submit", "--wait", "Where am I?")
    assert answered["status"] == "SUCCEEDED"
    assert answered["pipeline_id"] in {run["pipeline_id"] for run in shell.json("list")}


def test_a_comparison_reads_the_folders_own_repository(tmp_path: Path) -> None:
    """Inside a git hook, which names its repository by variables, `contracts check` reads that of the checkout."""
    environment = {**os.environ, "GIT_DIR": str(tmp_path / "none"), "GIT_WORK_TREE": str(tmp_path)}
    command = [sys.executable, "-m", "cli.main", "contracts", "check", "--against", "HEAD"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
