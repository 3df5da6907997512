"""Executions of a run: the statuses they have in Step Functions, and their names.

The first execution is named by the run's id, a restart by the id and a number. As the names are deterministic,
Step Functions refuses to start the same execution twice.

A name does not tell the run: a publisher may choose an id that looks like a restart's name, as both have the same
characters. The metadata in the execution's input does.
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


def ids_in(execution_name: str) -> tuple[str, ...]:
    """Return the pipeline ids that an execution of this name may have: the name, and what a restart's suffix follows.

    If there is more than one, only the execution's input decides.
    """
    restart = _RESTART.fullmatch(execution_name)
    return (execution_name, restart["pipeline_id"]) if restart else (execution_name,)


def pipeline_of(execution_name: str) -> str:
    """Return the likeliest pipeline id of an execution whose input is lost: it is a restart if it looks like one."""
    return ids_in(execution_name)[-1]
