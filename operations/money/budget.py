"""The day's budget: how it stands, and what an operator orders."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from botocore.exceptions import ClientError
from msgspec import Struct

from operations.aws_errors import translated
from operations.errors import NotDeployedError, OperationError, RefusedError
from operations.target import Target
from shared.budget import (
    KEY,
    NANOS,
    ORDERS,
    STATE,
    Orders,
    Spent,
    State,
    day_of,
    orders_of,
    state_of,
    written,
)
from shared.contracts.record import iso
from shared.dynamodb import CONDITION_FAILED

TABLE, GUARD, LIMIT = "budget/table", "budget/guard", "budget/usd-per-day"
SILENT_AFTER = timedelta(minutes=5)
"""The guard looks once a minute."""
EARLY = timedelta(minutes=15)
"""A projection from less of a day says nothing."""

Standing = Literal["running", "paused by the budget", "paused by an operator", "disabled by hand"]


class Budget(Struct, frozen=True, kw_only=True):
    """How today's budget stands, money in nano-dollars.

    `limit_nano_usd` is today's, with what was added; None: none today. `at_least`: some runs cost more than is known.
    `projected_nano_usd` is the day's end at today's pace; None where it is too early to tell. `resumes_at` is None
    where no time is set. `silent`: the guard has not looked for minutes, so that all this may be old.
    """

    day: str
    standing: Standing
    since: str | None
    resumes_at: str | None
    spent_nano_usd: int
    runs: int
    unknown_runs: int
    at_least: bool
    per_day_nano_usd: int
    limit_nano_usd: int | None
    share: float | None
    projected_nano_usd: int | None
    orders: Orders
    starter: str
    looked_at: str | None
    silent: bool


def read_budget(target: Target, now: datetime | None = None) -> Budget:
    """Raises NotDeployedError where there is no budget."""
    table, limit = _address(target, TABLE), _address(target, LIMIT)
    state = state_of(_item(target, table, STATE))
    orders = orders_of(_item(target, table, ORDERS))
    return described(state, orders, round(float(limit) * NANOS), now or datetime.now(UTC))


def described(state: State, orders: Orders, per_day_nano_usd: int, now: datetime) -> Budget:
    """Pure. What was found on an earlier day says nothing of today's money."""
    day = day_of(now)
    spent = state.spent if state.day == day else Spent()
    limit = orders.limit(per_day_nano_usd, day)
    standing = standing_of(state)
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    passed = now - (midnight - timedelta(days=1))
    looked_at = datetime.fromisoformat(state.looked_at) if state.looked_at else None
    return Budget(
        day=day,
        standing=standing,
        since=state.since,
        resumes_at=iso(midnight) if standing == "paused by the budget" else None,
        spent_nano_usd=spent.nano_usd,
        runs=spent.runs,
        unknown_runs=spent.unknown,
        at_least=bool(spent.unknown),
        per_day_nano_usd=per_day_nano_usd,
        limit_nano_usd=limit,
        share=spent.nano_usd / limit if limit else None,
        projected_nano_usd=round(spent.nano_usd * (timedelta(days=1) / passed)) if passed > EARLY else None,
        orders=orders,
        starter=state.starter,
        looked_at=state.looked_at or None,
        silent=looked_at is None or now - looked_at > SILENT_AFTER,
    )


def standing_of(state: State) -> Standing:
    if state.why:
        return "paused by an operator" if state.why == "operator" else "paused by the budget"
    return "disabled by hand" if state.starter.startswith("Disabl") else "running"


def notice(target: Target) -> str | None:
    """A sentence where the starter is paused, for commands that are about something else: they work without it."""
    if TABLE not in target.addresses.values:
        return None
    try:
        standing = standing_of(state_of(_item(target, _address(target, TABLE), STATE)))
    except OperationError:
        return None
    ends = {
        "paused by the budget": " until 00:00 UTC",
        "paused by an operator": " until `pipeline budget resume`",
    }
    if standing == "running":
        return None
    return f"Nothing new is started: {standing}{ends.get(standing, '')}. Messages wait in the queue."


def hold(target: Target) -> Budget:
    """Pauses the starter until `resume`."""
    return _order(target, lambda orders: msgspec.structs.replace(orders, hold=True))


def resume(target: Target, *, for_today: bool = False, add_nano_usd: int = 0) -> Budget:
    """Takes back a hold; `for_today` there is no limit until midnight (UTC), or today's is higher by an amount.

    Raises RefusedError where neither is said and the day's budget is spent.
    """
    before = read_budget(target)
    if not for_today and not add_nano_usd and before.share is not None and before.share >= 1:
        raise RefusedError(
            "The day's budget is spent. Say how much more: --add USD, or --for-today for no limit until 00:00 UTC."
        )

    def ordered(orders: Orders) -> Orders:
        today = (
            orders
            if orders.day == before.day
            else msgspec.structs.replace(orders, day=before.day, added_nano_usd=0, unlimited=False)
        )
        return msgspec.structs.replace(
            today,
            hold=False,
            unlimited=today.unlimited or for_today,
            added_nano_usd=today.added_nano_usd + add_nano_usd,
        )

    return _order(target, ordered)


def _order(target: Target, change: Any) -> Budget:
    """Writes what the operator said, and lets the guard look at once. Without the right to that it takes a minute."""
    table = _address(target, TABLE)
    before = orders_of(_item(target, table, ORDERS))
    now = msgspec.structs.replace(change(before), by=target.describe().caller, at=iso(datetime.now(UTC)))
    with translated("write the order"):
        try:
            target.client("dynamodb").put_item(
                TableName=table,
                Item=written(ORDERS, now),
                ConditionExpression="attribute_not_exists(#item) OR #at = :before",
                ExpressionAttributeNames={"#item": KEY, "#at": "at"},
                ExpressionAttributeValues={":before": {"S": before.at}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != CONDITION_FAILED:
                raise
            raise RefusedError("Somebody else gave an order just now. Look: pipeline budget") from error
    look_now(target)
    return read_budget(target)


def look_now(target: Target) -> State:
    """The guard's state after a look. Raises RefusedError if it could not do what it should."""
    with translated("ask the guard to look at once; it looks within a minute"):
        answer = target.client("lambda").invoke(FunctionName=_address(target, GUARD))
        told = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise RefusedError(
            f"The order is written, but the guard failed: {told.get('errorMessage')}. It looks again in a minute."
        )
    return msgspec.convert(told, State)


def _address(target: Target, path: str) -> str:
    found = target.addresses.values.get(path)
    if found is None:
        raise NotDeployedError(
            f"Environment {target.env!r} has no budget. Deploy one: `budget_usd_per_day` in infra/environments.py, "
            "or in cdk.json's context."
        )
    return found


def _item(target: Target, table: str, name: str) -> Any:
    with translated("read the budget"):
        answer = target.client("dynamodb").get_item(
            TableName=table, Key={KEY: {"S": name}}, ConsistentRead=True
        )
    return answer.get("Item")
