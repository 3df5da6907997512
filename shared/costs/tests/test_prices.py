"""Which price a model has: by profile, by ARN, by region, or as an option states it."""

from typing import Any

import msgspec
import pytest

from shared.costs.facts import facts
from shared.costs.ledger import ledger
from shared.costs.lines import Ledger
from shared.costs.prices import AS_INPUT, EU_WEST_1, PRICE_LISTS, STATED, US_EAST_1, Stated
from shared.costs.tests.support import CHAT, METER, MODEL, record

EU_ARN = "arn:aws:states:eu-central-1:000000000000:execution:machine:p"
APPLICATION = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456"


def of(stored: dict[str, Any]) -> Ledger:
    run = facts(stored)
    assert run is not None
    return ledger(run)


def asked(model_id: str, stated: dict[str, Any] | None = None, **changes: Any) -> Ledger:
    metered = {**record()["metered"], **({"stated": stated} if stated else {})}
    return of(record(stages={"chat": {**CHAT, "model_id": model_id}}, metered=metered, **changes))


def model_nanos(book: Ledger) -> int:
    return book.by("service").get("Model", 0)


def dollars(price_in: int, price_out: int) -> int:
    """Return the nano-dollars of the run's tokens at prices in thousandths of a dollar per million tokens."""
    return 2_000 * price_in + 300 * price_out


@pytest.mark.parametrize(
    "model_id",
    [
        MODEL,
        f"us.{MODEL}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",
        f"arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.{MODEL}",
    ],
)
def test_a_profile_costs_what_its_model_costs(model_id):
    """A profile without a price of its own, and an ARN that names the model, cost what the model costs."""
    book = asked(model_id)
    assert (model_nanos(book), book.unknown) == (dollars(60, 240), ())


@pytest.mark.parametrize(
    ("model_id", "price_in", "price_out"),
    [
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", 1_000, 5_000),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 1_100, 5_500),
    ],
)
def test_a_profile_with_its_own_price_costs_that(model_id, price_in, price_out):
    """A profile of a geography may cost more than the global one."""
    assert model_nanos(asked(model_id)) == dollars(price_in, price_out)


@pytest.mark.parametrize("model_id", [APPLICATION, "zz.unlisted.model-v1:0", "llama3.2", "x", ""])
def test_an_unlisted_model_has_no_price(model_id):
    """An id that is not listed, whatever its form, is unknown and not free."""
    book = asked(model_id)
    assert model_nanos(book) == 0
    assert bool(book.unknown) is bool(model_id)


def test_each_region_has_its_prices():
    """A run in Ireland is counted with Ireland's prices of services and models."""
    arn = "arn:aws:states:eu-west-1:000000000000:execution:machine:p"
    book = asked(f"eu.{MODEL}", execution_arn=arn)
    assert model_nanos(book) == dollars(78, 312)
    assert book.by("service")["DynamoDB"] == 6 * 705
    assert (book.unknown, book.summary()["prices"]) == ((), "eu-west-1 2026-09-01")


def test_another_regions_prices_are_used_and_named():
    """With `prices_of`, a region without a list is counted with the other's, and the record says so."""
    assert asked(f"eu.{MODEL}", execution_arn=EU_ARN).total is None
    book = asked(f"eu.{MODEL}", {"prices_of": "eu-west-1"}, execution_arn=EU_ARN)
    assert (model_nanos(book), book.unknown) == (dollars(78, 312), ())
    assert book.summary()["prices"] == "eu-west-1 2026-09-01; used for eu-central-1"


def test_a_stated_price_precedes_the_list():
    """A stated price is used for its model alone, named in the record, and shown as stated."""
    stated = {"tokens": {MODEL: ["0.5", "1.5"]}}
    book = asked(MODEL, stated)
    assert model_nanos(book) == dollars(500, 1_500)
    assert book.summary()["prices"] == f"us-east-1 2026-09-01; stated price of tokens of {MODEL}"
    assert {line.price.source for line in book.lines if line.service == "Model" and line.price} == {STATED}
    assert model_nanos(asked(f"us.{MODEL}", stated)) == dollars(60, 240)


CACHED = {"cache_read_tokens": 1_000, "cache_write_tokens": 100}


@pytest.mark.parametrize(
    ("model_id", "stated", "read", "written", "as_input"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", None, 110, 1_375, ""),
        (MODEL, None, 15, 60, f"; cache-write tokens of {MODEL} {AS_INPUT}"),
        ("m", {"tokens": {"m": ["2", "9"]}, "cached": {"m": ["0.2", "2.5"]}}, 200, 2_500, ""),
        (
            "m",
            {"tokens": {"m": ["2", "9"]}},
            2_000,
            2_000,
            f"; cache-read tokens of m {AS_INPUT}; cache-write tokens of m {AS_INPUT}",
        ),
    ],
)
def test_tokens_of_a_cache_are_listed_stated_or_count_as_input(model_id, stated, read, written, as_input):
    """Tokens of a cache have a listed or stated price, or count as input tokens, and the record says so."""
    metered = {**record()["metered"], **({"stated": stated} if stated else {})}
    meter = {**METER, **CACHED, "model_id": model_id}
    book = of(record(stages={"chat": meter}, metered=metered))
    assert model_nanos(book) == 1_000 * read + 100 * written
    by_option = f"; stated price of tokens of {model_id}" if stated else ""
    assert book.counted_with == f"us-east-1 2026-09-01{by_option}{as_input}"


def test_tokens_of_a_cache_of_an_unlisted_model_are_unknown():
    """A model without a price has none for its cache either, and the tokens are named once."""
    book = of(record(stages={"chat": {**METER, **CACHED, "model_id": "unlisted.model"}}))
    assert (model_nanos(book), book.unknown) == (0, ("tokens of unlisted.model in us-east-1",))


def test_a_stated_price_without_a_list():
    """Where the region has no list, a stated price counts the tokens, and the rest stays unknown."""
    book = asked(MODEL, {"tokens": {MODEL: ["0.5", "1.5"]}}, execution_arn=EU_ARN)
    assert book.total == model_nanos(book) == dollars(500, 1_500)
    assert book.unknown == ("prices in eu-central-1 on 2026-11-23",)


def test_a_model_behind_an_arn_has_its_price():
    """The ARN of an application inference profile costs what the model behind it costs."""
    assert model_nanos(asked(APPLICATION, {"listed_as": {APPLICATION: f"us.{MODEL}"}})) == dollars(60, 240)


def function_run(stated: dict[str, Any] | None = None, **changes: Any) -> Ledger:
    metered = {
        **record()["metered"],
        "via": changes.pop("via", "bus"),
        **({"stated": stated} if stated else {}),
    }
    meter = {**METER, "model_id": "mine", **changes}
    return of(record(stages={"chat": meter}, chat={"usage": None}, metered=metered))


def test_an_existing_functions_answer_has_a_stated_price():
    """An answer of the existing function costs what the option states, and nothing if a restart recalled it."""
    book = function_run({"answer": "0.002"})
    assert (model_nanos(book), book.unmetered) == (2_000_000, ())
    assert "stated price of answer of mine" in str(book.summary()["prices"])
    assert model_nanos(function_run({"answer": "0.002"}, recalled=True, via="restart")) == 0
    assert (function_run().unmetered, model_nanos(function_run({"answer": "0"}))) == (
        ("chat: tokens of mine",),
        0,
    )
    assert function_run({"answer": "0"}).unmetered == ()


@pytest.mark.parametrize("stated", [{"tokens": {"m": "1"}}, {"prices_of": 5}, {"answer": {}}, ["x"]])
def test_stated_prices_of_another_release_are_ignored(stated):
    """Stated prices in a layout that this release does not know leave the listed ones in force."""
    assert model_nanos(asked(MODEL, stated)) == dollars(60, 240)


def test_stated_prices_survive_the_record():
    """Stated prices are the same after they were written as plain values and read again."""
    stated = Stated(prices_of="us-east-1", tokens={"m": ("1", "2")}, listed_as={"a": "b"}, answer="0.1")
    assert msgspec.convert(msgspec.to_builtins(stated), Stated) == stated
    assert msgspec.to_builtins(Stated()) == {}


def test_lists_are_complete():
    """Each region's list has a price for everything that any list has, and every price is a number."""
    for prices in PRICE_LISTS:
        assert set(prices.prices) == set(US_EAST_1.prices)
        for model in prices.models.values():
            assert 0 < model.input.nanos(1_000_000) < model.output.nanos(1_000_000)
            assert model.cache_read is not None
            assert 0 < model.cache_read.nanos(1_000_000) < model.input.nanos(1_000_000)
    assert all(price.nanos(price.base) >= 0 for price in EU_WEST_1.prices.values())
