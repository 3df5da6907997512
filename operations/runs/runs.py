"""The list of an environment's runs, newest first, from Step Functions.

A run that is accepted but not started yet has no execution and is not in the list.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from operations.aws_errors import translated
from operations.errors import DeniedError
from operations.runs.executions import pipelines_of
from operations.runs.failed import FIELDS, broken, is_still_failed
from operations.runs.records import BATCH_KEYS, read_records
from operations.target import Target
from shared.contracts.executions import ExecutionStatus, restart_name, restart_number
from shared.contracts.record import FINAL, Record

PAGE = 1_000


def took(recorded_ms: int | None, started_at: datetime, finished_at: datetime | None) -> int | None:
    """Return how many milliseconds an execution took; None while it goes on.

    A run takes the time from its start until its end is recorded (`execution_time_ms`), when its caller can read the
    answer: the time that the record, the API and the events have. An execution that no record tells of took the time
    until Step Functions had ended it, which is some milliseconds more.
    """
    if finished_at is None:
        return None
    return round((finished_at - started_at).total_seconds() * 1_000) if recorded_ms is None else recorded_ms


def recorded_ms(record: Record, execution_arn: str) -> int | None:
    """Return the time that a record has of this execution; None if it has not ended, or another one replaced it."""
    is_of_it = record.get("execution_arn") in (None, execution_arn)
    return record.get("execution_time_ms") if is_of_it and record.get("status") in FINAL else None


class Run(Struct, frozen=True, kw_only=True):
    """One execution of a run. `restart` is 0 for the first one, and counts restarts from 1."""

    pipeline_id: str
    restart: int = 0
    status: ExecutionStatus
    started_at: datetime
    finished_at: datetime | None = None
    redrives: int = 0
    execution_time_ms: int | None = None
    """The time that the run's record has of this execution; null until `timed` has read it."""
    ended_by: str | UnsetType = UNSET
    """The key of the stage that ended this execution early; absent if none did, and until `timed` has read it."""

    @property
    def took_ms(self) -> int | None:
        return took(self.execution_time_ms, self.started_at, self.finished_at)


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
    return _runs(target, listed[:limit])


def list_still_failed(target: Target, *, status: ExecutionStatus | None = None, limit: int = 20) -> list[Run]:
    """Return at most `limit` runs that failed or timed out, and that no later execution has mended."""
    found: list[Mapping[str, Any]] = []
    listed = broken(target, status)
    while len(found) < limit and (chunk := list(islice(listed, BATCH_KEYS))):
        pipelines = pipelines_of(target, [execution["name"] for execution in chunk])
        records = read_records(target, pipelines.values(), fields=FIELDS)
        for execution in chunk:
            name = execution["name"]
            record = records.get(pipelines[name], Record())
            if is_still_failed(execution, record, target.addresses.execution_arn(name)):
                found.append(execution)
    return _runs(target, found[:limit])


def _runs(target: Target, listed: Sequence[Mapping[str, Any]]) -> list[Run]:
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


def timed(target: Target, runs: Sequence[Run]) -> list[Run]:
    """Return runs with the times and early ends in their records; as they are if the caller may not read these."""
    try:
        records = read_records(
            target,
            [run.pipeline_id for run in runs],
            fields=("status", "execution_arn", "execution_time_ms", "ended_by"),
        )
    except DeniedError:
        return list(runs)

    def told(run: Run) -> Run:
        name = restart_name(run.pipeline_id, run.restart) if run.restart else run.pipeline_id
        record = records.get(run.pipeline_id, Record())
        arn = target.addresses.execution_arn(name)
        is_of_it = record.get("execution_arn") in (None, arn) and record.get("status") == "SUCCEEDED"
        return replace(
            run,
            execution_time_ms=recorded_ms(record, arn),
            ended_by=record.get("ended_by", UNSET) if is_of_it else UNSET,
        )

    return [told(run) for run in runs]
