"""Makes the fixtures of `operations.tests.world` available to every test in this folder."""

from operations.tests.dead_letters import machine
from operations.tests.preflighting import file
from operations.tests.smoke_world import account, trial
from operations.tests.stacks_world import cloudformation, dev_account
from operations.tests.world import api, aws, nowhere, records, target

__all__ = [
    "account",
    "api",
    "aws",
    "cloudformation",
    "dev_account",
    "file",
    "machine",
    "nowhere",
    "records",
    "target",
    "trial",
]
