"""Archived messages: all of them, one, and what was done with a message that is parked no longer."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from operations.aws_errors import translated
from operations.dlq.journal import ARCHIVED, UNKNOWN, Archived, Entry, whole
from operations.stop import Stop
from operations.target import Target
from shared.dynamodb import attributes

PAGE = 1_000
MOST_SEARCHED = 100_000
"""Items of the operations table that a search for a message looks at, at most: it has no index by message."""

OnPage = Callable[[int], None]
"""A callback that receives the number of items read so far."""


class Archive(Struct, frozen=True, kw_only=True):
    """The archived messages that were read, the latest first, without their bodies.

    `complete` is False if reading stopped at its limit or on request; `damaged` counts messages that were unreadable.
    """

    messages: tuple[Archived, ...]
    read: int
    complete: bool
    damaged: int = 0


class Handled(Struct, frozen=True, kw_only=True):
    """A message that was parked once: what operators did with it, the latest first, and whether it is archived."""

    message_id: str
    pipeline_id: str | None
    is_archived: bool
    acts: tuple[Entry, ...] = ()


def read_archive(
    target: Target, *, limit: int, on_page: OnPage = lambda _: None, stop: Stop | None = None
) -> Archive:
    """Read the archived messages in the table, or in its first `limit` items."""
    scan = _Scan(target, limit, on_page, stop or Stop())
    damaged: list[str] = []
    found = [
        msgspec.structs.replace(one, body="")
        for one in whole(scan.items(_ARCHIVED_ONLY), on_damage=damaged.append)
    ]
    found.sort(key=lambda one: one.archived_at, reverse=True)
    return Archive(messages=tuple(found), read=scan.read, complete=scan.complete, damaged=len(damaged))


def read_archived(target: Target, pipeline_id: str, message_id: str) -> Archived | None:
    """Return one archived message; None if it is not there any more, or not readable.

    `pipeline_id` is UNKNOWN for a message that names none.
    """
    key = {":id": {"S": pipeline_id or UNKNOWN}, ":entry": {"S": f"{ARCHIVED}{message_id}#"}}
    with translated("read the operations table"):
        pages = (
            target.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=target.addresses["operations/table"],
                KeyConditionExpression="pipeline_id = :id AND begins_with(#entry, :entry)",
                ExpressionAttributeNames={"#entry": "entry"},
                ExpressionAttributeValues=key,
            )
        )
        items = [item for page in pages for item in page["Items"]]
    return next(whole(items, on_damage=lambda _: None), None)


def handled(target: Target, beginning: str, *, stop: Stop | None = None) -> tuple[list[Handled], bool]:
    """Return the messages whose ids begin so and with which an operator did something; and if all was searched."""
    names = {f"#{name}": name for name in (*Entry.__struct_fields__, "entry")}
    options = {
        "FilterExpression": "contains(#entry, :id)",
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":id": {"S": f"#{beginning}"}},
    }
    scan = _Scan(target, MOST_SEARCHED, lambda _: None, stop or Stop())
    acts: dict[str, list[Entry]] = {}
    archived: dict[str, str] = {}
    for item in scan.items(options):
        entry = item["entry"]["S"]
        if entry.startswith(ARCHIVED):
            archived[entry.removeprefix(ARCHIVED).rpartition("#")[0]] = item["pipeline_id"]["S"]
            continue
        try:
            act = msgspec.convert(attributes(item), Entry)
        except (msgspec.ValidationError, UnicodeError):
            continue
        if act.message_id and act.message_id.startswith(beginning):
            acts.setdefault(act.message_id, []).append(act)
    return [
        Handled(
            message_id=message_id,
            pipeline_id=_known(archived.get(message_id) or next(act.pipeline_id for act in acts[message_id])),
            is_archived=message_id in archived,
            acts=tuple(sorted(acts.get(message_id, ()), key=lambda act: act.at, reverse=True)),
        )
        for message_id in sorted({*archived, *acts})
    ], scan.complete


def _known(pipeline_id: str) -> str | None:
    return None if pipeline_id == UNKNOWN else pipeline_id


_ARCHIVED_ONLY = {
    "FilterExpression": "begins_with(#entry, :archived)",
    "ExpressionAttributeNames": {"#entry": "entry"},
    "ExpressionAttributeValues": {":archived": {"S": ARCHIVED}},
}


class _Scan:
    """One scan of the operations table. `complete` is False if it ended at its limit or on request."""

    def __init__(self, target: Target, limit: int, on_page: OnPage, stop: Stop) -> None:
        self.read = 0
        self.complete = False
        self._target = target
        self._limit = limit
        self._on_page = on_page
        self._stop = stop

    def items(self, options: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        more: dict[str, Any] = {}
        table = self._target.addresses["operations/table"]
        while not self._stop.requested and self.read < self._limit:
            with translated("read the operations table"):
                answer = self._target.client("dynamodb").scan(
                    TableName=table, **options, **more, Limit=min(PAGE, self._limit - self.read)
                )
            self.read += answer["ScannedCount"]
            self._on_page(self.read)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                self.complete = True
                return
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
