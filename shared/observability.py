"""Logs and metrics through Powertools, without message texts and without task tokens.

Tracing is Lambda's and Step Functions' own (active tracing); no X-Ray SDK in the functions.
"""

import os
import traceback
from functools import cache

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, single_metric

from shared.metrics import Metric

__all__ = ["about_no_run", "about_run", "emit", "flush", "logger", "metrics", "where"]

_OF_A_RUN = ("pipeline_id", "trace_id")


@cache
def logger() -> Logger:
    """Service name and level come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL."""
    return Logger(utc=True)


def about_run(pipeline_id: str, trace_id: str | None = None) -> None:
    """Every log line from here on names this run and, where it is known, its trace."""
    about_no_run()
    logger().append_keys(pipeline_id=pipeline_id, **({"trace_id": trace_id} if trace_id else {}))


def about_no_run() -> None:
    """A function that is called again still has the keys of the call before."""
    logger().remove_keys(_OF_A_RUN)


@cache
def metrics() -> Metrics:
    """Namespace and service come from POWERTOOLS_METRICS_NAMESPACE and POWERTOOLS_SERVICE_NAME, the environment from
    PIPELINE_ENV.
    """
    collected = Metrics()
    collected.set_default_dimensions(environment=_environment())
    return collected


def emit(metric: Metric, value: float = 1, /, **dimensions: str) -> None:
    """Adds a value of `metric`, with the dimensions it has beyond those of all.

    One without such dimensions leaves with `flush`, in one line; one with them in a line of its own, at once.
    Raises ValueError where the table says otherwise about the dimensions.
    """
    if dimensions.keys() != set(metric.also):
        raise ValueError(f"{metric.name} takes {metric.also or 'no dimensions'}, not {tuple(dimensions)}")
    if not dimensions:
        metrics().add_metric(name=metric.name, unit=metric.unit, value=value)
        return
    common = {"environment": _environment(), **dimensions}
    with single_metric(name=metric.name, unit=metric.unit, value=value, default_dimensions=common):  # type: ignore[arg-type]  # a unit's name is one
        pass


def flush() -> None:
    """Writes what was added since, as one line."""
    metrics().flush_metrics()


def _environment() -> str:
    return os.environ.get("PIPELINE_ENV") or "none"


def where(error: BaseException) -> str:
    """The type of an error and the line that raised it. Its text is left out: it may quote a message."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    module = "/".join(last.filename.replace("\\", "/").split("/")[-2:])
    return f"{type(error).__name__} at {module}:{last.lineno} in {last.name}"
