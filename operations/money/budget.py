"""The daily budget: its state, and an operator's orders to its guard."""

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
"""The guard counts as silent after this time; it runs once a minute."""
EARLY = timedelta(minutes=15)
"""No projection is made in this first part of a day."""

Standing = Literal["running", "paused by the budget", "paused by an operator", "disabled by hand"]


class Budget(Struct, frozen=True, kw_only=True):
    """The state of today's budget; amounts are in nano-dollars.

    `limit_nano_usd` is today's limit with additions; None: no limit today. `at_least`: the cost of
    some runs is not fully known. `projected_nano_usd` is today's total at the present pace; None while it is too
    early to tell. `resumes_at` is the end of a pause by the budget, else None. `silent`: the guard has not run for
    five minutes, so the state may be outdated.
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
    """Read the state of the budget. Raises NotDeployedError if the environment has none."""
    table, limit = _address(target, TABLE), _address(target, LIMIT)
    state = state_of(_item(target, table, STATE))
    orders = orders_of(_item(target, table, ORDERS))
    return described(state, orders, round(float(limit) * NANOS), now or datetime.now(UTC))


def described(state: State, orders: Orders, per_day_nano_usd: int, now: datetime) -> Budget:
    """Return today's budget from the guard's state and the orders (pure); an earlier day's state counts as zero."""
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
    """Return a sentence if the starter is paused or disabled; None if it runs or its state can't be read."""
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
    return f"No new runs are started: {standing}{ends.get(standing, '')}. Messages wait in the queue."


def hold(target: Target) -> Budget:
    """Pause the starter until `resume`."""
    return _order(target, lambda orders: msgspec.structs.replace(orders, hold=True))


def resume(target: Target, *, for_today: bool = False, add_nano_usd: int = 0) -> Budget:
    """Resume the starter; `for_today` removes the limit until midnight (UTC), `add_nano_usd` raises it.

    Raises RefusedError if neither is given and the daily budget is spent, if another operator has just given an
    order, or if the guard failed.
    """
    before = read_budget(target)
    if not for_today and not add_nano_usd and before.share is not None and before.share >= 1:
        raise RefusedError(
            "The daily budget is spent. Give --add USD to raise it, or --for-today to lift the limit until 00:00 UTC."
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
    """Write the operator's order and run the guard at once; otherwise the guard runs within a minute."""
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
            raise RefusedError(
                "Another operator gave an order just now. See it with `pipeline budget`."
            ) from error
    look_now(target)
    return read_budget(target)


def look_now(target: Target) -> State:
    """Run the guard and return its state. Raises RefusedError if the guard failed."""
    with translated("run the budget's guard at once (it runs by itself within a minute)"):
        answer = target.client("lambda").invoke(FunctionName=_address(target, GUARD))
        payload = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise RefusedError(
            f"The order is written, but the guard failed: {payload.get('errorMessage')}. It runs again in a minute."
        )
    return msgspec.convert(payload, State)


def _address(target: Target, path: str) -> str:
    address = target.addresses.values.get(path)
    if address is None:
        raise NotDeployedError(
            f"Environment {target.env!r} has no budget. Set `budget_usd_per_day` in "
            f"environments/{target.env}.toml, and deploy."
        )
    return address


def _item(target: Target, table: str, name: str) -> Any:
    with translated("read the budget"):
        answer = target.client("dynamodb").get_item(
            TableName=table, Key={KEY: {"S": name}}, ConsistentRead=True
        )
    return answer.get("Item")
