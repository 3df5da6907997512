"""Executions of a pipeline: the statuses they have in Step Functions, and their names.

A name is the pipeline's id, or that of a restart: deterministic, so that no run is restarted twice.
"""

import re
from typing import Final, Literal, get_args

ExecutionStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]
EXECUTION_STATUSES: Final[tuple[ExecutionStatus, ...]] = get_args(ExecutionStatus)

BROKEN: Final[tuple[ExecutionStatus, ...]] = ("FAILED", "TIMED_OUT")
"""Statuses of an execution that ended without an answer on its own account."""
STOPPED: Final[ExecutionStatus] = "ABORTED"
"""The status of an execution that somebody stopped."""
FAILED: Final[tuple[ExecutionStatus, ...]] = (*BROKEN, STOPPED)
"""Statuses of an execution that ended without an answer."""

_RESTART = re.compile(r"^(?P<pipeline_id>.+)-restart-(?P<number>[1-9][0-9]{0,5})$")


def restart_name(pipeline_id: str, number: int) -> str:
    """`number` counts from 1. At most 64 + 15 characters: Step Functions takes 80."""
    return f"{pipeline_id}-restart-{number}"


def restart_number(execution_name: str, pipeline_id: str) -> int:
    """0 for a pipeline's first execution."""
    found = _RESTART.match(execution_name)
    return int(found["number"]) if found and found["pipeline_id"] == pipeline_id else 0


def pipeline_of(execution_name: str) -> str:
    """The pipeline an execution belongs to, judged by its name alone; its input says it for certain."""
    found = _RESTART.match(execution_name)
    return found["pipeline_id"] if found else execution_name
