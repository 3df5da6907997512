"""The audit of all runs, the latest act first. The operations table has no index by time, so it is scanned."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from operations.aws_errors import translated
from operations.dlq.journal import ARCHIVED, Entry
from operations.stop import Stop
from operations.target import Target
from shared.dynamodb import attributes

PAGE = 1_000
_FIELDS = Entry.__struct_fields__


class Audit(Struct, frozen=True, kw_only=True):
    """What was read. `complete` is False if reading stopped at its limit or on request.

    `damaged` counts lines that could not be read: they are left out.
    """

    entries: tuple[Entry, ...]
    read: int
    complete: bool
    damaged: int = 0


def read_audit(
    target: Target,
    *,
    limit: int,
    on_page: Callable[[int, int], None] = lambda _read, _lines: None,
    stop: Stop | None = None,
) -> Audit:
    """Read the table, or its first `limit` items. `on_page` gets the numbers of items read and of lines found."""
    stop = stop or Stop()
    # The same table has archived messages, and the progress of services, whose keys have a `#`, as no run's id has.
    # They are counted as read, and not sent.
    options: dict[str, Any] = {
        "TableName": target.addresses["operations/table"],
        "FilterExpression": "NOT begins_with(#entry, :archived) AND NOT contains(#pipeline_id, :own)",
        "ProjectionExpression": ", ".join(f"#{name}" for name in _FIELDS),
        "ExpressionAttributeNames": {"#entry": "entry", **{f"#{name}": name for name in _FIELDS}},
        "ExpressionAttributeValues": {":archived": {"S": ARCHIVED}, ":own": {"S": "#"}},
    }
    entries: list[Entry] = []
    read = damaged = 0
    while True:
        with translated("read the operations table"):
            answer = target.client("dynamodb").scan(**options, Limit=min(PAGE, limit - read))
        read += answer["ScannedCount"]
        for item in answer["Items"]:
            try:
                entries.append(msgspec.convert(attributes(item), Entry))
            except (msgspec.ValidationError, UnicodeError):
                damaged += 1
        on_page(read, len(entries))
        complete = "LastEvaluatedKey" not in answer
        if complete or read >= limit or stop.requested:
            break
        options["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return Audit(entries=tuple(entries), read=read, complete=complete, damaged=damaged)
