"""The world's fixtures, and a console over it."""

import pytest

from console.tests.asking import Console, console_of
from console.tests.world import machine
from operations.target import Target
from operations.tests.world import api, aws, nowhere, records, target

__all__ = ["api", "aws", "machine", "nowhere", "records", "target"]


@pytest.fixture
def console(target: Target) -> Console:
    """Return a console of an environment without an engine."""
    return console_of(target)
