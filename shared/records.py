"""The record of a pipeline in PipelineLogs: its layout, and writes that never undo a later truth.

Statuses: ACCEPTED (the API, before it publishes), RUNNING (the starter), SUCCEEDED or FAILED (the logger).
Each write states which earlier statuses it may replace, so that a late or repeated event changes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.contracts.message import Said, request_hash
from shared.contracts.stages import BY_KEY, STAGES

MAY_REPLACE: Mapping[str, tuple[str, ...]] = {
    "RUNNING": ("ACCEPTED",),
    "SUCCEEDED": ("ACCEPTED", "RUNNING", "FAILED"),
    "FAILED": ("ACCEPTED", "RUNNING", "FAILED"),
}
"""A FAILED run may be redriven and then succeed; nothing replaces SUCCEEDED, but an operator's `reopen`."""

_STATUS_VALUES = (":accepted", ":running", ":succeeded", ":failed")

OF_A_FAILURE = ("error", "cause", "stage", "execution_status")
"""What a record says of a failure. A later success takes it away."""

CANCELLED = "cancel_requested_at"
"""When somebody asked for a stop. What is to start is not started then, what runs is stopped."""

OWNER_INDEX = "by-owner"
"""The index of what came through the API, by caller (`owner`) and time (`listed_at`)."""
LISTED = (
    "pipeline_id",
    "owner",
    "listed_at",
    "status",
    "accepted_at",
    "started_at",
    "finished_at",
    "execution_time_ms",
    "error",
    "excerpt",
    CANCELLED,
)
"""What the index holds of a record: its keys first, and no message."""


OF_AN_END = ("cost", "metered")
"""What a record says of an execution that has ended. A new one starts without it."""


def spent(record: Mapping[str, Any], execution_arn: str) -> int:
    """Nano-dollars known to be spent before `execution_arn` runs. Where it is redriven, and not a new one, only what
    the failed stage and its record cost: the other stages are counted again, with the end that is to come.
    """
    cost, earlier = record.get("cost") or {}, int(record.get("earlier_nano_usd") or 0)
    if record.get("execution_arn") != execution_arn:
        return earlier + int(cost.get("nano_usd") or 0)
    stages = cost.get("stages") or {}
    return earlier + sum(int(stages.get(name, 0)) for name in {record.get("stage"), STAGES[-1].key})


def to_item(value: Any) -> dict[str, Any]:
    """A value in DynamoDB's typed JSON, numbers whole. (boto3's serialiser would load boto3.)"""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case Mapping():
            return {"M": {str(name): to_item(inner) for name, inner in value.items()}}
        case list() | tuple():
            return {"L": [to_item(inner) for inner in value]}
    raise TypeError(f"a record holds no {type(value).__name__}")


def from_item(item: Mapping[str, Any]) -> Any:
    """The value of DynamoDB's typed JSON; numbers come back as int."""
    ((kind, value),) = item.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(value)
        case "M":
            return {name: from_item(inner) for name, inner in value.items()}
        case "L":
            return [from_item(inner) for inner in value]
    return value


def expanded(record: dict[str, Any]) -> dict[str, Any]:
    """`record` in the one layout that readers know.

    Where the logger is broken the workflow stores the answer itself, and can only write some parts as JSON text:
    the analysis, the meters in the stage table's order, and the errors.
    """
    if "meters_json" not in record:
        return record
    whole = {name: value for name, value in record.items() if not name.endswith("_json")}
    meters = zip(STAGES, json.loads(record["meters_json"]), strict=False)
    errors = json.loads(record.get("errors_json", "{}"))
    degraded = list(dict.fromkeys([*errors, *record.get("degraded", ())]))
    return {
        **whole,
        "degraded": degraded,
        "instead": {name: BY_KEY[name].without for name in degraded if name in BY_KEY},
        "analysis": json.loads(record.get("analysis_json", "null")),
        "stages": {stage.key: meter for stage, meter in meters if meter},
        "errors": errors,
    }


def _status_in(statuses: Sequence[str]) -> str:
    """A condition: the record has none yet, or one of these."""
    return (
        f"attribute_not_exists(#status) OR #status IN ({', '.join(f':{name.lower()}' for name in statuses)})"
    )


class Records:
    """The table. Raises TransientError or PermanentError where DynamoDB does."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, pipeline_id: str) -> dict[str, Any] | None:
        """The whole record, read consistently."""
        with translated_errors():
            answer = self._client.get_item(
                TableName=self._table, Key={"pipeline_id": {"S": pipeline_id}}, ConsistentRead=True
            )
        item = answer.get("Item")
        return expanded({name: from_item(value) for name, value in item.items()}) if item else None

    def accept(
        self,
        pipeline_id: str,
        *,
        user_message: str,
        accepted_at: str,
        history: Sequence[Said] = (),
        listed: Mapping[str, str] | None = None,
    ) -> bool:
        """Writes a new record as ACCEPTED, with what puts it into the index. False if the id has a record already."""
        record = {
            "pipeline_id": pipeline_id,
            "timestamp": accepted_at,
            "accepted_at": accepted_at,
            "status": "ACCEPTED",
            "user_message": user_message,
            "request_hash": request_hash(user_message, history),
            **(listed or {}),
        }
        return self._conditionally(
            self._client.put_item,
            TableName=self._table,
            Item=to_item(record)["M"],
            ConditionExpression="attribute_not_exists(pipeline_id)",
        )

    def withdraw(self, pipeline_id: str) -> bool:
        """Removes a record that never got further than ACCEPTED."""
        return self._conditionally(
            self._client.delete_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": pipeline_id}},
            ConditionExpression="#status = :accepted",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":accepted": {"S": "ACCEPTED"}},
        )

    def cancel(self, pipeline_id: str, *, at: str) -> dict[str, Any] | None:
        """Notes that a pipeline is to stop. Returns the record as it is then; None if it is over."""
        with translated_errors():
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"pipeline_id": {"S": pipeline_id}},
                    UpdateExpression="SET #at = if_not_exists(#at, :at)",
                    ConditionExpression="#status IN (:accepted, :running)",
                    ExpressionAttributeNames={"#at": CANCELLED, "#status": "status"},
                    ExpressionAttributeValues={
                        ":at": {"S": at},
                        ":accepted": {"S": "ACCEPTED"},
                        ":running": {"S": "RUNNING"},
                    },
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return None
                raise
        return {name: from_item(value) for name, value in answer["Attributes"].items()}

    def advance(
        self,
        pipeline_id: str,
        status: str,
        fields: Mapping[str, Any],
        *,
        first: Mapping[str, Any] | None = None,
    ) -> bool:
        """Sets the status and `fields`, and of `first` what the record lacks. Creates the record if need be.

        False if the record already holds a truth that `status` may not replace. A failure with `execution_arn` and
        `started_at` among its fields does not replace what a later execution of the pipeline says. What is cancelled
        does not become RUNNING.
        """
        condition = _status_in(MAY_REPLACE[status])
        if status == "RUNNING":
            condition = f"({condition}) AND attribute_not_exists({CANCELLED})"
        if status == "FAILED" and {"execution_arn", "started_at"} <= fields.keys():
            condition = (
                f"({condition}) AND (attribute_not_exists(#execution_arn) OR #execution_arn = :execution_arn "
                "OR attribute_not_exists(#started_at) OR #started_at <= :started_at)"
            )
        return self._update(
            pipeline_id,
            {"status": status, **fields},
            first=first or {},
            remove=OF_A_FAILURE if status == "SUCCEEDED" else (),
            condition=condition,
        )

    def reopen(self, pipeline_id: str, *, execution_arn: str, started_at: str, rerun: bool = False) -> bool:
        """Says that the pipeline runs again, in this execution. To be called before the execution is started or
        redriven: an execution that ends at once finds its record open.

        False for a pipeline that has succeeded, unless it is a `rerun`. Late news of the earlier execution's failure
        change nothing from here on. What the earlier execution cost is kept as `earlier_nano_usd`.
        """
        before = ("ACCEPTED", "RUNNING", "FAILED", *(("SUCCEEDED",) if rerun else ()))
        earlier = spent(self.get(pipeline_id) or {}, execution_arn)
        return self._update(
            pipeline_id,
            {
                "status": "RUNNING",
                "execution_arn": execution_arn,
                "started_at": started_at,
                **({"earlier_nano_usd": earlier} if earlier else {}),
            },
            first={},
            remove=(*OF_A_FAILURE, *OF_AN_END, CANCELLED),
            condition=_status_in(before),
        )

    def _update(
        self,
        pipeline_id: str,
        values: Mapping[str, Any],
        *,
        first: Mapping[str, Any],
        remove: Sequence[str],
        condition: str,
    ) -> bool:
        """A conditional UpdateItem; in `condition`, `#name` and `:name` stand for an attribute and its new value."""
        gone = [name for name in remove if name not in values]
        sets = [f"#{name} = :{name}" for name in values]
        sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
        removes = f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""
        statuses = {name: name.removeprefix(":").upper() for name in _STATUS_VALUES if name in condition}
        return self._conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": pipeline_id}},
            UpdateExpression=f"SET {', '.join(sets)}{removes}",
            ConditionExpression=condition,
            ExpressionAttributeNames={f"#{name}": name for name in (*values, *first, *gone)},
            ExpressionAttributeValues={
                **{f":{name}": to_item(value) for name, value in {**values, **first}.items()},
                **{name: {"S": status} for name, status in statuses.items()},
            },
        )

    @staticmethod
    def _conditionally(operation: Any, **parameters: Any) -> bool:
        with translated_errors():
            try:
                operation(**parameters)
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True
