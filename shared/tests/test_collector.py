"""The garbage collector of a Lambda function is off during its initialisation, and on again afterwards."""

import subprocess
import sys

PROGRAM = """
import gc
import services
print(gc.isenabled(), gc.get_freeze_count() > 0)
from shared.settings import once
once(lambda: print(gc.isenabled()))
print(gc.isenabled(), gc.get_freeze_count() > 0)
"""


def printed(**environment: str) -> str:
    """Return what PROGRAM prints in a new process."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment
    ).stdout


def test_no_garbage_is_collected_while_a_function_initialises():
    """The first import of `services` switches the collector off; the end of the initialisation freezes, then
    switches it on.
    """
    lines = printed(AWS_LAMBDA_INITIALIZATION_TYPE="on-demand").splitlines()
    assert lines == ["False False", "False", "True True"]


def test_elsewhere_the_collector_is_left_alone():
    """Outside Lambda, an import changes nothing, and nothing is built before the first message."""
    assert printed().splitlines() == ["True False", "True False"]
