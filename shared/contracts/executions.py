"""Executions of a run: the statuses they have in Step Functions, and their names.

The first execution is named by the run's id, a restart by the id and a number. As the names are deterministic,
Step Functions refuses to start the same execution twice.
"""

import re
from typing import Final, Literal, get_args

ExecutionStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]
EXECUTION_STATUSES: Final[tuple[ExecutionStatus, ...]] = get_args(ExecutionStatus)

BROKEN: Final[tuple[ExecutionStatus, ...]] = ("FAILED", "TIMED_OUT")
"""Statuses of an execution that failed or timed out by itself."""
STOPPED: Final[ExecutionStatus] = "ABORTED"
"""The status of an execution that somebody stopped."""
FAILED: Final[tuple[ExecutionStatus, ...]] = (*BROKEN, STOPPED)
"""Statuses of an execution that ended without an answer."""

_RESTART = re.compile(r"^(?P<pipeline_id>.+)-restart-(?P<number>[1-9][0-9]{0,5})$")


def restart_name(pipeline_id: str, number: int) -> str:
    """Return the name of restart `number`, from 1. It has at most 64 + 15 characters; Step Functions allows 80."""
    return f"{pipeline_id}-restart-{number}"


def restart_number(execution_name: str, pipeline_id: str) -> int:
    """Return a restart's number; 0 for a run's first execution."""
    restart = _RESTART.fullmatch(execution_name)
    return int(restart["number"]) if restart and restart["pipeline_id"] == pipeline_id else 0


def pipeline_of(execution_name: str) -> str:
    """Return the pipeline id in an execution's name; an id that looks like a restart's name is shortened wrongly."""
    restart = _RESTART.fullmatch(execution_name)
    return restart["pipeline_id"] if restart else execution_name
