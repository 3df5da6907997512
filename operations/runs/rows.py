"""What a list of runs shows of each execution: what Step Functions says of it, and what its run's record says."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from operations.errors import DeniedError
from operations.json_text import loosely
from operations.runs.executions import describe, pipelines_of
from operations.runs.failed import is_still_failed
from operations.runs.records import read_records
from operations.runs.runs import recorded_ms, took
from operations.target import AT_ONCE, Target
from services.logger.core import failed_stage, had_others
from shared.contracts.executions import FAILED, ExecutionStatus, pipeline_of, restart_name, restart_number
from shared.contracts.record import Record

EXCERPT_CHARS = 200

_FIELDS = (
    "excerpt", "user_message", "status", "degraded", "stage", "error", "cost", "stages", "accepted_at",
    "execution_arn", "execution_time_ms", "earlier_nano_usd", "request_hash", "ended_by", "finished_at",
    "reopened_after",
)  # fmt: skip


class Row(Struct, frozen=True, kw_only=True):
    """One execution, with its run's record. `replaced`: a later execution of the run has replaced its record's facts.

    Of a failed execution that was replaced, Step Functions tells the error; `later` is the status in the record.
    `waited_ms` and `worked_ms` are sums over the stages; null if the record has no meter.
    """

    pipeline_id: str
    restart: int
    status: ExecutionStatus
    started_at: datetime
    finished_at: datetime | None = None
    redrives: int = 0
    replaced: bool = False
    still_failed: bool = False
    """It failed by itself, and no later execution has mended the run."""
    later: str | None = None
    excerpt: str = ""
    request_hash: str | None = None
    """Of the message and what preceded it in its conversation."""
    degraded: tuple[str, ...] = ()
    ended_by: str | None = None
    """The stage that ended the run early."""
    stage: str | None = None
    error: str | None = None
    tries: int | None = None
    waited_ms: int | None = None
    worked_ms: int | None = None
    nano_usd: int | None = None
    execution_time_ms: int | None = None

    @property
    def took_ms(self) -> int | None:
        return took(self.execution_time_ms, self.started_at, self.finished_at)


def rows_of(target: Target, listed: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of listed executions, in their order; their records are read together."""
    pipelines = pipelines_of(target, [execution["name"] for execution in listed])
    records = read_records(target, pipelines.values(), fields=_FIELDS)
    rows = [
        _row(
            target,
            execution,
            pipelines[execution["name"]],
            records.get(pipelines[execution["name"]], Record()),
        )
        for execution in listed
    ]
    return [
        _with_later(target, row, records.get(row.pipeline_id, Record())) if row.replaced else row
        for row in rows
    ]


def unread_row(target: Target, execution: Mapping[str, Any]) -> Row:
    """Return the row of an execution whose record may not be read."""
    row = _row(target, execution, pipeline_of(execution["name"]), Record())
    return replace(row, still_failed=False)


def _row(target: Target, execution: Mapping[str, Any], pipeline_id: str, record: Record) -> Row:
    arn, own = record.get("execution_arn"), target.addresses.execution_arn(execution["name"])
    replaced = arn is not None and arn != own
    known = {} if replaced else {**_known(record), "execution_time_ms": recorded_ms(record, own)}
    return Row(
        pipeline_id=pipeline_id,
        restart=restart_number(execution["name"], pipeline_id),
        status=execution["status"],
        started_at=execution["startDate"],
        finished_at=execution.get("stopDate"),
        redrives=execution.get("redriveCount") or 0,
        replaced=replaced,
        still_failed=is_still_failed(execution, record, own),
        excerpt=str(record.get("excerpt") or record.get("user_message") or "")[:EXCERPT_CHARS],
        request_hash=record.get("request_hash"),
        **known,
    )


def _with_later(target: Target, row: Row, record: Record) -> Row:
    """Add what a record says of the later execution, and still of this one.

    What the executions before cost is one sum: it is that of the first one while there is one restart.
    """
    only = target.addresses.execution_arn(restart_name(row.pipeline_id, 1)) == record.get("execution_arn")
    cost = record.get("earlier_nano_usd") if only and not row.restart else None
    return replace(row, later=record.get("status"), nano_usd=cost)


def with_errors(target: Target, rows: Sequence[Row]) -> list[Row]:
    """Add the errors of failed executions whose records tell of a later one, with a call for each."""

    def told(row: Row) -> Row:
        if not row.replaced or row.status not in FAILED:
            return row
        name = restart_name(row.pipeline_id, row.restart) if row.restart else row.pipeline_id
        try:
            execution = describe(target, target.addresses.execution_arn(name))
        except DeniedError:
            return row
        if execution is None or not execution.error:
            return row
        state = loosely(execution.input)
        stage = failed_stage(
            row.status,
            execution.error,
            any_optional="approvals/table" in target.addresses.values,
            others=had_others(state.get("results") if isinstance(state, dict) else None),
        )
        return replace(row, error=execution.error, stage=stage)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(told, rows))


def _known(record: Record) -> dict[str, Any]:
    """Return what a record says about the execution that it is of."""
    meters = [meter for meter in (record.get("stages") or {}).values() if isinstance(meter, Mapping)]
    failed = record.get("status") == "FAILED"
    cost = record.get("cost")
    return {
        "degraded": tuple(record.get("degraded") or ()),
        "ended_by": record.get("ended_by") if record.get("status") == "SUCCEEDED" else None,
        "stage": record.get("stage") if failed else None,
        "error": record.get("error") if failed else None,
        "tries": max((_whole(meter, "attempt") for meter in meters), default=0) + 1 if meters else None,
        "waited_ms": sum(_whole(meter, "queue_wait_ms") for meter in meters) if meters else None,
        "worked_ms": sum(_whole(meter, "work_ms") for meter in meters) if meters else None,
        "nano_usd": cost["nano_usd"] if cost else None,
    }


def _whole(meter: Mapping[str, Any], name: str) -> int:
    value = meter.get(name)
    return value if isinstance(value, int) else 0
