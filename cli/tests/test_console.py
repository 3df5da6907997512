"""The command that starts the console."""

import os
import sys

import pytest

from cli.tests.support import call


def test_the_command_starts_the_program(monkeypatch: pytest.MonkeyPatch):
    """The command passes its options on, and takes no folder of the present directory for the program."""
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: started.append(arguments))
    call("--env", "dev", "console", "--port", "4600", "--read-only", "--profile", "work")
    assert started == [
        [sys.executable, "-P", "-m", "console", "--env=dev", "--profile=work", "--port=4600", "--read-only"]
    ]
