"""The API's items in the state table: the secret behind idempotent ids, and how many callers wait for results."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from shared.aws import translated_errors
from shared.dynamodb import attributes, to_item
from shared.errors import PermanentError, PipelineError, TransientError
from shared.observability import logger
from shared.records import conditionally

SECRET = "secret#idempotency"  # noqa: S105 -- the item's key
SECRET_BYTES = 32


class Secret(Struct, frozen=True, kw_only=True):
    """The environment's secret. `made_at` is in seconds since 1970."""

    value: bytes
    made_at: int


class State:
    """The items. `secret` is read once; `waiting` counts callers in windows of `window_seconds`.

    A window is as long as the function's timeout, so that nobody who entered in one window waits beyond the next.
    Whoever leaves is subtracted; a caller whose function died is forgotten with its window.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        max_waiting: int,
        window_seconds: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table = table
        self._max_waiting = max_waiting
        self._window_seconds = window_seconds
        self._now = now
        self._secret: Secret | None = None

    # --- the secret ---

    def secret(self) -> Secret:
        """Return the secret, which the first call of an environment makes.

        Raises TransientError or PermanentError if DynamoDB refuses or fails a call, or the item is damaged.
        """
        if self._secret is None:
            self._secret = self._stored() or self._made()
        return self._secret

    def _stored(self) -> Secret | None:
        item = self._get(SECRET)
        if not item:
            return None
        try:
            value, made_at = bytes.fromhex(item["value"]), int(item["made_at"])
        except (KeyError, TypeError, ValueError):
            value, made_at = b"", 0
        if len(value) != SECRET_BYTES:
            raise PermanentError(
                f"The item {SECRET} of the state table is damaged. Restore it from a backup."
            )
        return Secret(value=value, made_at=made_at)

    def _made(self) -> Secret:
        """Store a new secret, unless another process was faster: then return that one."""
        secret = Secret(value=os.urandom(SECRET_BYTES), made_at=int(self._now()))
        item = {"id": SECRET, "value": secret.value.hex(), "made_at": secret.made_at}
        if conditionally(
            self._client.put_item,
            TableName=self._table,
            Item=to_item(item)["M"],
            ConditionExpression="attribute_not_exists(id)",
        ):
            return secret
        stored = self._stored()
        if stored is None:
            raise TransientError(f"The item {SECRET} of the state table was there and is gone.")
        return stored

    # --- who waits ---

    @contextmanager
    def waiting(self) -> Iterator[bool]:
        """Yield whether the caller may wait: fewer than `max_waiting` do. It is counted until the block ends.

        If the table cannot be reached, nobody may wait.
        """
        window = self._entered()
        try:
            yield window is not None
        finally:
            if window is not None:
                self._leave(window)

    def _entered(self) -> str | None:
        """Count the caller in the present window, and return the window's key; None if too many wait."""
        number = int(self._now() // self._window_seconds)
        window = f"waiting#{number}"
        try:
            # Nobody enters the window before this one any more: what is read of it can only shrink.
            limit = self._max_waiting - int(self._get(f"waiting#{number - 1}").get("waiting", 0))
            if limit > 0 and self._count(
                window,
                1,
                condition="attribute_not_exists(#waiting) OR #waiting < :limit",
                expires_at=(number + 2) * self._window_seconds,
                limit=limit,
            ):
                return window
        except PipelineError as error:
            logger().warning("nobody can wait", extra={"error": error.NAME, "cause": error.cause})
        return None

    def _leave(self, window: str) -> None:
        try:
            self._count(window, -1, condition="#waiting > :limit", limit=0)
        except PipelineError as error:
            logger().warning("a place to wait stays taken", extra={"error": error.NAME, "cause": error.cause})

    def _count(
        self, window: str, change: int, *, condition: str, limit: int, expires_at: int | None = None
    ) -> bool:
        """Add `change` to the window's count if the condition holds; return whether it did."""
        names, values = {"#waiting": "waiting"}, {":change": change, ":limit": limit}
        update = "ADD #waiting :change"
        if expires_at is not None:
            update = f"SET #expires_at = :expires_at {update}"
            names["#expires_at"] = "expires_at"
            values[":expires_at"] = expires_at
        return conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"id": {"S": window}},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_item(values)["M"],
        )

    # --- calls ---

    def _get(self, key: str) -> dict[str, Any]:
        """Return an item, read consistently; it is empty if there is none."""
        with translated_errors():
            answer = self._client.get_item(TableName=self._table, Key={"id": {"S": key}}, ConsistentRead=True)
        return attributes(answer.get("Item") or {})
