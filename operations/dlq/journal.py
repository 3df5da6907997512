"""The operations table: archived messages, and a line for each thing an operator did. Kept by pipeline."""

import json
import time
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from operations.aws_errors import translated
from operations.dlq.messages import Parked
from operations.target import Target
from shared.contracts.record import iso

UNKNOWN = "-"
"""The pipeline of a message that names none."""
KEPT_SECONDS = 400 * 24 * 3_600
PART_BYTES = 300_000
"""DynamoDB's items end at 400 KB."""


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the audit."""

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
    """A message as it was, without its token."""

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
        """For selecting it as if it were parked still."""
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
    """`who` is the caller's ARN."""

    def __init__(self, target: Target, who: str) -> None:
        self._target = target
        self._table = target.addresses["operations/table"]
        self.who = who

    def archive(self, message: Parked, reason: str) -> None:
        """Keeps the message. Doing it twice keeps it once."""
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
            reason=reason,
            who=self.who,
            body=message.public_body,
        )
        packed = zlib.compress(msgspec.json.encode(archived))
        parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
        for number, part in enumerate(parts):
            self._put(
                archived.pipeline_id,
                f"archived#{message.id}#{number:03}",
                {"part": {"B": part}, "parts": {"N": str(len(parts))}},
            )

    def note(self, entry: Entry) -> None:
        values = {name: value for name, value in msgspec.to_builtins(entry).items() if value is not None}
        self._put(
            entry.pipeline_id,
            f"{entry.at}#{entry.what}#{entry.message_id or entry.execution_arn or ''}",
            {name: {"S": str(value)} for name, value in values.items() if name != "pipeline_id"},
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
    """What was done about a pipeline, oldest first."""
    found = []
    for item in _items(target, pipeline_id):
        if not item["entry"]["S"].startswith("archived#"):
            values = {name: value["S"] for name, value in item.items() if "S" in value and name != "entry"}
            found.append(msgspec.convert(values, Entry))
    return found


def archived(target: Target, pipeline_id: str | None = None) -> Iterator[Archived]:
    """Archived messages, of one pipeline or of all."""
    parts: list[bytes] = []
    for item in _items(target, pipeline_id):
        if not item["entry"]["S"].startswith("archived#"):
            continue
        number = int(item["entry"]["S"].rpartition("#")[2])
        parts = [*parts, item["part"]["B"]] if number else [item["part"]["B"]]
        if len(parts) == int(item["parts"]["N"]):
            yield msgspec.json.decode(zlib.decompress(b"".join(parts)), type=Archived)


def _items(target: Target, pipeline_id: str | None) -> Iterator[Mapping[str, Any]]:
    """Ordered by `entry` within each pipeline."""
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
    """One line; the body as an object where it is one, never with a token."""
    if isinstance(message, Parked):
        values = msgspec.to_builtins(message)
        values.pop("token")
        values["body"] = message.public_body
    else:
        values = msgspec.to_builtins(message)
    try:
        values["event"] = json.loads(values["body"])
        del values["body"]
    except (ValueError, RecursionError):
        pass
    return json.dumps(values, ensure_ascii=False)
