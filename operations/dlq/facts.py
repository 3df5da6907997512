"""Facts about the runs of parked messages: whether the token is alive, the record's status, the execution."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from operations.aws_errors import translated
from operations.dlq.messages import Parked
from operations.dlq.plan import Facts
from operations.errors import OperationError
from operations.runs import executions
from operations.runs.records import read_records
from operations.target import AT_ONCE, Target
from shared.contracts.record import CANCELLED, Record
from shared.worker.outcome import SETTLED_CODES

FIELDS = ("status", "request_hash", "execution_arn", "finished_at", CANCELLED)
TOKEN_CHARS = 2_048
"""The longest task token."""


def gather(target: Target, messages: Sequence[Parked], *, restart: bool = False) -> list[Facts]:
    """Return the facts of each message, in order. The records are read together."""
    ids = {message.pipeline_id for message in messages if message.pipeline_id}
    records = read_records(target, sorted(ids), fields=FIELDS)

    def facts_of(message: Parked) -> Facts:
        record = records.get(message.pipeline_id or "", Record())
        try:
            return _facts(target, message, record, restart=restart)
        except OperationError as error:
            return Facts(unknown=str(error))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(facts_of, messages))


def _facts(target: Target, message: Parked, record: Record, *, restart: bool) -> Facts:
    known: dict[str, Any] = {
        "record_status": record.get("status"),
        "record_hash": record.get("request_hash"),
        "cancelled": CANCELLED in record,
        "failed_at": record.get("finished_at") if record.get("status") == "FAILED" else None,
    }
    if message.token is None:
        return Facts(**known)
    if is_alive(target, message.token):
        return Facts(token="alive", **known)  # noqa: S106
    known["token"] = "dead"  # noqa: S105
    succeeded = record.get("status") == "SUCCEEDED"
    arn = record.get("execution_arn") if succeeded else message.execution_arn
    if (succeeded and not restart) or not arn:
        return Facts(**known)
    execution = executions.describe(target, str(arn))
    if execution is None or not (execution.failed or restart):
        return Facts(execution=execution, **known)
    name, successor = executions.restarts(target, execution)
    return Facts(execution=execution, successor=successor, restart_name=name, **known)


def is_alive(target: Target, token: str) -> bool:
    """Return whether a task still waits for this token's outcome. Raises OperationError if AWS gives no answer."""
    if len(token) > TOKEN_CHARS or not token.isascii():
        return False  # Step Functions never made it, and would refuse the call
    with translated("ask whether the task still waits"):
        try:
            target.client("stepfunctions").send_task_heartbeat(taskToken=token)
        except ClientError as error:
            if error.response["Error"]["Code"] in SETTLED_CODES:
                return False
            raise
    return True
