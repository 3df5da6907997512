"""The world's fixtures, for the tests of targets."""

from operations.tests.world import api, aws, nowhere, target

__all__ = ["api", "aws", "nowhere", "target"]
