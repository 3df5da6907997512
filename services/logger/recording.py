"""Writes and announces the records of succeeded and failed executions, for the logger and the reconciler."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError
from msgspec import Struct

from services.logger import core
from shared.aws import error_code, translated_errors
from shared.bus import Bus
from shared.contracts.envelope import Delivery, Metadata, trace_id
from shared.contracts.v1 import LogReceipt, LogRequested, Meter, Status
from shared.costs.prices import Stated
from shared.errors import CANCELLED_ERROR, ContractViolation, PipelineError
from shared.metrics import (
    COST,
    RUN_TIME,
    RUNS_CANCELLED,
    RUNS_DEGRADED,
    RUNS_FAILED,
    RUNS_SUCCEEDED,
    STAGE_FAILURES,
    UNKNOWN_PRICES,
    WASTE,
    failure,
)
from shared.observability import about_run, emit, logger
from shared.records import Records

if TYPE_CHECKING:
    from shared.texts import Texts

BudgetFields = Callable[[str, Mapping[str, Any] | None, datetime], Mapping[str, Any]]


class Settings(Struct, frozen=True, kw_only=True):
    """The environment of the logger's function. `counts_days` is true if there is a daily budget.

    `keep_records_seconds`: see `Records`. `stated_prices` is a `Stated` as JSON: the prices that an option of the
    environment states. `any_optional`: optional stages are switched on.
    """

    table_name: str
    bus_name: str
    counts_days: bool = False
    keep_records_seconds: int | None = None
    stated_prices: str = "{}"
    answers_table: str | None = None
    any_optional: bool = False


class Logger:
    """Writes each record before its event is published, so that every subscriber can read the record."""

    def __init__(  # noqa: PLR0913 -- the last three have defaults
        self,
        records: Records,
        bus: Bus,
        executions: Callable[[], Any],
        budget_fields: BudgetFields | None = None,
        stated: Stated = core.LISTED,
        *,
        texts: "Callable[[], Texts] | None" = None,
        any_optional: bool = False,
    ) -> None:
        """`executions` makes the Step Functions client, which only some failed runs need. `budget_fields` returns the
        attributes that put a record into the index of the daily budget; None without a budget. `stated` precedes
        the listed prices. `texts` makes the store of long texts; without it, of a long answer the beginning is kept.
        `any_optional`: optional stages are switched on.
        """
        self._records = records
        self._texts = texts
        self._bus = bus
        self._executions = cache(executions)
        self._budget_fields = budget_fields
        self._stated = stated
        self._any_optional = any_optional

    def completed(self, request: LogRequested, metadata: Metadata, *, meter: Meter) -> LogReceipt:
        run = core.completed(
            request,
            metadata,
            datetime.now(UTC),
            meter,
            by_day=self._budget_fields is not None,
            stated=self._stated,
            whole=self._whole(request),
        )
        if self._end(metadata.pipeline_id, "SUCCEEDED", run.fields, run.first):
            _count_success(request, run)
            _count_cost(run.fields)
        # If an earlier delivery wrote the record, it may have died before it published the event: publish it again.
        self._bus.publish([core.completed_event(metadata, run)])
        return LogReceipt(status="SUCCEEDED", execution_time_ms=run.execution_time_ms)

    def _whole(self, request: LogRequested) -> core.Whole:
        """Return the whole of a long answer, for the record, which outlives the place where it is stored."""
        reference = core.referred(request)
        if reference is None or self._texts is None:
            return core.NOT_LONG
        from shared.contracts.packing import pack  # noqa: PLC0415 -- only long answers need it

        text = self._texts().read(reference)
        if text is None:
            logger().error("a long answer is not stored any more; the record has its beginning")
            return core.NOT_LONG
        return core.Whole(text=text, packed=pack(text))

    def failed(self, delivery: Delivery) -> None:
        try:
            run = core.failure(bytes(delivery.detail))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ContractViolation("$.detail", "The detail is not an execution's status change") from error
        if run.is_doubtful:
            run = self._identified(run, bytes(delivery.detail))
        self.record(run)

    def record(self, run: core.Failure) -> bool:
        """Record and announce a failed end; return whether it is recorded now for the first time.

        A repeated end is announced again, with the same event id: an earlier delivery may have died before it
        published. An end that a success, restart or redrive has overtaken is neither recorded nor announced.
        """
        about_run(run.pipeline_id, trace_id(run.traceparent, run.pipeline_id))
        stage = core.failed_stage(
            run.status, run.error, any_optional=self._any_optional, others=run.had_others
        )
        if stage is None:
            events = self._history(run.execution_arn)
            stage, run = core.last_stage(events), core.with_reason(run, events)
        fields, first = core.failed_fields(
            run, stage, by_day=self._budget_fields is not None, stated=self._stated
        )
        is_new = self._end(run.pipeline_id, "FAILED", fields, first)
        if is_new:
            _count_failure(run.error, stage)
            _count_cost(fields)
        elif not self._records.holds_failure(run.pipeline_id, run.execution_arn, fields["finished_at"]):
            return False
        self._bus.publish([core.failed_event(run, stage)])
        return is_new

    def _identified(self, run: core.Failure, detail: bytes) -> core.Failure:
        """Return the failure with the run that its execution's input names, which the event was too large to hold.

        If the execution exists no longer, the failure stays as it is.
        """
        with translated_errors():
            try:
                execution = self._executions().describe_execution(executionArn=run.execution_arn)
            except ClientError as error:
                if error_code(error) == "ExecutionDoesNotExist":
                    return run
                raise
        return core.failure(core.with_input(detail, execution.get("input") or "{}"))

    def _end(
        self, pipeline_id: str, status: Status, fields: Mapping[str, Any], first: Mapping[str, Any]
    ) -> bool:
        """Write a run's end together with its fields for the daily budget, so that neither exists without the other.

        The run counts for the day of this write, not of its end: a late end may fall on a day that is already summed.
        """
        by_day: Mapping[str, Any] = {}
        if self._budget_fields:
            by_day = self._budget_fields(pipeline_id, fields.get("cost"), datetime.now(UTC))
        return self._records.advance(pipeline_id, status, {**fields, **by_day}, first=first)

    def _history(self, execution_arn: str) -> Sequence[Mapping[str, Any]]:
        """Return the execution's latest events, newest first; none if the call fails.

        AWS allows only 20 such calls per second, and a record without the stage is better than no record.
        """
        try:
            with translated_errors():
                history = self._executions().get_execution_history(
                    executionArn=execution_arn, reverseOrder=True, maxResults=50, includeExecutionData=False
                )
        except PipelineError as error:
            logger().warning(
                "the failed stage is not known", extra={"execution_arn": execution_arn, "cause": error.cause}
            )
            return ()
        events: Sequence[Mapping[str, Any]] = history["events"]
        return events


def _count_success(request: LogRequested, run: core.Completed) -> None:
    emit(RUNS_SUCCEEDED)
    emit(RUN_TIME, core.milliseconds(request.accepted_at, run.finished_at))
    if run.degraded:
        emit(RUNS_DEGRADED)
    for stage, error in request.errors.items():
        emit(STAGE_FAILURES, failure=failure(stage, error.error))


def _count_failure(error: str, stage: str | None) -> None:
    if error == CANCELLED_ERROR:
        emit(RUNS_CANCELLED)
        return
    emit(RUNS_FAILED)
    emit(STAGE_FAILURES, failure=failure(stage, error))


def _count_cost(fields: Mapping[str, Any]) -> None:
    """Emit the run's cost, in millionths of a dollar, and whether one of its prices is unknown."""
    cost = fields.get("cost") or {}
    for metric, part in ((COST, "nano_usd"), (WASTE, "waste_nano_usd")):
        if cost.get(part) is not None:
            emit(metric, cost[part] / 1_000)
    if cost.get("unknown"):
        emit(UNKNOWN_PRICES)


def budget_fields_of(settings: Settings) -> BudgetFields | None:
    if not settings.counts_days:
        return None
    from shared.budget import budget_fields  # noqa: PLC0415 -- without a budget a cold start does not need it

    return budget_fields


def stated_of(settings: Settings) -> Stated:
    return msgspec.json.decode(settings.stated_prices, type=Stated)
