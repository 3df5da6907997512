"""The journey of a run: its status, and each stage with its times, meter and error.

For a finished run the record suffices. While a run goes on, and where it failed, the execution's history says more.
"""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from msgspec import UNSET, Struct, UnsetType

from operations.aws_errors import translated
from operations.errors import DeniedError, NotFoundError
from operations.runs import history as histories
from operations.runs.executions import UNKNOWN_EXECUTION
from operations.runs.history import History, StageStatus
from operations.runs.records import read_record
from operations.stop import Stop
from operations.target import Target
from shared.contracts import limits
from shared.contracts.record import FINAL, Record, expanded
from shared.contracts.stages import STAGES, Stage
from shared.contracts.v1 import FailedModel

GRACE_SECONDS = 10.0
"""How long the record may lag behind an execution that has ended."""

LAST_STATE_SECONDS = 1.0
"""How long the execution may lag behind its record, which the last state writes before it ends."""

_PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)
_METER = (
    "queue_wait_ms",
    "work_ms",
    "attempt",
    "receives",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "model_id",
    "revision",
)


class StageView(Struct, frozen=True, kw_only=True):
    """One stage of a journey. `degraded`: it failed, and the run continued without it.

    `started_at` and `finished_at` are known from the history only.
    """

    key: str
    state: str
    service: str
    critical: bool
    status: StageStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    queue_wait_ms: int | None = None
    work_ms: int | None = None
    attempt: int | None = None
    receives: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | UnsetType = UNSET
    cache_write_tokens: int | UnsetType = UNSET
    model_id: str | None = None
    revision: str | UnsetType = UNSET
    """A hash of the code that the function ran; absent if its deployment did not tell it."""
    error: str | None = None
    cause: str | None = None
    paused_ms: int | UnsetType = UNSET
    """The pauses until redrives at this stage; absent if there are none."""

    @property
    def cached_tokens(self) -> int:
        """The tokens of the prompt that were read from a cache or written to it."""
        return (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt."""
        return (self.input_tokens or 0) + self.cached_tokens

    @property
    def is_ending(self) -> bool:
        """Whether the stage's work is done and the execution has not left its state yet."""
        return self.status == "done" and self.started_at is not None and self.finished_at is None

    @property
    def took_ms(self) -> int | None:
        """The milliseconds from entering the state to leaving it; if unknown, those that the worker measured."""
        if self.started_at and self.finished_at:
            return round((self.finished_at - self.started_at).total_seconds() * 1000)
        if self.queue_wait_ms is None or self.work_ms is None:
            return None
        return self.queue_wait_ms + self.work_ms


class Journey(Struct, frozen=True, kw_only=True):
    """A run as a reader sees it. If it is `finished`, nothing will change any more.

    `status` is the record's, but RUNNING instead of ACCEPTED as soon as there is an execution.
    """

    pipeline_id: str
    status: str
    finished: bool
    stages: tuple[StageView, ...]
    user_message: str | None = None
    final_response: str | None = None
    execution_time_ms: int | None = None
    degraded: tuple[str, ...] = ()
    accepted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    cause: str | None = None
    failed_stage: str | None = None
    instead: Mapping[str, str] = {}
    """What the caller got instead of each degraded stage, by stage key."""
    analysis: Mapping[str, Any] | None = None
    chat: Mapping[str, Any] | None = None
    enhancement: Mapping[str, Any] | None = None
    execution_arn: str | None = None
    trace_id: str | None = None
    cost: Mapping[str, Any] | None = None
    """The cost that the logger recorded, in nano-dollars; `pipeline show --cost` prints the ledger."""
    earlier_nano_usd: int = 0
    """The cost of earlier executions of a restarted run."""


def read_journey(target: Target, pipeline_id: str) -> Journey:
    """Return the run's journey so far. Raises NotFoundError."""
    journey = _look(target, pipeline_id)
    if journey is None:
        raise NotFoundError(
            f"There is no run {pipeline_id!r} in environment {target.env!r}. `pipeline list` shows the runs."
        )
    return journey


def follow(
    target: Target,
    pipeline_id: str,
    *,
    appears_within: float = 0,
    patience_seconds: float = 1_200,
    stop: Stop | None = None,
) -> Iterator[Journey]:
    """Yield the journey now and after each change, until the run ends or a stop is requested.

    Raises NotFoundError if there is no such run after `appears_within` seconds: a run that was just published is not
    known at once. Gives up after `patience_seconds` without a change. Reads as often as `Target.pace` says.
    """
    stop = stop or Stop()
    began = changed = time.monotonic()
    ended: float | None = None
    last: Journey | None = None
    while True:
        journey = _look(target, pipeline_id)
        now = time.monotonic()
        if journey is None:
            late = now - began >= appears_within
            journey = read_journey(target, pipeline_id) if late else _unknown_yet(pipeline_id)
        if journey.finished and journey.status not in FINAL:  # the record lags behind the execution
            ended = ended or now
            if now - ended < GRACE_SECONDS:
                journey = _replaced(journey, finished=False)
        elif journey.finished and any(stage.is_ending for stage in journey.stages):
            ended = ended or now
            if now - ended < LAST_STATE_SECONDS:
                journey = _replaced(journey, finished=False)
        if journey != last:
            yield journey
            last, changed = journey, now
        if journey.finished or stop.requested or now - changed > patience_seconds:
            return
        stop.wait(target.pace.of_run(now - began))
        if stop.requested:
            return


def _look(target: Target, pipeline_id: str) -> Journey | None:
    if not _PIPELINE_ID.fullmatch(pipeline_id):
        return None
    record = read_record(target, pipeline_id)
    if record is None or record.get("status") == "ACCEPTED":
        execution = execution_history(target, target.addresses.execution_arn(pipeline_id))
        if execution is None:
            return assemble(pipeline_id, record, None) if record else None
        return assemble(pipeline_id, record or {}, execution)
    arn = record.get("execution_arn") or target.addresses.execution_arn(pipeline_id)
    try:
        execution = execution_history(target, str(arn))
    except DeniedError:
        if record.get("status") not in FINAL:
            raise
        execution = None  # the record says enough to those who may read nothing else
    return assemble(pipeline_id, record, execution)


def execution_history(target: Target, arn: str) -> History | None:
    """Read an execution's history; None if there is none, or not any more (it is kept for 90 days)."""
    with translated("read the execution's history"):
        client = target.client("stepfunctions")
        try:
            pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
            return histories.read_history(event for page in pages for event in page["events"])
        except ClientError as error:
            if error.response["Error"]["Code"] in UNKNOWN_EXECUTION:
                return None
            raise


def assemble(pipeline_id: str, stored: Mapping[str, Any], execution: History | None) -> Journey:
    """Make a journey of the record and, if there is one, the history; the record decides the status (pure)."""
    record = expanded(stored)
    status = str(record.get("status") or "ACCEPTED")
    ended = execution is not None and execution.status != "RUNNING"
    if status == "ACCEPTED" and execution is not None:
        status = "RUNNING"
    failed, is_final = status == "FAILED", status in FINAL
    execution = execution or History()
    return Journey(
        pipeline_id=pipeline_id,
        status=status,
        finished=is_final or ended,
        stages=tuple(_stage(stage, status, record, execution) for stage in STAGES),
        user_message=record.get("user_message"),
        final_response=record.get("final_response"),
        execution_time_ms=record.get("execution_time_ms") if is_final else None,
        degraded=tuple(record.get("degraded") or ()),
        accepted_at=_time(record.get("accepted_at") or record.get("timestamp")),
        started_at=_started(record, execution),
        finished_at=(_time(record.get("finished_at")) if is_final else None)
        or (execution.finished_at if ended else None),
        error=record.get("error") if failed else execution.error,
        cause=record.get("cause") if failed else execution.cause,
        failed_stage=record.get("stage") if failed else None,
        instead=record.get("instead") or {},
        analysis=record.get("analysis"),
        chat=record.get("chat"),
        enhancement=record.get("enhancement"),
        execution_arn=record.get("execution_arn"),
        trace_id=record.get("trace_id"),
        cost=record.get("cost"),
        earlier_nano_usd=record.get("earlier_nano_usd") or 0,
    )


def failed_models(chat: Mapping[str, Any] | None) -> tuple[FailedModel, ...]:
    """Return the models in whose place another one answered; none if the record does not tell them readably."""
    try:
        return msgspec.convert((chat or {}).get("instead_of") or (), tuple[FailedModel, ...])
    except (msgspec.ValidationError, UnicodeError):
        return ()


def _stage(stage: Stage, status: str, record: Record, execution: History) -> StageView:
    seen = execution.stages.get(stage.key)
    meters, errors = record.get("stages") or {}, record.get("errors") or {}
    meter = meters.get(stage.key) or (seen.meter if seen else None) or {}
    error = errors.get(stage.key) or {}
    known: dict[str, Any] = {"status": _unseen(stage, status, record, execution)}
    if seen:
        known = {
            # The record is written just before the last state ends.
            "status": "done" if seen.status == "running" and status == "SUCCEEDED" else seen.status,
            "started_at": seen.started_at,
            "finished_at": seen.finished_at,
            # An execution that was stopped has no error of its own; its record names one.
            "error": seen.error or (record.get("error") if seen.status == "failed" else None),
            "cause": seen.cause or (record.get("cause") if seen.status == "failed" else None),
            "attempt": seen.retries,
            "paused_ms": seen.paused_ms or UNSET,
        }
    return StageView(
        key=stage.key,
        state=stage.state,
        service=stage.service,
        critical=stage.critical,
        **{
            **known,
            **{name: value for name, value in meter.items() if name in _METER and value is not None},
            **({"error": error.get("Error"), "cause": error.get("Cause")} if error else {}),
        },
    )


def _unseen(stage: Stage, status: str, record: Record, execution: History) -> StageStatus:
    """Return the status of a stage that the history does not contain, also if there is no history any more."""
    if stage.key in (record.get("errors") or {}) or stage.key in (record.get("degraded") or ()):
        return "degraded"
    if status == "SUCCEEDED":
        return "done"
    if status == "FAILED" and record.get("stage") == stage.key:
        return "failed"
    if execution.status not in ("RUNNING", "SUCCEEDED"):
        return "skipped"
    return "unknown" if status == "FAILED" else "waiting"


def _started(record: Record, execution: History) -> datetime | None:
    """Return when the execution started. Meanwhile, the record of a redriven one has the time of the redrive."""
    meanwhile = execution.redriven and record.get("status") not in FINAL
    recorded = None if meanwhile else _time(record.get("started_at"))
    return recorded or execution.started_at


def _time(text: str | None) -> datetime | None:
    """Return the time in a text, in UTC; None if it has none, so that a damaged record is shown without it."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _unknown_yet(pipeline_id: str) -> Journey:
    return assemble(pipeline_id, {"status": "ACCEPTED"}, None)


def _replaced(journey: Journey, **fields: Any) -> Journey:
    return Journey(**{**{name: getattr(journey, name) for name in journey.__struct_fields__}, **fields})
