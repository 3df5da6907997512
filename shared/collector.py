"""The garbage collector is off while Lambda initialises a function, and leaves alone afterwards what was made there.

What an import makes stays: looking for garbage among it is a twentieth of a cold start, and a long pause in a warm
message. Everywhere else neither function has an effect.
"""

import gc
import os


def initialising() -> bool:
    """Whether this process is a Lambda function's."""
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ


def switch_off() -> None:
    """Begins the initialisation: `services` calls it before anything else is imported."""
    if initialising():
        gc.disable()


def switch_on() -> None:
    """Ends the initialisation: what is there by now is never looked at again."""
    if initialising():
        gc.freeze()
        gc.enable()
