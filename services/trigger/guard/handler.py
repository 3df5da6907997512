"""Once a minute: what the day's runs have cost, and whether the starter takes messages from its queue.

It reconciles: each look compares what is with what should be, and so makes good whatever a lost or failed look, a
midnight that was slept through, or a deployment has left behind.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from msgspec import Struct

from services.trigger.guard import core
from shared.aws import client, error_code, translated_errors
from shared.budget import (
    AMOUNT,
    DAY,
    INDEX,
    KEY,
    MOMENT,
    NANOS,
    ORDERS,
    STATE,
    UNKNOWN,
    State,
    orders_of,
    partitions,
    state_of,
    written,
)
from shared.dynamodb import CONDITION_FAILED, attributes
from shared.metrics import BUDGET_LOOKS, BUDGET_PAUSED, BUDGET_SPENT
from shared.observability import emit, flush, logger
from shared.settings import load, once

TRIES = 3


class GuardSettings(Struct, frozen=True, kw_only=True):
    """The environment of the guard's function. `mapping_id` is the UUID of the event source mapping that feeds the
    starter.
    """

    table_name: str
    budget_table: str
    mapping_id: str
    usd_per_day: float


class OvertakenError(Exception):
    """A concurrent run stored a newer state; this one's is stale."""


BUSY = ("ResourceInUseException", "ResourceConflictException")
"""Lambda is still at the last change of the mapping."""


class Guard:
    """Raises TransientError or PermanentError where AWS does; the next look is in a minute."""

    def __init__(self, table: Any, functions: Any, settings: GuardSettings) -> None:
        """`table` and `functions` are the clients of DynamoDB and Lambda."""
        self._table = table
        self._functions = functions
        self._settings = settings
        self._limit = round(settings.usd_per_day * NANOS)

    def look(self, now: datetime) -> State:
        """The state after it, which is stored. Of two looks at once one goes on, and the other begins anew."""
        for _ in range(TRIES - 1):
            with suppress(OvertakenError):
                return self._look(now)
        return self._look(now)

    def _look(self, now: datetime) -> State:
        orders = orders_of(self._item(ORDERS))
        state = self._summed(core.today(state_of(self._item(STATE)), now), now)
        state = msgspec.structs.replace(state, starter=self._starter())
        after, act = core.judge(state, orders, self._limit, now)
        if act == "pause":  # noted first: what was disabled and not noted would not be enabled again
            after = self._stored(msgspec.structs.replace(after, starter="Disabling"))
            return msgspec.structs.replace(after, starter=self._switch(on=False) or after.starter)
        if act == "resume":  # noted last, for the same reason
            switched = self._switch(on=True)
            after = after if switched else msgspec.structs.replace(state, looked_at=after.looked_at)
            after = msgspec.structs.replace(after, starter=switched or state.starter)
        return self._stored(after)

    def _summed(self, state: State, now: datetime) -> State:
        *parts, last = core.ends(state, now)
        for end in parts:
            state = self._stored(core.fold(state, self._entries(state, end), end, now))
        return core.fold(state, self._entries(state, last), last, now)

    def _entries(self, state: State, end: str) -> Iterator[dict[str, Any]]:
        for partition in partitions(state.day):
            more: dict[str, Any] = {}
            while True:
                with translated_errors():
                    page = self._table.query(
                        TableName=self._settings.table_name,
                        IndexName=INDEX,
                        KeyConditionExpression="#day = :day AND #moment BETWEEN :from AND :to",
                        ProjectionExpression="#moment, #amount, #unknown",
                        ExpressionAttributeNames={
                            "#day": DAY,
                            "#moment": MOMENT,
                            "#amount": AMOUNT,
                            "#unknown": UNKNOWN,
                        },
                        ExpressionAttributeValues={
                            ":day": {"S": partition},
                            ":from": {"S": state.upto},
                            ":to": {"S": end},
                        },
                        **more,
                    )
                for item in page["Items"]:
                    yield attributes(item)
                if "LastEvaluatedKey" not in page:
                    break
                more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _item(self, name: str) -> Any:
        with translated_errors():
            answer = self._table.get_item(
                TableName=self._settings.budget_table, Key={KEY: {"S": name}}, ConsistentRead=True
            )
        return answer.get("Item")

    def _stored(self, state: State) -> State:
        """Raises OvertakenError."""
        following = msgspec.structs.replace(state, version=state.version + 1)
        with translated_errors():
            try:
                self._table.put_item(
                    TableName=self._settings.budget_table,
                    Item=written(STATE, following),
                    ConditionExpression="attribute_not_exists(#item) OR #version = :version",
                    ExpressionAttributeNames={"#item": KEY, "#version": "version"},
                    ExpressionAttributeValues={":version": {"N": str(state.version)}},
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    raise OvertakenError from error
                raise
        return following

    def _starter(self) -> str:
        with translated_errors():
            answer = self._functions.get_event_source_mapping(UUID=self._settings.mapping_id)
        return str(answer["State"])

    def _switch(self, *, on: bool) -> str | None:
        """The mapping's state then; None if it can't be changed just now."""
        with translated_errors():
            try:
                answer = self._functions.update_event_source_mapping(
                    UUID=self._settings.mapping_id, Enabled=on
                )
            except ClientError as error:
                if error_code(error) in BUSY:
                    return None
                raise
        logger().info("starter resumed" if on else "starter paused")
        return str(answer["State"])


def report(state: State) -> None:
    emit(BUDGET_PAUSED, int(state.why is not None))
    if state.limit_nano_usd is not None:
        emit(BUDGET_SPENT, 100 * state.spent.nano_usd / state.limit_nano_usd)
    emit(BUDGET_LOOKS)
    flush()


def guard_handler(build: Callable[[], Guard]) -> Callable[[Any, Any], dict[str, Any]]:
    """A Lambda handler; its answer is the state, for an operator who asked for a look."""
    built = once(build)

    def handler(_event: Any, _context: Any) -> dict[str, Any]:
        state = built().look(datetime.now(UTC))
        report(state)
        told: dict[str, Any] = msgspec.to_builtins(state)
        return told

    return handler


def _real() -> Guard:
    return Guard(client("dynamodb"), client("lambda"), load(GuardSettings))


handler = guard_handler(_real)
