"""Logs and metrics through Powertools, without message texts and without task tokens.

Tracing is Lambda's and Step Functions' own (active tracing); no X-Ray SDK in the functions.
"""

import traceback
from functools import cache

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

__all__ = ["MetricUnit", "logger", "metrics", "where"]


@cache
def logger() -> Logger:
    """Service name and level come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL."""
    return Logger(utc=True)


@cache
def metrics() -> Metrics:
    """Namespace and service come from POWERTOOLS_METRICS_NAMESPACE and POWERTOOLS_SERVICE_NAME."""
    return Metrics()


def where(error: BaseException) -> str:
    """The type of an error and the line that raised it. Its text is left out: it may quote a message."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    module = "/".join(last.filename.replace("\\", "/").split("/")[-2:])
    return f"{type(error).__name__} at {module}:{last.lineno} in {last.name}"
