"""Makes the fixtures of `operations.tests` available to the tests here."""

from operations.tests.stacks_world import cloudformation
from operations.tests.world import api, aws, nowhere, target

__all__ = ["api", "aws", "cloudformation", "nowhere", "target"]
