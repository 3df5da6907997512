"""The look into a queue that was made last: what was seen is kept, and judged again by whoever asks next."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from operations.aws_errors import translated
from operations.dlq.messages import Parked
from operations.target import Target
from shared.contracts.stages import BY_SERVICE
from shared.dynamodb import CONDITION_FAILED

HELD_SECONDS = 3_600
"""How long a look at a queue without a stage's timeout holds."""
KEPT_BYTES = 300_000
"""DynamoDB's items end at 400 KB. A message that does not fit is kept without its data."""


class Memory:
    """One service's, in the operations table, for as long as a message that was seen can be waiting: a stage's is
    worthless after its task's timeout.
    """

    def __init__(self, target: Target, service: str) -> None:
        self._client = target.client("dynamodb")
        self._table = target.addresses["operations/table"]
        self._key = {"pipeline_id": {"S": f"deploy-check#{service}"}, "entry": {"S": "look"}}
        stage = BY_SERVICE.get(service)
        self._seconds = stage.timeout_seconds if stage else HELD_SECONDS

    def begin(self) -> bool:
        """Whether this look may be made. It is noted before it is: who is interrupted has looked, perhaps."""
        now = int(time.time())
        with translated("note the look"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        **self._key,
                        "at": {"N": str(now)},
                        "messages": {"S": "[]"},
                        "expires_at": {"N": str(now + self._seconds)},
                    },
                    ConditionExpression="attribute_not_exists(pipeline_id) OR expires_at <= :now",
                    ExpressionAttributeValues={":now": {"N": str(now)}},
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == CONDITION_FAILED:
                    return False
                raise
        return True

    def keep(self, messages: Sequence[Parked]) -> None:
        """Without task tokens."""
        kept, left = [], KEPT_BYTES
        for message in messages:
            slim = msgspec.structs.replace(message, body=message.public_body, token=None)
            if len(slim.body.encode()) > left:
                slim = msgspec.structs.replace(slim, body="")
            left -= len(slim.body.encode())
            kept.append(slim)
        with translated("keep the look"):
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression="SET messages = :messages",
                ExpressionAttributeValues={":messages": {"S": msgspec.json.encode(kept).decode()}},
            )

    def recall(self) -> tuple[float, list[Parked]]:
        """When it was, and what was seen; nothing of a look that was broken off."""
        with translated("read the last look"):
            item: dict[str, Any] = self._client.get_item(
                TableName=self._table, Key=self._key, ConsistentRead=True
            ).get("Item", {})
        found = msgspec.json.decode(item.get("messages", {}).get("S", "[]"), type=list[Parked])
        return float(item.get("at", {}).get("N", 0)), found
