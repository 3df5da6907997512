"""Counts the starts of messages that were delivered before, to find the message that kills its workers.

SQS's receive count does not tell this: it also rises for messages that no function saw (throttled pollers), for the
neighbours of a killer in its batch, and for messages that were put back. This module is imported at the first
message that was delivered before, so that other messages pay nothing for it.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.contracts.stages import STARTS_BEFORE_LOST
from shared.dynamodb import CONDITION_FAILED
from shared.errors import PipelineError
from shared.observability import logger
from shared.worker.inbox import Message

KEPT_SECONDS: Final = 2 * 24 * 3_600
"""Much longer than the time between two deliveries of a message."""

End = Callable[[], None]


class Starts:
    """The open starts of a service's messages: those whose end no worker has seen yet, or ever will.

    The item of a message holds the deliveries at which it was started, as a set. Therefore a repeated write counts
    once, and each delivery takes back only its own start.
    """

    def __init__(self, connect: Callable[[], Any], *, table: str, service: str) -> None:
        """`connect` makes the DynamoDB client."""
        self._client = cache(connect)
        self._table = table
        self._service = service

    def begin(self, message: Message) -> End | None:
        """Count a start of `message`, and return the function that takes it back.

        Returns None, and counts nothing, if `STARTS_BEFORE_LOST` starts are open. If the table can't be written, a
        warning is logged and the start is not counted: that is no reason to hold a message back.
        """
        try:
            counted = self._update(
                message,
                UpdateExpression="SET expires_at = :expires ADD starts :starts",
                ConditionExpression="attribute_not_exists(starts) OR size(starts) < :most "
                "OR contains(starts, :start)",
                more={
                    ":expires": {"N": str(int(time.time()) + KEPT_SECONDS)},
                    ":most": {"N": str(STARTS_BEFORE_LOST)},
                },
            )
        except PipelineError as error:
            self._note("the start of a message could not be counted", message, error)
            return lambda: None
        return (lambda: self._take_back(message)) if counted else None

    def _take_back(self, message: Message) -> None:
        try:
            self._update(
                message,
                UpdateExpression="DELETE starts :starts",
                ConditionExpression="contains(starts, :start)",
                more={},
            )
        except PipelineError as error:
            self._note("the start of a message could not be taken back", message, error)

    def _update(self, message: Message, *, more: dict[str, Any], **expressions: str) -> bool:
        """Update the message's item; return whether the condition held."""
        start = str(message.receives)
        with translated_errors():
            try:
                self._client().update_item(
                    TableName=self._table,
                    Key={"id": {"S": f"starts#{self._service}#{message.message_id}"}},
                    ExpressionAttributeValues={":starts": {"NS": [start]}, ":start": {"N": start}, **more},
                    **expressions,
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return False
                raise
        return True

    @staticmethod
    def _note(text: str, message: Message, error: PipelineError) -> None:
        logger().warning(
            text,
            extra={"message_id": message.message_id, "receives": message.receives, "cause": error.cause},
        )
