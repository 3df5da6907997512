"""Price lists by region and date. A price that is not listed is unknown; it is neither guessed nor zero.

When a price changes, add a list with a later `since`; the cost of older runs then stays the same. Free tiers are not
deducted. What no list has, a deployment's options may state (`Stated`).
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

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
        """The price's public page; for a stated price, a sentence that says so."""
        return f"https://aws.amazon.com/{self.page}/pricing/" if self.page else STATED


class ModelPrice(Struct, frozen=True):
    """A model's prices per million tokens; those of its prompt cache are None if they are not known."""

    input: Price
    output: Price
    cache_read: Price | None = None
    cache_write: Price | None = None

    def of(self, kind: str) -> Price:
        """Return the price of a kind of tokens. One that is not known counts as that of input tokens, and says so."""
        own: Price | None = getattr(self, kind)
        return own or replace(self.input, note=f"{self.input.note}, {AS_INPUT}".removeprefix(", "))


class PriceList(Struct, frozen=True, kw_only=True):
    """The prices of one region, valid from the day `since` (ISO 8601) until that of a later list."""

    region: str
    since: str
    prices: Mapping[str, Price]
    models: Mapping[str, ModelPrice]

    def of_model(self, model_id: str) -> ModelPrice | None:
        """Return a model's price: that of the inference profile if it is listed, else that of the model itself."""
        name = model_name(model_id)
        return self.models.get(name) or self.models.get(_GEOGRAPHY.sub("", name))


class Stated(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The prices that a deployment's options state. They precede the listed ones.

    `prices_of` is the region whose list is used instead of the run's own. `tokens` has dollars per million input and
    output tokens, by the id with which a model is asked, and `cached` those for tokens that are read from and written
    to its prompt cache; `listed_as` has the id under which such a model is listed.
    `answer` is the price in dollars of one answer of the team's existing chatbot function.
    """

    prices_of: str | None = None
    tokens: Mapping[str, tuple[str, str]] = {}
    listed_as: Mapping[str, str] = {}
    answer: str | None = None
    cached: Mapping[str, tuple[str, str]] = {}

    def of_model(self, model_id: str, prices: PriceList | None) -> ModelPrice | None:
        """Return a model's stated price, else its price in the list `prices`."""
        if model_id in self.tokens:
            return _tokens(*self.tokens[model_id], *self.cached.get(model_id, ()), note=STATED)
        return prices.of_model(self.listed_as.get(model_id, model_id)) if prices else None

    def of_answer(self) -> Price | None:
        return Price(self.answer, 1, "answer", "", note=STATED) if self.answer else None


MILLION: Final = 1_000_000
MB_MS: Final = 1_024 * 1_000
"""Megabyte-milliseconds in a gigabyte-second."""
GB: Final = 1_024**3


STATED: Final = "stated by an option of the environment"
AS_INPUT: Final = "counted as input tokens"
"""The note of a price of cached tokens that is not known."""
LITELLM: Final = "as LiteLLM 1.110.2 lists it"
_GEOGRAPHY: Final = re.compile(r"^(?:global|apac|us-gov|[a-z]{2})\.(?=[a-z0-9-]+\.)")
"""The prefix of an inference profile's id, before the id of its model."""


def _tokens(price_in: str, price_out: str, *cached: str, note: str = "") -> ModelPrice:
    """Return a model's prices; `cached` are those of tokens read from and written to its cache, as far as known."""
    page = "" if note == STATED else "bedrock"
    kinds = ("tokens read from a cache", "tokens written to a cache")
    return ModelPrice(
        Price(price_in, MILLION, "input tokens", page, note=note),
        Price(price_out, MILLION, "output tokens", page, note=note),
        *(
            Price(usd, MILLION, kind, page, note=note or LITELLM)
            for usd, kind in zip(cached, kinds, strict=False)
        ),
    )


def _models(source: str, dollars: Mapping[str, tuple[str, ...]]) -> dict[str, ModelPrice]:
    return {name: _tokens(*prices, note=source) for name, prices in dollars.items()}


_WORLDWIDE: Final = _models(
    LITELLM,
    {
        "global.amazon.nova-2-lite-v1:0": ("0.30", "2.50", "0.075"),
        "global.anthropic.claude-haiku-4-5-20251001-v1:0": ("1.00", "5.00", "0.10", "1.25"),
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0": ("3.00", "15.00", "0.30", "3.75"),
        "global.anthropic.claude-sonnet-4-6": ("3.00", "15.00", "0.30", "3.75"),
        "global.anthropic.claude-sonnet-5": ("2.00", "10.00", "0.20", "2.50"),
    },
)
"""Prices of global inference profiles. A profile of one geography costs a tenth more, or more than that."""


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
        "amazon.nova-micro-v1:0": _tokens("0.035", "0.14", "0.00875"),
        "amazon.nova-lite-v1:0": _tokens("0.06", "0.24", "0.015"),
        "amazon.nova-pro-v1:0": _tokens("0.80", "3.20", "0.20", note=LITELLM),
        **_WORLDWIDE,
        **_models(
            LITELLM,
            {
                "us.amazon.nova-2-lite-v1:0": ("0.33", "2.75", "0.0825"),
                "us.anthropic.claude-haiku-4-5-20251001-v1:0": ("1.10", "5.50", "0.11", "1.375"),
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0": ("3.30", "16.50", "0.33", "4.125"),
                "us.anthropic.claude-sonnet-4-6": ("3.30", "16.50", "0.33", "4.125"),
                "us.anthropic.claude-sonnet-5": ("2.20", "11.00", "0.22", "2.75"),
            },
        ),
    },
)
# Taken as in us-east-1; only for API Gateway did a page of AWS name these regions with the same price.
US_EAST_2: Final = replace(US_EAST_1, region="us-east-2")
US_WEST_2: Final = replace(US_EAST_1, region="us-west-2")
# The services' prices are those of AWS's public price lists of September 2026 (published from the 11th to the 22nd).
EU_WEST_1: Final = PriceList(
    region="eu-west-1",
    since="2026-09-01",
    prices={
        **US_EAST_1.prices,
        "write": Price("0.705", MILLION, "writes of 1 KB", "dynamodb"),
        "read": Price("0.1415", MILLION, "reads of 4 KB", "dynamodb"),
        "logs": Price("0.57", 1, "GB", "cloudwatch", base=GB),
    },
    models={
        **_WORLDWIDE,
        **_models(
            LITELLM,
            {
                "eu.amazon.nova-micro-v1:0": ("0.046", "0.184", "0.0115"),
                "eu.amazon.nova-lite-v1:0": ("0.078", "0.312", "0.0195"),
                "eu.amazon.nova-pro-v1:0": ("1.05", "4.20", "0.2625"),
                "eu.amazon.nova-2-lite-v1:0": ("0.429", "3.597", "0.10725"),
                "eu.anthropic.claude-haiku-4-5-20251001-v1:0": ("1.10", "5.50", "0.11", "1.375"),
                "eu.anthropic.claude-sonnet-4-5-20250929-v1:0": ("3.30", "16.50", "0.33", "4.125"),
                "eu.anthropic.claude-sonnet-4-6": ("3.30", "16.50", "0.33", "4.125"),
                "eu.anthropic.claude-sonnet-5": ("2.20", "11.00", "0.22", "2.75"),
            },
        ),
    },
)

PRICE_LISTS: Final = (US_EAST_1, US_EAST_2, US_WEST_2, EU_WEST_1)


def price_list(region: str, day: str, lists: tuple[PriceList, ...] = PRICE_LISTS) -> PriceList | None:
    """Return the newest list of `region` that is valid on `day` (ISO 8601, a time may follow), or None."""
    valid = [prices for prices in lists if prices.region == region and prices.since <= day[:10]]
    return max(valid, key=lambda prices: prices.since, default=None)


def model_name(model_id: str) -> str:
    """Return the id under which a model is listed; an ARN ends in this id."""
    return model_id.rpartition("/")[2] if model_id.startswith("arn:") else model_id
