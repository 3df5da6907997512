"""The last reading of a queue, whose messages are kept so that the next check can judge them again."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from infra.clocks import task_seconds
from operations.aws_errors import translated
from operations.dlq.messages import Parked
from operations.target import Target
from shared.contracts.stages import BY_SERVICE
from shared.dynamodb import CONDITION_FAILED

HELD_SECONDS = 3_600
"""How long a reading of the queue of a service without a stage is kept."""
KEPT_BYTES = 300_000
"""The largest size of all kept messages: a DynamoDB item holds 400 KB. Messages with no room left lose their body."""


class Memory:
    """The messages that `deploy-check` last read from one service's queue, kept in the operations table.

    Until this entry expires, the queue is not read again, because reading counts as a delivery of each message. The
    entry of a stage expires after the task's timeout, when its messages no longer matter; any other after an hour.
    """

    def __init__(self, target: Target, service: str, visibility: int) -> None:
        """`visibility` is the queue's visibility timeout, from which the task's timeout follows."""
        self._client = target.client("dynamodb")
        self._table = target.addresses["operations/table"]
        self._key = {"pipeline_id": {"S": f"deploy-check#{service}"}, "entry": {"S": "look"}}
        self._seconds = task_seconds(visibility) if service in BY_SERVICE else HELD_SECONDS

    def begin(self) -> bool:
        """Return whether the queue may be read now, and if so, store first that it is being read.

        Even a reading that is interrupted may count as a delivery.
        """
        now = int(time.time())
        with translated("store that the queue is being read"):
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
        """Store the messages, without task tokens."""
        kept, left = [], KEPT_BYTES
        for message in messages:
            slim = msgspec.structs.replace(message, body=message.public_body, token=None)
            if len(msgspec.json.encode(slim)) > left:
                slim = msgspec.structs.replace(slim, body="")
            left -= len(msgspec.json.encode(slim))
            kept.append(slim)
        with translated("store the messages of the queue"):
            self._client.update_item(
                TableName=self._table,
                Key=self._key,
                UpdateExpression="SET messages = :messages",
                ExpressionAttributeValues={":messages": {"S": msgspec.json.encode(kept).decode()}},
            )

    def recall(self) -> tuple[float, list[Parked]]:
        """Return the time of the last reading and its messages; no messages if that reading was interrupted."""
        with translated("load the last reading of the queue"):
            item: dict[str, Any] = self._client.get_item(
                TableName=self._table, Key=self._key, ConsistentRead=True
            ).get("Item", {})
        messages = msgspec.json.decode(item.get("messages", {}).get("S", "[]"), type=list[Parked])
        return float(item.get("at", {}).get("N", 0)), messages
