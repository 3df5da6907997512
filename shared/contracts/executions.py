"""Names of executions: a pipeline's id, or that of a restart. Deterministic, so that no run is restarted twice."""

import re

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
