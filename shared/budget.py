"""The daily budget: the index of records by day, and the items that the guard and operators store.

The write that ends a run also stores its cost and the two keys of the index of days. A day's sum can therefore be
read again at any time; there is no counter that could miss a run or count one twice. A run that is restarted or
redriven is in the index once, with the cost and the day of its latest end.
"""

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from shared.contracts.record import iso
from shared.dynamodb import attributes, to_item

INDEX: Final = "by-day"
DAY, MOMENT = "spent_on", "spent_at"
"""The index's keys: the day (UTC) with the number of a partition, and the time when the run's end was recorded."""
AMOUNT, UNKNOWN = "spent_nano_usd", "spent_unknown"
"""The index's other attributes: the known cost in nano-dollars, and whether part of the cost is unknown."""
PARTITIONS: Final = 8
NANOS: Final = 1_000_000_000

STATE, ORDERS = "state", "orders"
"""The two items of the budget's table: only the guard writes the first, only operators write the second."""
KEY: Final = "item"


def day_of(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def budget_fields(pipeline_id: str, cost: Mapping[str, Any] | None, at: datetime) -> dict[str, Any]:
    """Return the attributes that put a record into the index under the day of `at`. `cost` is the record's field."""
    nano_usd = (cost or {}).get("nano_usd")
    incomplete = nano_usd is None or bool((cost or {}).get("unknown"))
    return {
        DAY: f"{day_of(at)}#{zlib.crc32(pipeline_id.encode()) % PARTITIONS}",
        MOMENT: iso(at),
        AMOUNT: nano_usd or 0,
        UNKNOWN: incomplete,
    }


def partitions(day: str) -> tuple[str, ...]:
    return tuple(f"{day}#{number}" for number in range(PARTITIONS))


class Spent(Struct, frozen=True, kw_only=True):
    """The cost of some runs. `unknown` counts those with a missing price: they cost more than `nano_usd` includes."""

    nano_usd: int = 0
    runs: int = 0
    unknown: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            nano_usd=self.nano_usd + other.nano_usd,
            runs=self.runs + other.runs,
            unknown=self.unknown + other.unknown,
        )


class State(Struct, frozen=True, kw_only=True):
    """The state of the guard after its last run. Times as in records, money in nano-dollars.

    `settled` sums the runs recorded on `day` before `upto`, which are not read again. `paused` is true while the
    starter's mapping is disabled by the guard, which may therefore enable it; `why` is `budget` or `operator`.
    `starter` is the mapping's state in Lambda. `limit_nano_usd` is today's limit with what operators added; None
    means no limit today.
    """

    version: int = 0
    day: str = ""
    upto: str = ""
    settled: Spent = Spent()
    spent: Spent = Spent()
    limit_nano_usd: int | None = None
    paused: bool = False
    why: str | None = None
    since: str | None = None
    starter: str = ""
    looked_at: str = ""


class Orders(Struct, frozen=True, kw_only=True):
    """An operator's orders. `hold` lasts until revoked; `added_nano_usd` and `unlimited` apply to `day` only."""

    hold: bool = False
    day: str = ""
    added_nano_usd: int = 0
    unlimited: bool = False
    by: str = ""
    at: str = ""

    def limit(self, limit_nano_usd: int, day: str) -> int | None:
        """Return the limit of `day`, given the configured one; None means no limit."""
        if self.day != day:
            return limit_nano_usd
        return None if self.unlimited else limit_nano_usd + self.added_nano_usd


def written(name: str, value: Struct) -> dict[str, Any]:
    """Return `value` as the item `name` of the budget's table."""
    return {KEY: {"S": name}, **to_item(msgspec.to_builtins(value))["M"]}


def state_of(item: Mapping[str, Any] | None) -> State:
    return msgspec.convert(_values(item), State)


def orders_of(item: Mapping[str, Any] | None) -> Orders:
    return msgspec.convert(_values(item), Orders)


def _values(item: Mapping[str, Any] | None) -> dict[str, Any]:
    return attributes({name: value for name, value in (item or {}).items() if name != KEY})
