"""The code that services share: contracts, the one stage worker, the clients of AWS, errors, observability.

Python's garbage collector is switched off while Lambda initialises a function, and later skips what was made then.
Imported objects live as long as the process: searching them for garbage takes a twentieth of a cold start, and later
causes a long pause while a message is handled. Outside Lambda, the functions of this module do nothing.
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
