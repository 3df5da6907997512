"""The code that services share: contracts, the one stage worker, the clients of AWS, errors, observability.

While Lambda initialises a function, Python's garbage collector is off. Afterwards it is on again, but ignores the
objects created during the initialisation (`gc.freeze`): they live as long as the process, and searching them takes a
twentieth of a cold start and a long pause while a message is handled. Outside Lambda, `switch_off` and `switch_on` do
nothing.
"""

import gc
import os


def initialising() -> bool:
    """Whether this process is a Lambda function, whose initialisation this module shortens."""
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ


def switch_off() -> None:
    """Switch the collector off. The package `services` calls this before anything else is imported."""
    if initialising():
        gc.disable()


def switch_on() -> None:
    """Switch the collector on at the end of the initialisation; it never searches the objects that exist by now."""
    if initialising():
        gc.freeze()
        gc.enable()
