"""Reading PipelineLogs."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from operations.asking.http import Pause, backoff
from operations.aws_errors import translated
from operations.target import Target
from shared.records import from_item

Record = Mapping[str, Any]

BATCH_KEYS = 100
FINAL = ("SUCCEEDED", "FAILED")


def read_record(target: Target, pipeline_id: str) -> Record | None:
    with translated("read the record"):
        answer = target.client("dynamodb").get_item(
            TableName=target.addresses.table_name,
            Key={"pipeline_id": {"S": pipeline_id}},
            ConsistentRead=True,
        )
    return _plain(answer["Item"]) if "Item" in answer else None


def read_records(
    target: Target, pipeline_ids: Iterable[str], *, fields: Sequence[str] | None, pause: Pause = time.sleep
) -> dict[str, Record]:
    """Those that exist, by id, with `fields` only, or whole."""
    wanted = list(dict.fromkeys(pipeline_ids))
    found: dict[str, Record] = {}
    for start in range(0, len(wanted), BATCH_KEYS):
        keys = [{"pipeline_id": {"S": pipeline_id}} for pipeline_id in wanted[start : start + BATCH_KEYS]]
        for record in _batch(target, keys, ["pipeline_id", *fields] if fields is not None else [], pause):
            found[record["pipeline_id"]] = record
    return found


def _batch(target: Target, keys: list[dict[str, Any]], fields: list[str], pause: Pause) -> list[Record]:
    table = target.addresses.table_name
    names = {f"#{index}": name for index, name in enumerate(fields)}
    only = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names} if names else {}
    found: list[Record] = []
    tries = 0
    while keys:
        with translated("read the records"):
            answer = target.client("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys, **only}})
        found += [_plain(item) for item in answer["Responses"].get(table, [])]
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        if keys:
            tries += 1
            pause(backoff(tries))
    return found


def _plain(item: Mapping[str, Any]) -> Record:
    return {name: from_item(value) for name, value in item.items()}
