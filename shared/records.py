"""The record of a pipeline in PipelineLogs: its layout, and writes that never undo a later truth.

Statuses: ACCEPTED (the API, before it publishes), RUNNING (the starter), SUCCEEDED or FAILED (the logger).
Each write states which earlier statuses it may replace, so that a late or repeated event changes nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.contracts.stages import STAGES

MAY_REPLACE: Mapping[str, tuple[str, ...]] = {
    "RUNNING": ("ACCEPTED",),
    "SUCCEEDED": ("ACCEPTED", "RUNNING", "FAILED"),
    "FAILED": ("ACCEPTED", "RUNNING", "FAILED"),
}
"""A FAILED run may be redriven and then succeed; nothing replaces SUCCEEDED."""


def request_hash(user_message: str) -> str:
    """Tells whether two requests under one id ask the same, without comparing texts."""
    return hashlib.sha256(user_message.encode()).hexdigest()


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
    return {
        **whole,
        "analysis": json.loads(record.get("analysis_json", "null")),
        "stages": {stage.key: meter for stage, meter in meters if meter},
        "errors": json.loads(record.get("errors_json", "{}")),
    }


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

    def accept(self, pipeline_id: str, *, user_message: str, accepted_at: str) -> bool:
        """Writes a new record as ACCEPTED. False if the id has a record already."""
        record = {
            "pipeline_id": pipeline_id,
            "timestamp": accepted_at,
            "accepted_at": accepted_at,
            "status": "ACCEPTED",
            "user_message": user_message,
            "request_hash": request_hash(user_message),
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

    def advance(
        self,
        pipeline_id: str,
        status: str,
        fields: Mapping[str, Any],
        *,
        first: Mapping[str, Any] | None = None,
    ) -> bool:
        """Sets the status and `fields`, and of `first` what the record lacks. Creates the record if need be.

        False if the record already holds a truth that `status` may not replace.
        """
        values = {"status": status, **fields}
        first = first or {}
        names = {f"#{index}": name for index, name in enumerate([*values, *first])}
        by_name = {name: short for short, name in names.items()}
        sets = [f"{by_name[name]} = :{by_name[name][1:]}" for name in values]
        sets += [f"{by_name[name]} = if_not_exists({by_name[name]}, :{by_name[name][1:]})" for name in first]
        before = MAY_REPLACE[status]
        return self._conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": pipeline_id}},
            UpdateExpression="SET " + ", ".join(sets),
            ConditionExpression=(
                f"attribute_not_exists({by_name['status']}) OR {by_name['status']} IN "
                f"({', '.join(f':before{index}' for index in range(len(before)))})"
            ),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                **{f":{by_name[name][1:]}": to_item(value) for name, value in {**values, **first}.items()},
                **{f":before{index}": {"S": name} for index, name in enumerate(before)},
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
