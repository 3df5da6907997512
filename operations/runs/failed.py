"""Executions that failed by themselves, and which of their runs nothing later has mended."""

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from operations.aws_errors import translated
from operations.target import Target
from shared.contracts.executions import BROKEN, ExecutionStatus
from shared.contracts.record import Record, iso

LARGEST = 1_000
"""The most executions that one call lists."""
FIELDS = ("status", "execution_arn", "finished_at", "reopened_after")
"""The fields of a record that tell whether its run is still failed."""

Place = tuple[datetime, str]
"""Where an execution stands in the list: when it started, and its name."""


def broken(target: Target, status: ExecutionStatus | None = None) -> Iterator[Mapping[str, Any]]:
    """Yield the executions that failed or timed out, those that started last in front; only of `status` if given.

    Step Functions lists one status at a time, a thousand in a call; the next call is made when it is needed.
    """
    lists = (_listed(target, one) for one in BROKEN if status in (None, one))
    return heapq.merge(*lists, key=place, reverse=True)


def place(execution: Mapping[str, Any]) -> Place:
    return execution["startDate"], execution["name"]


def is_still_failed(execution: Mapping[str, Any], record: Record, arn: str) -> bool:
    """Return whether an execution failed by itself, is the last one of its run, and was not mended (pure)."""
    if execution["status"] not in BROKEN or record.get("execution_arn") not in (None, arn):
        return False
    return not is_mended(record, arn, execution.get("stopDate") or execution["startDate"])


def is_mended(record: Record, arn: str, ended_at: datetime) -> bool:
    """Return whether a later execution has followed the end of the execution `arn` at `ended_at`, without failing."""
    ended = iso(ended_at)
    match record.get("status"):
        case "SUCCEEDED":
            return str(record.get("finished_at") or "") > ended
        case "RUNNING":
            started_again = record.get("execution_arn") not in (None, arn)
            return started_again or str(record.get("reopened_after") or "") >= ended
    return False


def _listed(target: Target, status: ExecutionStatus) -> Iterator[Mapping[str, Any]]:
    options: dict[str, Any] = {
        "stateMachineArn": target.addresses.state_machine_arn,
        "statusFilter": status,
        "maxResults": LARGEST,
    }
    while True:
        with translated("list the runs"):
            answer = target.client("stepfunctions").list_executions(**options)
        yield from sorted(answer["executions"], key=place, reverse=True)
        if not answer.get("nextToken"):
            return
        options["nextToken"] = answer["nextToken"]
