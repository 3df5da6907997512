"""The runs of an environment, newest first, as Step Functions lists them.

A pipeline that is accepted but not started yet has no execution and is not among them.
"""

from datetime import datetime

from msgspec import Struct

from operations.aws_errors import translated
from operations.target import Target
from shared.contracts.executions import ExecutionStatus, pipeline_of, restart_number

PAGE = 1_000


class Run(Struct, frozen=True, kw_only=True):
    """One execution. `restart` counts from 1; 0 is the pipeline's first."""

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
    """At most `limit` runs, of one status if given."""
    options = {"stateMachineArn": target.addresses.state_machine_arn, "maxResults": min(limit, PAGE)}
    if status:
        options["statusFilter"] = status
    found: list[Run] = []
    with translated("list the runs"):
        client = target.client("stepfunctions")
        while len(found) < limit:
            answer = client.list_executions(**options)
            found += [
                Run(
                    pipeline_id=pipeline_of(execution["name"]),
                    restart=restart_number(execution["name"], pipeline_of(execution["name"])),
                    status=execution["status"],
                    started_at=execution["startDate"],
                    finished_at=execution.get("stopDate"),
                    redrives=execution.get("redriveCount", 0),
                )
                for execution in answer["executions"]
            ]
            if not answer.get("nextToken"):
                break
            options["nextToken"] = answer["nextToken"]
    found.sort(key=lambda run: run.started_at, reverse=True)
    return found[:limit]
