"""The CDK CLI's output becomes progress and errors."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from local import cdk, installing, process
from local.errors import DeployError, SetupMissingError
from operations.progress import Step

OUTPUT = """\
✨  Synthesis time: 0.1s

\x1b[1mai-pipeline-local-analyzer\x1b[22m: deploying... [2/7]
ai-pipeline-local-analyzer: creating CloudFormation changeset...
 ✅  ai-pipeline-local-analyzer

✨  Deployment time: 0.31s

ai-pipeline-local-logger: deploying... [3/7]

 ✅  ai-pipeline-local-logger (no changes)
ai-pipeline-local-chatbot: deploying... [4/7]
ai-pipeline-local-chatbot |  0/9 | 2:19:27 AM | CREATE_FAILED | AWS::IAM::Role | Role Policy is malformed
 ❌  ai-pipeline-local-chatbot failed: UPDATE_FAILED
"""


def cli_that(prints: str, *, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"import sys; sys.stdout.write({prints!r}); sys.exit({code})"
    monkeypatch.setattr(cdk, "command", lambda: [sys.executable, "-c", program])


def test_reports_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stack is reported when its deployment starts and ends, with its time; unchanged ones as unchanged."""
    cli_that(OUTPUT, code=0, monkeypatch=monkeypatch)
    steps: list[Step] = []
    cdk.Run(environment=os.environ, log=tmp_path / "log")(["deploy"], steps.append)
    assert [(step.name.rpartition("-")[2], step.state) for step in steps] == [
        ("analyzer", "started"), ("analyzer", "finished"), ("logger", "started"), ("logger", "unchanged"),
        ("chatbot", "started"), ("chatbot", "failed"),
    ]  # fmt: skip
    assert [step.seconds is None for step in steps] == [True, False] * 3


def test_an_interrupted_call_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app that the CLI has started ends with it, so that the next call has the assembly for itself."""
    program = (
        "import subprocess, sys;"
        "app = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(f'app-{app.pid}: deploying...', flush=True); app.wait()"
    )
    monkeypatch.setattr(cdk, "command", lambda: [sys.executable, "-c", program])
    apps: list[int] = []

    def interrupt(step: Step) -> None:
        apps.append(int(step.name.removeprefix("app-")))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cdk.Run(environment={}, log=tmp_path / "log")(["deploy"], interrupt)
    assert [process.command_line(pid) for pid in apps] == [None]


def test_failure_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error starts with the first line that names a failure, and the log has the whole output."""
    cli_that(OUTPUT, code=1, monkeypatch=monkeypatch)
    with pytest.raises(DeployError) as raised:
        cdk.Run(environment=os.environ, log=tmp_path / "log")(["deploy", "--all"])
    first, second, *_ = str(raised.value).splitlines()
    assert first == "cdk deploy failed:"
    assert "Policy is malformed" in second
    assert "Synthesis time" in (tmp_path / "log").read_text()


def test_failure_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the CLI fails without output, the error still names the log."""
    cli_that("", code=1, monkeypatch=monkeypatch)
    with pytest.raises(DeployError, match="log"):
        cdk.Run(environment=os.environ, log=tmp_path / "log")(["deploy"])


def test_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a set-up, the error names `make setup`."""
    monkeypatch.setattr(cdk, "CDK", tmp_path)
    with pytest.raises(SetupMissingError, match="make setup"):
        cdk.command()


def test_home_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a usable home folder, the caches of Node and uv go into the state folder."""
    cli_that("", code=0, monkeypatch=monkeypatch)
    monkeypatch.setattr(cdk, "STATE", tmp_path)
    assert cdk.environment({"HOME": "/nonexistent"})["HOME"] == str(tmp_path / "home")
    assert cdk.environment({"HOME": str(tmp_path)})["HOME"] == str(tmp_path)


def test_jsii_runs_as_it_was_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that lead jsii to another Node or runtime do not reach the CLI and its app."""
    cli_that("", code=0, monkeypatch=monkeypatch)
    theirs = {"JSII_NODE": "/nonexistent", "JSII_RUNTIME": "/nonexistent", "JSII_DEBUG": "1"}
    assert not theirs.keys() & cdk.environment({**theirs, "PATH": "/usr/bin"}).keys()


def test_a_temporary_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the shell names a temporary folder that does not exist, Node gets another; one that does is kept."""
    cli_that("", code=0, monkeypatch=monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", None)
    for named, expected in ((tmp_path, str(tmp_path)), (tmp_path / "gone", tempfile.gettempdir())):
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setenv("TMPDIR", str(named))
        assert cdk.environment(os.environ)["TMPDIR"] == installing.environment()["TMPDIR"] == expected
