"""The runs that have failed and were not mended: the latest, and how many of each cause.

A run whose later execution, after a redrive or a restart, has succeeded or goes on, does not count as failed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from operations.dlq.causes import common
from operations.runs.failed import is_mended
from shared.contracts.executions import BROKEN, pipeline_of
from shared.contracts.record import Record

SHOWN = 5
RECENT = timedelta(minutes=10)
"""What ended within this time counts as happening now."""
LEAST, MOST = 10, 100
"""Failed executions whose records are read: as many as ended recently, but at least and at most so many."""
FIELDS = ("status", "stage", "error", "cause", "execution_arn", "finished_at", "reopened_after")


class Failure(Struct, frozen=True, kw_only=True):
    """A failed run. Its stage, error and cause are null until its record is written."""

    pipeline_id: str
    status: str
    ended_at: datetime
    stage: str | None = None
    error: str | None = None
    cause: str | None = None


class FailureGroup(Struct, frozen=True, kw_only=True):
    """Failed runs of one cause: of a stage, with an error whose texts differ in ids, times and numbers only.

    `count` is over the executions whose records were read, `recent` of these ended in the last ten minutes. `latest`
    is the one that ended last.
    """

    stage: str | None
    error: str
    count: int
    recent: int
    first_at: datetime
    latest: Failure


class Failures(Struct, frozen=True, kw_only=True):
    """What is known of the failed runs. `mended` of the `looked_at` ones have a later execution that did not fail.

    `at_least`: more runs have failed in the last ten minutes than were looked at.
    """

    groups: tuple[FailureGroup, ...] = ()
    latest: tuple[Failure, ...] = ()
    looked_at: int = 0
    mended: int = 0
    at_least: bool = False

    @property
    def recent(self) -> int:
        return sum(group.recent for group in self.groups)


def latest_failed(executions: Iterable[Mapping[str, Any]], now: datetime) -> list[Mapping[str, Any]]:
    """Return the failed executions whose records are to be read, the latest first; stopped ones are left out."""
    failed = [one for one in executions if one["status"] in BROKEN and one.get("stopDate")]
    failed.sort(key=lambda one: one["stopDate"], reverse=True)
    recent = sum(_is_recent(one["stopDate"], now) for one in failed)
    return failed[: min(max(recent, LEAST), MOST)]


def failures(
    failed: Sequence[Mapping[str, Any]],
    pipelines: Mapping[str, str],
    records: Mapping[str, Record],
    arn_of: Mapping[str, str],
    now: datetime,
) -> Failures:
    """Return what failed. `failed` is from `latest_failed`; `pipelines` and `arn_of` are by executions' names (pure).

    Of several failed executions of one run, the latest counts.
    """
    found: dict[str, Failure] = {}
    mended: set[str] = set()
    for execution in failed:
        name = execution["name"]
        pipeline_id = pipelines.get(name) or pipeline_of(name)
        if pipeline_id in found or pipeline_id in mended:
            continue
        record = records.get(pipeline_id, Record())
        if is_mended(record, arn_of.get(name, ""), execution["stopDate"]):
            mended.add(pipeline_id)
        else:
            found[pipeline_id] = _failure(pipeline_id, execution, record)
    latest = list(found.values())
    return Failures(
        groups=tuple(_grouped(latest, now)),
        latest=tuple(latest[:SHOWN]),
        looked_at=len(found) + len(mended),
        mended=len(mended),
        at_least=len(failed) >= MOST and _is_recent(failed[-1]["stopDate"], now),
    )


def _failure(pipeline_id: str, execution: Mapping[str, Any], record: Record) -> Failure:
    known = record.get("status") == "FAILED"
    return Failure(
        pipeline_id=pipeline_id,
        status=execution["status"],
        ended_at=execution["stopDate"],
        stage=record.get("stage") if known else None,
        error=record.get("error") if known else None,
        cause=record.get("cause") if known else None,
    )


def _grouped(found: Sequence[Failure], now: datetime) -> list[FailureGroup]:
    """Return the groups, that with the most recent failures first, else that with the latest one."""
    groups: dict[tuple[str | None, str, str], list[Failure]] = {}
    for one in found:
        groups.setdefault((one.stage, one.error or one.status, common(one.cause or "")), []).append(one)
    made = [
        FailureGroup(
            stage=stage,
            error=error,
            count=len(ones),
            recent=sum(_is_recent(one.ended_at, now) for one in ones),
            first_at=ones[-1].ended_at,
            latest=ones[0],
        )
        for (stage, error, _), ones in groups.items()
    ]
    return sorted(made, key=lambda group: (-group.recent, -group.latest.ended_at.timestamp()))


def _is_recent(moment: datetime, now: datetime) -> bool:
    return now - moment <= RECENT
