"""The microservices. No service imports another; what they agree on stands in `shared`."""

import gc
import os

if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
    # What an import makes stays: looking for garbage among it is a twentieth of a cold start. `shared.settings.once`
    # switches the collector on again.
    gc.disable()
