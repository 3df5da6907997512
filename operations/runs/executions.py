"""The executions of a run: describe one, redrive it, or restart the run."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct, to_builtins

from operations.aws_errors import translated
from operations.errors import OperationError, RefusedError
from operations.json_text import loosely, written
from operations.runs.records import read_records
from operations.target import AT_ONCE, Target
from shared.contracts import limits
from shared.contracts.executions import FAILED, ids_in, pipeline_of, restart_name, restart_number
from shared.contracts.record import Record, iso
from shared.contracts.stages import Results
from shared.errors import PipelineError
from shared.records import Records, overtaken

_MOST_RESTARTS = 1_000
_PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)

UNKNOWN_EXECUTION = ("ExecutionDoesNotExist", "InvalidArn", "ValidationException")
"""The error codes for an ARN of no execution; the last one for an ARN that is too long to be one."""


class Execution(Struct, frozen=True, kw_only=True):
    """One execution. `redrivable` is what Step Functions says; on the local engine it is always False."""

    arn: str
    name: str
    status: str
    input: str
    redrivable: bool
    started_at: datetime
    stopped_at: datetime | None = None
    redrives: int = 0
    error: str | None = None

    @property
    def failed(self) -> bool:
        return self.status in FAILED

    @property
    def pipeline_id(self) -> str:
        """The run's id: the one in the input, unless that can't be one, as in an execution started by hand."""
        own = _metadata(self.input).get("pipeline_id")
        return own if isinstance(own, str) and _PIPELINE_ID.fullmatch(own) else pipeline_of(self.name)


class NotRedrivableError(RefusedError):
    """Step Functions can't redrive this execution (any more)."""


def _metadata(state: str) -> Mapping[str, Any]:
    whole = loosely(state)
    metadata = whole.get("metadata") if isinstance(whole, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def describe(target: Target, arn: str) -> Execution | None:
    """Describe an execution; None if Step Functions does not know it, or not any more (after 90 days)."""
    with translated("describe the execution"):
        try:
            description = target.client("stepfunctions").describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] in UNKNOWN_EXECUTION:
                return None
            raise
    return Execution(
        arn=arn,
        name=str(description["name"]),
        status=str(description["status"]),
        input=str(description.get("input") or "{}"),
        redrivable=description.get("redriveStatus") == "REDRIVABLE",
        started_at=description["startDate"],
        stopped_at=description.get("stopDate"),
        redrives=int(description.get("redriveCount") or 0),
        error=description.get("error"),
    )


def pipelines_of(target: Target, names: Iterable[str]) -> dict[str, str]:
    """Return the pipeline id of each execution by its name.

    A name that may be of two runs is looked up: in the records, which name their latest execution, else in the
    execution's input. It is kept: what an execution is of never changes.
    """
    found = {name: ids_in(name) for name in names}
    doubtful = {name: ids for name, ids in found.items() if len(ids) > 1 and name not in target.owners}
    known = (
        read_records(target, [one for ids in doubtful.values() for one in ids], fields=("execution_arn",))
        if doubtful
        else {}
    )

    def owner(name: str) -> str | None:
        arn = target.addresses.execution_arn(name)
        for pipeline_id in found[name]:
            if known.get(pipeline_id, Record()).get("execution_arn") == arn:
                return pipeline_id
        execution = describe(target, arn)
        return execution.pipeline_id if execution else None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        owners = dict(zip(doubtful, pool.map(owner, doubtful), strict=True))
    target.owners.update({name: one for name, one in owners.items() if one})
    return {
        name: ids[0] if len(ids) == 1 else target.owners.get(name) or pipeline_of(name)
        for name, ids in found.items()
    }


def restarts(target: Target, execution: Execution) -> tuple[str, Execution | None]:
    """Return the name of the restart of this execution, and the execution that already has that name, if any.

    A name that happens to be another run's pipeline id is skipped. Raises RefusedError after too many restarts.
    """
    pipeline_id = execution.pipeline_id
    first = restart_number(execution.name, pipeline_id) + 1
    for number in range(first, first + _MOST_RESTARTS):
        name = restart_name(pipeline_id, number)
        successor = describe(target, target.addresses.execution_arn(name))
        if successor is None or successor.pipeline_id == pipeline_id:
            return name, successor
    raise RefusedError(f"The run {pipeline_id} was restarted too often. Submit its message as a new run.")


def records(target: Target) -> Records:
    return Records(target.client("dynamodb"), target.addresses.table_name)


def restart(
    target: Target, execution: Execution, name: str, *, state: str | None = None, rerun: bool = False
) -> str:
    """Restart the run under `name`, with the original input or `state`, and return the new execution's ARN.

    A second call with the same name starts nothing. `rerun`: also a run that has succeeded. The record is reopened
    when the execution runs: if the start is refused or interrupted, the record stays as it was, and the ends of an
    execution whose record is not reopened are recorded all the same.
    """
    arn = target.addresses.execution_arn(name)
    _require_last(target, execution, expected=arn if rerun else None)
    with translated("restart the run"):
        try:
            answer = target.client("stepfunctions").start_execution(
                stateMachineArn=target.addresses.state_machine_arn,
                name=name,
                input=with_defaults(execution.input if state is None else state),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
            answer = {}
    if answer:
        reopen(target, execution, arn, answer["startDate"])
    elif (present := describe(target, arn)) and present.status == "RUNNING":
        reopen(target, execution, arn, present.started_at)
    return arn


def with_defaults(state: str) -> str:
    """Return an execution's input with an empty result for each stage that its starter did not know.

    A restart runs by the present definition, whose states may refer to the results of stages added since.
    """
    whole = loosely(state)
    results = whole.get("results") if isinstance(whole, dict) else None
    if not isinstance(results, dict):
        return state
    missing = {key: empty for key, empty in to_builtins(Results()).items() if key not in results}
    return written({**whole, "results": {**results, **missing}}) if missing else state


def redrive(target: Target, execution: Execution) -> None:
    """Continue the execution at the state that failed. Calls after the same end count once.

    The record is reopened when the execution runs, as by `restart`. Raises NotRedrivableError.
    """
    _require_last(target, execution)
    token = f"{execution.arn}#{execution.redrives}"
    with translated("redrive the execution"):
        try:
            answer = target.client("stepfunctions").redrive_execution(
                executionArn=execution.arn, clientToken=hashlib.sha256(token.encode()).hexdigest()
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionNotRedrivable":
                raise
            present = describe(target, execution.arn)
            if present is None or present.status != "RUNNING":
                raise NotRedrivableError(f"The execution {execution.name} can't be redriven.") from error
            answer = {
                "redriveDate": datetime.now(UTC)
            }  # somebody else has redriven it, or an unanswered call
    reopen(target, execution, execution.arn, answer["redriveDate"])


def _require_last(target: Target, execution: Execution, *, expected: str | None = None) -> None:
    """Raise RefusedError if something has followed the execution's end. A success may be followed by `expected`."""
    table, pipeline_id = records(target), execution.pipeline_id
    with _of_record(f"Could not read the record of {pipeline_id}; nothing was started."):
        record = table.get(pipeline_id) or Record()
        rerun = expected is not None and record.get("status") == "SUCCEEDED"
        refused = (
            not table.expect(pipeline_id, str(expected)) if rerun else overtaken(record, _end(execution))
        )
    if refused:
        raise RefusedError(
            f"The run {pipeline_id} has succeeded meanwhile, or was started again; nothing was started."
        )


def reopen(
    target: Target, execution: Execution, arn: str, started_at: datetime, *, after: str | None = None
) -> None:
    """Set the record to RUNNING: the execution `arn` follows the end of `execution`, or else the end at `after`.

    Changes nothing if that execution's own end is recorded already.
    """
    pipeline_id = execution.pipeline_id
    with _of_record(
        f"The run {pipeline_id} was started again, but its record shows the earlier end until the run ends."
    ):
        records(target).reopen(
            pipeline_id, execution_arn=arn, started_at=iso(started_at), after=_end(execution) or after
        )


def _end(execution: Execution) -> str | None:
    return iso(execution.stopped_at) if execution.stopped_at else None


@contextmanager
def _of_record(consequence: str) -> Iterator[None]:
    try:
        yield
    except PipelineError as error:
        raise OperationError(f"{consequence} {error}. Try again.") from error
