"""The Lambda handler of the reconciler: a few times an hour, records failed ends that nobody announced.

Step Functions announces the ends of executions with best effort only. Each invocation continues where the last one
stopped, whether that one ended, failed or was cut off, and records what is missing as the logger does.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from msgspec import Struct

from services.logger.core import described, failure
from services.logger.reconciler import core
from services.logger.reconciler.core import Owed, Progress
from services.logger.recording import Logger, Settings, budget_fields_of, stated_of
from shared.aws import client, error_code, translated_errors
from shared.bus import Bus
from shared.contracts.executions import FAILED, ids_in
from shared.contracts.record import Record, iso
from shared.dynamodb import attributes
from shared.errors import PipelineError, TransientError
from shared.metrics import ENDS_MENDED
from shared.observability import about_no_run, emit, flush, logger
from shared.records import Records
from shared.settings import load, once

PAGE = 100
"""Executions in one answer: as many as one BatchGetItem reads records for, most names being of one run."""
KEYS = 100
SPARE_MS = 5_000
"""The time that an invocation leaves unused: more than recording one end takes."""
ITEM = {"pipeline_id": {"S": "reconciler#ends"}, "entry": {"S": "progress"}}
"""The key of the progress in the operations table; no pipeline id has a `#`."""
SHOWN = ("pipeline_id", "status", "finished_at", "reopened_after")


class ReconcilerSettings(Settings, frozen=True, kw_only=True):
    """The environment of the reconciler's function."""

    state_machine_arn: str
    operations_table: str


class Report(Struct, frozen=True, kw_only=True):
    """What one invocation did: the ends that it compared and recorded, those it could not record, and whether it
    finished its scan.
    """

    compared: int = 0
    mended: int = 0
    owed: int = 0
    finished: bool = False


class Reconciler:
    """Compares failed executions with their records. Raises TransientError or PermanentError if AWS fails a call; the
    next invocation then continues.
    """

    def __init__(self, writer: Logger, executions: Any, table: Any, settings: ReconcilerSettings) -> None:
        """`executions` and `table` are the clients of Step Functions and DynamoDB."""
        self._writer = writer
        self._executions = executions
        self._table = table
        self._all_records = Records(table, settings.table_name)
        self._settings = settings

    def run(self, until: datetime, left_ms: Callable[[], int]) -> Report:
        """Compare the executions that ended before `until`, as far as the time allows."""
        progress, mended = self._mended(core.scanning(self._progress() or core.begin(until), until), left_ms)
        compared = 0
        while progress.until and left_ms() > SPARE_MS and len(progress.owed) < core.MOST_OWED:
            page, token = self._page(progress)
            ends = core.within(progress, page)
            compared += len(ends)
            lacking = core.missing(ends, self._records(ends))
            after = core.after_page(progress, page, token)
            # Stored before they are recorded: an end that is recorded and not announced yet is not forgotten.
            progress = self._stored(msgspec.structs.replace(after, owed=_united(progress.owed, lacking)))
            progress, count = self._mended(progress, left_ms)
            mended += count
        return Report(
            compared=compared, mended=mended, owed=len(progress.owed), finished=progress.until is None
        )

    def _mended(self, progress: Progress, left_ms: Callable[[], int]) -> tuple[Progress, int]:
        """Record the ends that are owed. One that fails stays owed and does not keep the others waiting."""
        left, mended = [], 0
        for end in progress.owed:
            if left_ms() <= SPARE_MS:
                left.append(end)
                continue
            try:
                mended += self._mend(end)
            except (PipelineError, msgspec.MsgspecError) as error:
                logger().warning(
                    "the end of an execution could not be recorded",
                    extra={"execution_name": end.name, "cause": str(error)[:256]},
                )
                left.append(end)
            finally:
                about_no_run()
        if progress.owed:
            progress = self._stored(msgspec.structs.replace(progress, owed=tuple(left)))
        return progress, mended

    def _mend(self, end: Owed) -> bool:
        """Record one end; return whether its record lacked it. An execution that runs again has none."""
        arn = f"{self._settings.state_machine_arn.replace(':stateMachine:', ':execution:')}:{end.name}"
        with translated_errors():
            try:
                execution = self._executions.describe_execution(executionArn=arn)
            except ClientError as error:
                if error_code(error) == "ExecutionDoesNotExist":
                    return False
                raise
        if execution["status"] not in FAILED:
            return False
        run = failure(described(execution))
        if self._runs_again(run.pipeline_id, arn, iso(execution["stopDate"])):
            return False
        recorded = self._writer.record(run)
        if recorded:
            logger().warning("an end that nobody announced was recorded", extra={"execution_arn": arn})
        return recorded

    def _runs_again(self, pipeline_id: str, arn: str, ended: str) -> bool:
        """Return whether the run was started again after this end of the execution `arn`, which was not redriven.

        If the record says so but nothing was started, that is taken back, unless the record was reopened just now.
        """
        record = self._all_records.get(pipeline_id) or Record()
        if not core.is_reopened_after(record, ended):
            return False
        next_arn = record.get("execution_arn") or arn
        if (record.get("started_at") or "") > iso(datetime.now(UTC) - core.SETTLED_AFTER):
            return True
        if next_arn != arn and self._exists(next_arn):
            return True
        return not self._all_records.close_again(pipeline_id, record)

    def _exists(self, arn: str) -> bool:
        with translated_errors():
            try:
                self._executions.describe_execution(executionArn=arn)
            except ClientError as error:
                if error_code(error) == "ExecutionDoesNotExist":
                    return False
                raise
        return True

    def _page(self, progress: Progress) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Return a page of the executions with the scan's present status, the newest first, and the next token."""
        where = {"nextToken": progress.token} if progress.token else {}
        with translated_errors():
            try:
                answer = self._list(progress.status, **where)
            except ClientError as error:
                if error_code(error) != "InvalidToken":
                    raise
                answer = self._list(progress.status)  # a token expires after a day: this list begins again
        return answer["executions"], answer.get("nextToken")

    def _list(self, status: str, **where: str) -> Any:
        return self._executions.list_executions(
            stateMachineArn=self._settings.state_machine_arn, statusFilter=status, maxResults=PAGE, **where
        )

    def _records(self, ends: Sequence[Owed]) -> dict[str, Record]:
        """Return the records that these executions may have, by pipeline id; all of them or a TransientError."""
        ids = list(dict.fromkeys(one for end in ends for one in ids_in(end.name)))
        records: dict[str, Record] = {}
        names = {f"#{index}": name for index, name in enumerate(SHOWN)}
        for start in range(0, len(ids), KEYS):
            request = {
                "Keys": [{"pipeline_id": {"S": one}} for one in ids[start : start + KEYS]],
                "ConsistentRead": True,
                "ProjectionExpression": ", ".join(names),
                "ExpressionAttributeNames": names,
            }
            with translated_errors():
                answer = self._table.batch_get_item(RequestItems={self._settings.table_name: request})
            if answer.get("UnprocessedKeys"):
                raise TransientError("BatchGetItem left keys unprocessed")
            for item in answer["Responses"].get(self._settings.table_name, ()):
                record = Record(**attributes(item))  # type: ignore[typeddict-item]  # of the fields in SHOWN
                records[record["pipeline_id"]] = record
        return records

    def _progress(self) -> Progress | None:
        with translated_errors():
            item = self._table.get_item(
                TableName=self._settings.operations_table, Key=ITEM, ConsistentRead=True
            ).get("Item", {})
        try:
            return msgspec.json.decode(item["progress"]["S"], type=Progress)
        except (
            KeyError,
            msgspec.MsgspecError,
        ):  # none yet, or of another release: the first look is long enough
            return None

    def _stored(self, progress: Progress) -> Progress:
        with translated_errors():
            self._table.put_item(
                TableName=self._settings.operations_table,
                Item={**ITEM, "progress": {"S": msgspec.json.encode(progress).decode()}},
            )
        return progress


def _united(owed: Sequence[Owed], more: Sequence[Owed]) -> tuple[Owed, ...]:
    return tuple({end.name: end for end in (*owed, *more)}.values())


def reconciler_handler(build: Callable[[], Reconciler]) -> Callable[[Any, Any], dict[str, Any]]:
    """Return the Lambda handler. Whoever invokes it by hand gets its report, and may give `settled_seconds`: the age
    from which an end counts as not announced.
    """
    built = once(build)

    def handler(event: Any, context: Any) -> dict[str, Any]:
        given = event.get("settled_seconds") if isinstance(event, dict) else None
        settled = timedelta(seconds=given) if isinstance(given, int) else core.SETTLED_AFTER
        report = built().run(datetime.now(UTC) - settled, context.get_remaining_time_in_millis)
        emit(ENDS_MENDED, report.mended)
        flush()
        logger().info("reconciled", extra=msgspec.to_builtins(report))
        return dict(msgspec.to_builtins(report))

    return handler


def _real() -> Reconciler:
    settings, table, events = load(ReconcilerSettings), client("dynamodb"), client("events")
    writer = Logger(
        Records(table, settings.table_name, settings.keep_records_seconds),
        Bus(lambda: events, settings.bus_name),
        partial(client, "stepfunctions"),
        budget_fields_of(settings),
        stated_of(settings),
        any_optional=settings.any_optional,
    )
    return Reconciler(writer, client("stepfunctions"), table, settings)


handler = reconciler_handler(_real)
