"""Logs and metrics through Powertools, without message texts and without task tokens.

Traces come from Lambda and Step Functions themselves (active tracing); the functions hold no X-Ray SDK.
"""

import os
import traceback
from functools import cache

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, single_metric

from shared.metrics import Metric

__all__ = ["about_no_run", "about_run", "emit", "flush", "logger", "metrics", "where"]

_RUN_KEYS = ("pipeline_id", "trace_id")


@cache
def logger() -> Logger:
    """Return the process's logger; POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL set its service and level."""
    return Logger(utc=True)


def about_run(pipeline_id: str, trace_id: str | None = None) -> None:
    """Add the run's id and, if it is known, the id of its trace to all log lines that follow."""
    about_no_run()
    logger().append_keys(pipeline_id=pipeline_id, **({"trace_id": trace_id} if trace_id else {}))


def about_no_run() -> None:
    """Remove the keys of a run from the log lines that follow: a warm function still has those of its last call."""
    logger().remove_keys(_RUN_KEYS)


@cache
def metrics() -> Metrics:
    """Return the process's metrics. POWERTOOLS_METRICS_NAMESPACE, POWERTOOLS_SERVICE_NAME and PIPELINE_ENV set their
    namespace and dimensions.
    """
    collected = Metrics()
    collected.set_default_dimensions(environment=_environment())
    return collected


def emit(metric: Metric, value: float = 1, /, **dimensions: str) -> None:
    """Add a value of `metric`; `dimensions` are those that the metric has beyond the common ones.

    A metric without further dimensions is written by `flush`, with others in one line; a metric with them is written
    at once, in a line of its own. Raises ValueError if `dimensions` differ from those in the metrics table.
    """
    if dimensions.keys() != set(metric.also):
        expected = ", ".join(metric.also) or "none"
        raise ValueError(
            f"Metric {metric.name} has the dimensions: {expected}; called with: {', '.join(dimensions) or 'none'}."
        )
    if not dimensions:
        metrics().add_metric(name=metric.name, unit=metric.unit, value=value)
        return
    common = {"environment": _environment(), **dimensions}
    with single_metric(name=metric.name, unit=metric.unit, value=value, default_dimensions=common):  # type: ignore[arg-type]  # a unit's name is one
        pass


def flush() -> None:
    """Write the values added since the last flush, if any, as one line."""
    if metrics().metric_set:
        metrics().flush_metrics()


def _environment() -> str:
    return os.environ.get("PIPELINE_ENV") or "none"


def where(error: BaseException) -> str:
    """Return an error's type and the line that raised it, without the error's text, which may quote a message."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    module = "/".join(last.filename.replace("\\", "/").split("/")[-2:])
    return f"{type(error).__name__} at {module}:{last.lineno} in {last.name}"
