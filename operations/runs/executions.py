"""Executions of a pipeline: looking at one, redriving it, starting it again."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from operations.aws_errors import translated
from operations.errors import OperationError, RefusedError
from operations.target import Target
from shared.contracts.executions import FAILED, pipeline_of, restart_name, restart_number
from shared.contracts.record import iso
from shared.records import Records

_MOST_RESTARTS = 1_000


class Execution(Struct, frozen=True, kw_only=True):
    """`redrivable` as Step Functions says; the local engine says nothing and can't."""

    arn: str
    name: str
    status: str
    input: str
    redrivable: bool
    started_at: datetime
    redrives: int = 0

    @property
    def failed(self) -> bool:
        return self.status in FAILED

    @property
    def pipeline_id(self) -> str:
        return str(_metadata(self.input).get("pipeline_id") or pipeline_of(self.name))


class NotRedrivableError(RefusedError):
    """Step Functions can't redrive this execution (any more)."""


def _metadata(state: str) -> Mapping[str, Any]:
    try:
        metadata = json.loads(state)["metadata"]
    except (ValueError, TypeError, KeyError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def describe(target: Target, arn: str) -> Execution | None:
    """None where Step Functions knows it no more (90 days), or never did."""
    with translated("look at the execution"):
        try:
            told = target.client("stepfunctions").describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
                return None
            raise
    return Execution(
        arn=arn,
        name=str(told["name"]),
        status=str(told["status"]),
        input=str(told.get("input") or "{}"),
        redrivable=told.get("redriveStatus") == "REDRIVABLE",
        started_at=told["startDate"],
        redrives=int(told.get("redriveCount") or 0),
    )


def restarts(target: Target, execution: Execution) -> tuple[str, Execution | None]:
    """The name under which this execution is started again, and what runs under it, if anything does.

    A name that another pipeline's id happens to be is left out.
    """
    pipeline_id = execution.pipeline_id
    first = restart_number(execution.name, pipeline_id) + 1
    for number in range(first, first + _MOST_RESTARTS):
        name = restart_name(pipeline_id, number)
        found = describe(target, target.addresses.execution_arn(name))
        if found is None or found.pipeline_id == pipeline_id:
            return name, found
    raise RefusedError(f"{pipeline_id} was restarted too often.")


def records(target: Target) -> Records:
    return Records(target.client("dynamodb"), target.addresses.table_name)


def restart(
    target: Target, execution: Execution, name: str, *, state: str | None = None, rerun: bool = False
) -> str:
    """Starts the pipeline again under `name`, with the original input or `state`. Returns the execution's ARN.

    Done twice, it starts once. The record is opened first: an execution that ends at once finds it open.
    """
    arn = target.addresses.execution_arn(name)
    _reopen(target, execution, arn, rerun=rerun)
    with translated("start the pipeline again"):
        try:
            target.client("stepfunctions").start_execution(
                stateMachineArn=target.addresses.state_machine_arn,
                name=name,
                input=execution.input if state is None else state,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
    return arn


def redrive(target: Target, execution: Execution, *, token: str) -> None:
    """Goes on at the state that failed. `token` makes repeated calls one. Raises NotRedrivableError."""
    _reopen(target, execution, execution.arn)
    with translated("redrive the execution"):
        try:
            target.client("stepfunctions").redrive_execution(
                executionArn=execution.arn, clientToken=hashlib.sha256(token.encode()).hexdigest()
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionNotRedrivable":
                raise NotRedrivableError(f"{execution.name} can't be redriven.") from error
            raise


def _reopen(target: Target, execution: Execution, arn: str, *, rerun: bool = False) -> None:
    try:
        opened = records(target).reopen(
            execution.pipeline_id, execution_arn=arn, started_at=iso(datetime.now(UTC)), rerun=rerun
        )
    except Exception as error:
        raise OperationError(f"Could not open the record of {execution.pipeline_id}: {error}") from error
    if not opened:
        raise RefusedError(f"{execution.pipeline_id} has succeeded meanwhile.")
