"""The operations table: archived messages and audit lines, by pipeline id."""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from operations.aws_errors import translated
from operations.dlq.messages import Parked
from operations.json_text import cleaned, parse, written
from operations.target import Target
from shared.contracts.record import iso

UNKNOWN = "-"
"""The pipeline id of a message that names none."""
ARCHIVED = "archived#"
"""The beginning of the `entry` of a part of an archived message; the message's id and the part's number follow."""
KEPT_SECONDS = 400 * 24 * 3_600
PART_BYTES = 300_000
"""The largest part of an archived message: DynamoDB's items hold 400 KB at most."""


class Entry(Struct, frozen=True, kw_only=True):
    """An audit line: one operator action on one message or run."""

    pipeline_id: str
    at: str
    who: str
    what: str
    why: str
    outcome: str
    message_id: str | None = None
    service: str | None = None
    execution_arn: str | None = None
    started_arn: str | None = None


class Archived(Struct, frozen=True, kw_only=True):
    """A parked message as it was when archived, without its task token."""

    message_id: str
    pipeline_id: str
    service: str
    queue: str
    archived_at: str
    sent_at: str
    error_type: str
    error: str
    detail_type: str
    execution_arn: str | None
    reason: str
    who: str
    body: str

    def as_parked(self) -> Parked:
        """Return the message as if it were still parked, so that it can be selected like one."""
        return Parked(
            id=self.message_id,
            service=self.service,
            kind="rule-dlq" if self.queue == "rule-dlq" else "dlq",
            sent_at=datetime.fromisoformat(self.sent_at),
            error_type=self.error_type,
            error=self.error,
            body=self.body,
            detail_type=self.detail_type,
            pipeline_id=None if self.pipeline_id == UNKNOWN else self.pipeline_id,
            execution_arn=self.execution_arn,
        )


class Journal:
    """The operations table as one operator writes to it. `who` is the operator's ARN."""

    def __init__(self, target: Target, who: str) -> None:
        self._target = target
        self._table = target.addresses["operations/table"]
        self.who = who

    def archive(self, message: Parked, reason: str) -> None:
        """Store the message. Archiving it twice stores it once."""
        archived = Archived(
            message_id=message.id,
            pipeline_id=message.pipeline_id or UNKNOWN,
            service=message.service,
            queue=message.kind,
            archived_at=iso(datetime.now(UTC)),
            sent_at=iso(message.sent_at),
            error_type=message.error_type,
            error=message.error,
            detail_type=message.detail_type,
            execution_arn=message.execution_arn,
            reason=cleaned(reason),
            who=self.who,
            body=message.public_body,
        )
        packed = zlib.compress(msgspec.json.encode(archived))
        parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
        for number, part in enumerate(parts):
            self._put(
                archived.pipeline_id,
                f"{ARCHIVED}{message.id}#{number:03}",
                {"part": {"B": part}, "parts": {"N": str(len(parts))}},
            )

    def note(self, entry: Entry) -> None:
        values = {name: value for name, value in msgspec.to_builtins(entry).items() if value is not None}
        self._put(
            entry.pipeline_id,
            f"{entry.at}#{entry.what}#{entry.message_id or entry.execution_arn or ''}",
            {name: {"S": cleaned(str(value))} for name, value in values.items() if name != "pipeline_id"},
        )

    def _put(self, pipeline_id: str, entry: str, fields: Mapping[str, Any]) -> None:
        with translated("write to the operations table"):
            self._target.client("dynamodb").put_item(
                TableName=self._table,
                Item={
                    "pipeline_id": {"S": pipeline_id or UNKNOWN},
                    "entry": {"S": entry},
                    "expires_at": {"N": str(int(time.time()) + KEPT_SECONDS)},
                    **fields,
                },
            )


def audit(target: Target, pipeline_id: str) -> list[Entry]:
    """Return the audit lines of a pipeline, oldest first."""
    entries = []
    for item in _items(target, pipeline_id):
        if not item["entry"]["S"].startswith(ARCHIVED):
            values = {name: value["S"] for name, value in item.items() if "S" in value and name != "entry"}
            entries.append(msgspec.convert(values, Entry))
    return entries


def archived(target: Target, pipeline_id: str | None = None) -> Iterator[Archived]:
    """Yield the archived messages of one pipeline, or of all."""
    return whole(_items(target, pipeline_id))


def whole(
    items: Iterable[Mapping[str, Any]], *, on_damage: Callable[[str], None] | None = None
) -> Iterator[Archived]:
    """Yield the archived messages in items of the table, whose parts follow one another.

    `on_damage` gets the entry of a message that can't be read; without it, such a message is an error.
    """
    parts: list[bytes] = []
    of: tuple[str, str] | None = None
    for item in items:
        if not item["entry"]["S"].startswith(ARCHIVED):
            continue
        name, _, number = item["entry"]["S"].rpartition("#")
        if of != (of := (item["pipeline_id"]["S"], name)):
            parts = []
        if int(number) != len(parts):  # DynamoDB deletes the parts of an old message one by one
            continue
        parts.append(item["part"]["B"])
        if len(parts) == int(item["parts"]["N"]):
            try:
                message = msgspec.json.decode(zlib.decompress(b"".join(parts)), type=Archived)
            except (zlib.error, msgspec.DecodeError):
                if on_damage is None:
                    raise
                on_damage(name)
                continue
            yield message


def _items(target: Target, pipeline_id: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield items of the table, ordered by `entry` within each pipeline."""
    with translated("read the operations table"):
        client = target.client("dynamodb")
        if pipeline_id is None:
            pages = client.get_paginator("scan").paginate(TableName=target.addresses["operations/table"])
        else:
            pages = client.get_paginator("query").paginate(
                TableName=target.addresses["operations/table"],
                KeyConditionExpression="pipeline_id = :id",
                ExpressionAttributeValues={":id": {"S": pipeline_id}},
            )
        for page in pages:
            yield from page["Items"]


def as_json_lines(message: Archived | Parked) -> str:
    """Return the message as one line of JSON, without its task token; a body that is JSON becomes `event`."""
    if isinstance(message, Parked):
        values = msgspec.to_builtins(message)
        values.pop("token")
        values["body"] = message.public_body
    else:
        values = msgspec.to_builtins(message)
    try:
        values["event"] = parse(values["body"])
        del values["body"]
    except ValueError:
        pass
    return written(values)
