"""The table PipelineLogs: writes to a record that never undo a later truth.

Each write states which earlier statuses it may replace, so that a late or repeated event changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.contracts.message import Said, request_hash
from shared.contracts.record import CANCELLED, STATUSES, Record, expanded
from shared.contracts.stages import LAST
from shared.contracts.v1 import Status
from shared.dynamodb import CONDITION_FAILED, attributes, to_item

MAY_REPLACE: Mapping[str, tuple[Status, ...]] = {
    "RUNNING": ("ACCEPTED",),
    "SUCCEEDED": ("ACCEPTED", "RUNNING", "FAILED"),
    "FAILED": ("ACCEPTED", "RUNNING", "FAILED"),
}
"""A FAILED run may be redriven and then succeed; nothing replaces SUCCEEDED, but an operator's `reopen`."""

OF_A_FAILURE = ("error", "cause", "stage", "execution_status")
"""What a record says of a failure. A later success takes it away."""

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


def spent(record: Record, execution_arn: str) -> int:
    """Nano-dollars known to be spent before `execution_arn` runs. Where it is redriven, and not a new one, only what
    the failed stage and its record cost: the other stages are counted again, with the end that is to come.
    """
    cost, earlier = record.get("cost"), record.get("earlier_nano_usd") or 0
    if cost is None:
        return earlier
    if record.get("execution_arn") != execution_arn:
        return earlier + (cost["nano_usd"] or 0)
    stages = cost.get("stages", {})
    return earlier + sum(stages.get(name, 0) for name in {record.get("stage") or "", LAST.key})


def _value_of(status: Status) -> str:
    """The status's placeholder in a condition."""
    return f":{status.lower()}"


def _status_in(statuses: Sequence[Status]) -> str:
    """A condition: the record has none yet, or one of these."""
    return (
        f"attribute_not_exists(#status) OR #status IN ({', '.join(_value_of(status) for status in statuses)})"
    )


class Records:
    """The table. Raises TransientError or PermanentError where DynamoDB does."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, pipeline_id: str) -> Record | None:
        """The whole record, read consistently."""
        with translated_errors():
            answer = self._client.get_item(
                TableName=self._table, Key={"pipeline_id": {"S": pipeline_id}}, ConsistentRead=True
            )
        item = answer.get("Item")
        return expanded(attributes(item)) if item else None

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
        record: Record = {
            "pipeline_id": pipeline_id,
            "timestamp": accepted_at,
            "accepted_at": accepted_at,
            "status": "ACCEPTED",
            "user_message": user_message,
            "request_hash": request_hash(user_message, history),
        }
        return self._conditionally(
            self._client.put_item,
            TableName=self._table,
            Item=to_item({**record, **(listed or {})})["M"],
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

    def cancel(self, pipeline_id: str, *, at: str) -> Record | None:
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
                if error_code(error) == CONDITION_FAILED:
                    return None
                raise
        return expanded(attributes(answer["Attributes"]))

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
        before = [status for status in STATUSES if rerun or status != "SUCCEEDED"]
        earlier = spent(self.get(pipeline_id) or Record(), execution_arn)
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
        statuses = {_value_of(status): status for status in STATUSES if _value_of(status) in condition}
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
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
        return True
