"""Reading records from PipelineLogs, of any age and even damaged ones."""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, get_type_hints

import msgspec

from operations.asking.http import Pause, backoff
from operations.aws_errors import translated
from operations.json_text import REFUSED
from operations.target import Target
from shared.contracts.record import Record, expanded
from shared.dynamodb import attributes

BATCH_KEYS = 100
KEY_BYTES = 2_048


def is_key(pipeline_id: str) -> bool:
    """Whether a record can have this id: whatever else is asked for, DynamoDB refuses the whole call."""
    return not REFUSED.search(pipeline_id) and 0 < len(pipeline_id.encode()) <= KEY_BYTES


def read_record(target: Target, pipeline_id: str) -> Record | None:
    if not is_key(pipeline_id):
        return None
    with translated("read the record"):
        answer = target.client("dynamodb").get_item(
            TableName=target.addresses.table_name,
            Key={"pipeline_id": {"S": pipeline_id}},
            ConsistentRead=True,
        )
    return record_of(answer["Item"]) if "Item" in answer else None


def read_records(
    target: Target, pipeline_ids: Iterable[str], *, fields: Sequence[str] | None, pause: Pause = time.sleep
) -> dict[str, Record]:
    """Return the records that exist, by pipeline id, with these fields only, or whole for None."""
    wanted = [pipeline_id for pipeline_id in dict.fromkeys(pipeline_ids) if is_key(pipeline_id)]
    records: dict[str, Record] = {}
    for start in range(0, len(wanted), BATCH_KEYS):
        keys = [{"pipeline_id": {"S": pipeline_id}} for pipeline_id in wanted[start : start + BATCH_KEYS]]
        for record in _batch(target, keys, ["pipeline_id", *fields] if fields is not None else [], pause):
            records[record["pipeline_id"]] = record
    return records


def _batch(target: Target, keys: list[dict[str, Any]], fields: list[str], pause: Pause) -> list[Record]:
    table = target.addresses.table_name
    names = {f"#{index}": name for index, name in enumerate(fields)}
    only = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names} if names else {}
    records: list[Record] = []
    tries = 0
    while keys:
        with translated("read the records"):
            answer = target.client("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys, **only}})
        records += [record_of(item) for item in answer["Responses"].get(table, [])]
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if keys:
            tries += 1
            pause(backoff(tries))
    return records


def record_of(item: Mapping[str, Any]) -> Record:
    """Return the record in an item. Known fields with a value of the wrong type are left out; unknown ones stay."""
    record = expanded(attributes(item))
    for name in [name for name, value in record.items() if not _fits(name, value)]:
        del record[name]  # type: ignore[misc]  # the names come from the record itself
    return record


def _fits(name: str, value: object) -> bool:
    kind = _types().get(name)
    if kind is None:
        return True
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeError):
        return False
    return True


@cache
def _types() -> Mapping[str, Any]:
    """Return the type of each field; any text is a status, since a newer release may write a new one."""
    return {**get_type_hints(Record), "status": str}
