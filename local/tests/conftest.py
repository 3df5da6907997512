"""Makes the fixtures of `operations.tests.world` available to the tests of targets."""

from operations.tests.world import api, aws, nowhere, target

__all__ = ["api", "aws", "nowhere", "target"]
