"""The world's fixtures, and `--env local` leading into that world."""

import pytest

from cli.tests.costly_runs import some_runs
from local import targets
from operations.target import Target
from operations.tests.dead_letters import machine
from operations.tests.stacks_world import cloudformation
from operations.tests.world import api, aws, nowhere, records, target

__all__ = ["api", "aws", "cloudformation", "machine", "nowhere", "records", "some_runs", "target"]


@pytest.fixture
def local_engine(target: Target, monkeypatch: pytest.MonkeyPatch) -> Target:
    """`--env local` leads to the deployed target."""
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: target)
    return target
