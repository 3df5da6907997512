"""The budget of a day: how the records that count for it are found, and what the guard and operators keep.

The end of a run and what it counts for are one write: two attributes put the record into an index of days, from which
a day's sum can be read anew at any time. There is no counter that could miss a run or count one twice.
"""

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from shared.clock import iso
from shared.dynamodb import attributes, to_item

INDEX: Final = "by-day"
DAY, MOMENT = "spent_on", "spent_at"
"""The index's keys: the day (UTC) with the number of a partition, and when the end was recorded."""
AMOUNT, UNKNOWN = "spent_nano_usd", "spent_unknown"
"""What the index holds beside them: nano-dollars as far as they are known, and whether there is more."""
PARTITIONS: Final = 8
NANOS: Final = 1_000_000_000

STATE, ORDERS = "state", "orders"
"""The two items of the budget's table: the guard alone writes the first, operators alone the second."""
KEY: Final = "item"


def day_of(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def counted(pipeline_id: str, cost: Mapping[str, Any] | None, at: datetime) -> dict[str, Any]:
    """The record's attributes by which it counts for the day of `at`. `cost` is the record's own."""
    known = (cost or {}).get("nano_usd")
    lacking = known is None or bool((cost or {}).get("unknown"))
    return {
        DAY: f"{day_of(at)}#{zlib.crc32(pipeline_id.encode()) % PARTITIONS}",
        MOMENT: iso(at),
        AMOUNT: known or 0,
        UNKNOWN: lacking,
    }


def partitions(day: str) -> tuple[str, ...]:
    return tuple(f"{day}#{number}" for number in range(PARTITIONS))


class Spent(Struct, frozen=True, kw_only=True):
    """`unknown` of the runs have a price that is not known: they cost more than `nano_usd` says."""

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
    """What the guard found at its last look. Moments as in records, money in nano-dollars.

    `settled` is what was recorded on `day` before `upto`: it is not read again. `paused` says that the guard has
    disabled the starter's mapping, and so may enable it; `why` is `budget` or `operator`. `starter` is the mapping's
    state in Lambda's words. `limit_nano_usd` is today's, with what operators added; None: none today.
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
    """What an operator said. `hold` lasts until it is taken back; `added_nano_usd`, `unlimited` for `day` alone."""

    hold: bool = False
    day: str = ""
    added_nano_usd: int = 0
    unlimited: bool = False
    by: str = ""
    at: str = ""

    def limit(self, limit_nano_usd: int, day: str) -> int | None:
        """Of that day; None for no limit."""
        if self.day != day:
            return limit_nano_usd
        return None if self.unlimited else limit_nano_usd + self.added_nano_usd


def written(name: str, value: Struct) -> dict[str, Any]:
    """An item of the budget's table."""
    return {KEY: {"S": name}, **to_item(msgspec.to_builtins(value))["M"]}


def state_of(item: Mapping[str, Any] | None) -> State:
    return msgspec.convert(_values(item), State)


def orders_of(item: Mapping[str, Any] | None) -> Orders:
    return msgspec.convert(_values(item), Orders)


def _values(item: Mapping[str, Any] | None) -> dict[str, Any]:
    return attributes({name: value for name, value in (item or {}).items() if name != KEY})
