"""The Lambda handler of the guard: once a minute, sums the day's cost and pauses or resumes the starter.

Each invocation compares the actual state with the intended one, and so corrects what a failed invocation, a midnight
without one, or a deployment has left behind.
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
    """A concurrent invocation stored a newer state; the state of this invocation is stale."""


class NoIndexError(Exception):
    """The records have no index of days: the budget is being taken away, the platform's stack first, or cannot count.

    It is raised to the end, so that a budget that can't count looks like a failed guard and not like a kept budget.
    """


BUSY = ("ResourceInUseException", "ResourceConflictException")
"""The errors while Lambda is still making an earlier change to the mapping."""


class Guard:
    """The guard. Raises TransientError or PermanentError if a call to AWS fails; it runs again after a minute."""

    def __init__(self, table: Any, functions: Any, settings: GuardSettings) -> None:
        """`table` and `functions` are the clients of DynamoDB and Lambda."""
        self._table = table
        self._functions = functions
        self._settings = settings
        self._limit = round(settings.usd_per_day * NANOS)

    def look(self, now: datetime) -> State:
        """Look once, store the new state and return it. Of two concurrent invocations, one starts again."""
        for _ in range(TRIES - 1):
            with suppress(OvertakenError):
                return self._look(now)
        return self._look(now)

    def _look(self, now: datetime) -> State:
        orders = orders_of(self._item(ORDERS))
        state = core.today(state_of(self._item(STATE)), now)
        try:
            state = self._summed(state, now)
        except NoIndexError:
            state = msgspec.structs.replace(state, starter=self._starter())
            self._apply(state, *core.without_budget(state, now))
            raise
        state = msgspec.structs.replace(state, starter=self._starter())
        return self._apply(state, *core.decide(state, orders, self._limit, now))

    def _apply(self, state: State, after: State, action: core.Action | None) -> State:
        """Switch the starter if `action` says so, and store the new state, which is `after` if that succeeds."""
        if (
            action == "pause"
        ):  # stored before the change: the guard enables only what its state says it disabled
            after = self._stored(msgspec.structs.replace(after, starter="Disabling"))
            return msgspec.structs.replace(after, starter=self._switch(on=False) or after.starter)
        if action == "resume":  # stored after the change, for the same reason
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
                page = self._query(
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

    def _query(self, **conditions: Any) -> Any:
        """Return a page of the index of days. Raises NoIndexError, but not for a new index that is not filled yet."""
        with translated_errors():
            try:
                return self._table.query(TableName=self._settings.table_name, IndexName=INDEX, **conditions)
            except ClientError as error:
                text = str(error.response["Error"].get("Message", ""))
                absent = "does not have the specified index" in text
                if absent or error_code(error) == "ResourceNotFoundException":
                    raise NoIndexError(f"The index {INDEX} does not exist") from error
                raise

    def _item(self, name: str) -> Any:
        with translated_errors():
            answer = self._table.get_item(
                TableName=self._settings.budget_table, Key={KEY: {"S": name}}, ConsistentRead=True
            )
        return answer.get("Item")

    def _stored(self, state: State) -> State:
        """Store `state` as the next version, and return it. Raises OvertakenError."""
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
        """Enable or disable the mapping; return its new state, or None if it can't be changed at the moment."""
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
    """Return the Lambda handler. It answers with the state, for an operator who invoked the guard."""
    built = once(build)

    def handler(_event: Any, _context: Any) -> dict[str, Any]:
        state = built().look(datetime.now(UTC))
        report(state)
        answer: dict[str, Any] = msgspec.to_builtins(state)
        return answer

    return handler


def _real() -> Guard:
    return Guard(client("dynamodb"), client("lambda"), load(GuardSettings))


handler = guard_handler(_real)
