"""The prices that an environment's options state, and what the ledger could not price without more of them."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from infra.environments import Environment
from infra.models import answering, needs_behind
from shared.costs.prices import PRICE_LISTS, Stated, price_list

PRICE_REGIONS: Final = tuple(dict.fromkeys(prices.region for prices in PRICE_LISTS))
"""The regions that have a price list."""
FALLBACKS: Final = "fallback_model_ids"
DIGITS: Final = 9
"""The most digits of a stated price after the point."""
_NUMBER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]+)?([eE]-?[0-9]{1,2})?")


def dollars(value: str) -> str:
    """Return a price as a plain decimal text, e.g. `0.06`, however TOML has read it. Raises ValueError."""
    if not _NUMBER.fullmatch(value):
        raise ValueError(value)
    price = Decimal(value)
    if price > 10_000 or price != round(price, DIGITS):
        raise ValueError(value)
    return f"{price:f}"


def each_price(value: str) -> dict[str, tuple[str, str]]:
    """Return the prices in a text like `model id=0.06/0.24, …`, by model id. Raises ValueError."""
    prices = {}
    for part in value.split(","):
        model_id, _, pair = part.rpartition("=")
        price_in, _, price_out = pair.partition("/")
        prices[model_id.strip()] = dollars(price_in.strip()), dollars(price_out.strip())
    if not all(prices):
        raise ValueError(value)
    return prices


def listed_region(value: str) -> str:
    """Return the name of a region that has a price list. Raises ValueError for another one."""
    if value not in PRICE_REGIONS:
        raise ValueError(value)
    return value


def asked(environment: Environment) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield each model that the chatbot asks: the option that names it, its id, and the models behind it."""
    settings = environment.chatbot
    if settings.chatbot_function_arn:
        return
    yield "model_id", settings.model_id, environment.model_behind
    if settings.model_id_complex:
        yield "model_id_complex", settings.model_id_complex, environment.model_behind_complex
    for model_id in settings.fallbacks:
        if model_id != settings.model_id_complex:
            yield FALLBACKS, model_id, environment.model_behind_fallbacks.get(model_id, ())


def behind_option(option: str) -> str:
    """Return the option that names the models behind those of the option `option`."""
    return "model_behind_fallbacks" if option == FALLBACKS else option.replace("_id", "_behind")


def stated(environment: Environment) -> Stated:
    """Return the prices that the options state."""
    tokens, cached, listed_as = {}, {}, {}
    for option, model_id, behind in asked(environment):
        if pair := _pair(environment, option, model_id, "input", "output"):
            tokens[model_id] = pair
            if of_cache := _pair(environment, option, model_id, "cache_read", "cache_write"):
                cached[model_id] = of_cache
        elif needs_behind(model_id) and len(behind) == 1:
            listed_as[model_id] = behind[0]
    return Stated(
        prices_of=environment.prices_of,
        tokens=tokens,
        cached=cached,
        listed_as=listed_as,
        answer=environment.price_usd_per_answer if environment.chatbot.chatbot_function_arn else None,
    )


def _pair(
    environment: Environment, option: str, model_id: str, first: str, second: str
) -> tuple[str, str] | None:
    """Return the stated prices of two kinds of a model's tokens; None unless both are. `option` names the model."""
    if option == FALLBACKS:
        return environment.price_fallbacks_usd_per_million.get(model_id) if first == "input" else None
    prices = [getattr(environment, name) for name in price_options(option, first, second)]
    return None if None in prices else (prices[0], prices[1])


def price_options(option: str, *kinds: str) -> list[str]:
    """Return the options that state prices of the model which `option` names."""
    prefix = "price_complex" if option == "model_id_complex" else "price"
    return [f"{prefix}_{kind}_usd_per_million" for kind in kinds]


def unpriced(environment: Environment, day: str) -> list[str]:
    """Return what has no price on `day` (ISO 8601), in sentences that say what to do; none if all can be counted."""
    prices = price_list(environment.prices_of or environment.region, day)
    missing = []
    if prices is None:
        missing.append(
            f"There is no price list for {environment.prices_of or environment.region}. Set prices_of to a region "
            f"whose prices are close ({', '.join(PRICE_REGIONS)}), or add the list in shared/costs/prices.py."
        )
    for option, model_id, behind in asked(environment):
        if prices and stated(environment).of_model(model_id, prices) is None:
            free = " (0 if it is paid for by the hour)" if not answering(model_id, behind) else ""
            missing.append(
                f"{option} = {model_id} has no listed price in {prices.region}. State it with "
                f"{_stating(option, model_id)}{free}."
            )
    if environment.chatbot.chatbot_function_arn and environment.price_usd_per_answer is None:
        missing.append(
            "An existing chatbot function does not report what an answer costs. State it with price_usd_per_answer "
            "(0 if it is paid for elsewhere)."
        )
    return missing


def _stating(option: str, model_id: str) -> str:
    if option == FALLBACKS:
        return f'price_fallbacks_usd_per_million = "{model_id}=INPUT/OUTPUT"'
    return " and ".join(price_options(option, "input", "output"))
