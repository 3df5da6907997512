"""Price lists by region and date. A price that is not listed is unknown; it is neither guessed nor zero.

When a price changes, add a list with a later `since`; the cost of older runs then stays the same. Free tiers are not
deducted.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from msgspec import Struct

_PICO_DIGITS = 12


@cache
def _picos(usd: str) -> int:
    whole, _, fraction = usd.partition(".")
    return int(whole + fraction.ljust(_PICO_DIGITS, "0"))


class Price(Struct, frozen=True):
    """One price: `usd` for `per` units, as AWS lists it. `base` is how many of the ledger's units make one `unit`."""

    usd: str
    per: int
    unit: str
    page: str
    base: int = 1
    note: str = ""

    def nanos(self, quantity: int, shared_by: int = 1) -> int:
        """Return the nano-dollars for a `shared_by`-th part of `quantity`, in exact integers, rounded half up."""
        divisor = self.per * self.base * shared_by * 1_000
        return (2 * quantity * _picos(self.usd) + divisor) // (2 * divisor)

    def text(self) -> str:
        number = {1: "", 1_000_000: "million "}.get(self.per, f"{self.per:,} ")
        return f"${self.usd} per {number}{self.unit}"

    @property
    def source(self) -> str:
        return f"https://aws.amazon.com/{self.page}/pricing/"


class ModelPrice(Struct, frozen=True):
    """A model's prices per million tokens."""

    input: Price
    output: Price


class PriceList(Struct, frozen=True, kw_only=True):
    """The prices of one region, valid from the day `since` (ISO 8601) until that of a later list."""

    region: str
    since: str
    prices: Mapping[str, Price]
    models: Mapping[str, ModelPrice]


MILLION: Final = 1_000_000
MB_MS: Final = 1_024 * 1_000
"""Megabyte-milliseconds in a gigabyte-second."""
GB: Final = 1_024**3


def _tokens(price_in: str, price_out: str, note: str = "") -> ModelPrice:
    return ModelPrice(
        Price(price_in, MILLION, "input tokens", "bedrock", note=note),
        Price(price_out, MILLION, "output tokens", "bedrock", note=note),
    )


US_EAST_1: Final = PriceList(
    region="us-east-1",
    since="2026-09-01",
    prices={
        "api": Price("3.50", MILLION, "requests (REST)", "api-gateway"),
        "event": Price("1.00", MILLION, "events of 64 KB", "eventbridge"),
        "queue": Price("0.40", MILLION, "requests of 64 KB", "sqs"),
        "transition": Price("25.00", MILLION, "transitions", "step-functions"),
        "invocation": Price("0.20", MILLION, "requests", "lambda"),
        "arm64": Price("0.0000133334", 1, "GB-s (arm64)", "lambda", base=MB_MS),
        "x86_64": Price("0.0000166667", 1, "GB-s (x86_64)", "lambda", base=MB_MS),
        "write": Price("0.625", MILLION, "writes of 1 KB", "dynamodb"),
        "read": Price("0.125", MILLION, "reads of 4 KB", "dynamodb"),
        "logs": Price("0.50", 1, "GB", "cloudwatch", base=GB),
    },
    models={
        "amazon.nova-micro-v1:0": _tokens("0.035", "0.14"),
        "amazon.nova-lite-v1:0": _tokens("0.06", "0.24"),
        "global.amazon.nova-2-lite-v1:0": _tokens("0.30", "2.50", "from one source only"),
        "global.anthropic.claude-haiku-4-5-20251001-v1:0": _tokens("1.00", "5.00"),
        "us.anthropic.claude-haiku-4-5-20251001-v1:0": _tokens("1.10", "5.50", "list price and 10%"),
    },
)

PRICE_LISTS: Final = (US_EAST_1,)


def price_list(region: str, day: str, lists: tuple[PriceList, ...] = PRICE_LISTS) -> PriceList | None:
    """Return the newest list of `region` that is valid on `day` (ISO 8601, a time may follow), or None."""
    valid = [prices for prices in lists if prices.region == region and prices.since <= day[:10]]
    return max(valid, key=lambda prices: prices.since, default=None)


def model_name(model_id: str) -> str:
    """Return the id under which a model is listed; an ARN ends in this id."""
    return model_id.rpartition("/")[2] if model_id.startswith("arn:") else model_id
