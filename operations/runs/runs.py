"""The list of an environment's runs, newest first, from Step Functions.

A run that is accepted but not started yet has no execution and is not in the list.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from operations.aws_errors import translated
from operations.runs.executions import pipelines_of
from operations.target import Target
from shared.contracts.executions import ExecutionStatus, restart_number

PAGE = 1_000


class Run(Struct, frozen=True, kw_only=True):
    """One execution of a run. `restart` is 0 for the first one, and counts restarts from 1."""

    pipeline_id: str
    restart: int = 0
    status: ExecutionStatus
    started_at: datetime
    finished_at: datetime | None = None
    redrives: int = 0

    @property
    def took_ms(self) -> int | None:
        if self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds() * 1000)


def list_runs(target: Target, *, status: ExecutionStatus | None = None, limit: int = 20) -> list[Run]:
    """Return at most `limit` runs, only those with `status` if given."""
    options = {"stateMachineArn": target.addresses.state_machine_arn, "maxResults": min(limit, PAGE)}
    if status:
        options["statusFilter"] = status
    listed: list[Any] = []
    with translated("list the runs"):
        client = target.client("stepfunctions")
        while len(listed) < limit:
            answer = client.list_executions(**options)
            listed += answer["executions"]
            if not answer.get("nextToken"):
                break
            options["nextToken"] = answer["nextToken"]
    listed.sort(key=lambda execution: execution["startDate"], reverse=True)
    del listed[limit:]
    pipelines = pipelines_of(target, [execution["name"] for execution in listed])
    return [
        Run(
            pipeline_id=pipelines[execution["name"]],
            restart=restart_number(execution["name"], pipelines[execution["name"]]),
            status=execution["status"],
            started_at=execution["startDate"],
            finished_at=execution.get("stopDate"),
            redrives=execution.get("redriveCount", 0),
        )
        for execution in listed
    ]
