"""What the region decides: the default model, whether a model can be asked, and whether its cost can be counted."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from infra.environments import Environment
from infra.models import FAMILY, ModelError, check, default_model
from infra.pricing import asked, unpriced


class RegionalError(Exception):
    """An environment's options do not fit its region. The text names the option and says what to write."""


def in_its_region(environment: Environment, *, model_given: bool) -> Environment:
    """Return the environment with its region's default model, unless an option gives one. Raises RegionalError.

    Models must be askable from the region, and a budget must be able to count what a run costs. For the local engine
    nothing is checked: any model answers there, and costs nothing.
    """
    if environment.engine is not None:
        return environment
    if not model_given and not environment.chatbot.chatbot_function_arn:
        environment = _with_default_model(environment)
    _check_models(environment)
    _check_prices(environment)
    return environment


def _with_default_model(environment: Environment) -> Environment:
    model_id = default_model(environment.region)
    if model_id is None:
        raise RegionalError(
            f"The default model, {FAMILY}, does not answer in {environment.region}. Set the option model_id to a "
            "model or inference profile that does (`aws bedrock list-inference-profiles` lists the profiles), or "
            "chatbot_function_arn to a chatbot function of yours."
        )
    return replace(environment, chatbot=msgspec.structs.replace(environment.chatbot, model_id=model_id))


def _check_models(environment: Environment) -> None:
    for option, model_id, behind in asked(environment):
        behind_option = option.replace("_id", "_behind")
        try:
            check(model_id, environment.region, behind, behind_option=behind_option)
        except ModelError as error:
            names = f"{option} and {behind_option} are" if behind else f"{option} is"
            raise RegionalError(f"In {environment.region}, {names} invalid: {error}.") from error


def _check_prices(environment: Environment) -> None:
    """Refuse half a price, and a budget that could not count what a run costs."""
    for prefix in ("price_", "price_complex_"):
        names = [f"{prefix}{direction}_usd_per_million" for direction in ("input", "output")]
        if len({getattr(environment, name) is None for name in names}) > 1:
            raise RegionalError(f"The options {names[0]} and {names[1]} need each other. Set both of them.")
    missing = unpriced(environment, datetime.now(UTC).date().isoformat())
    if environment.budget_usd_per_day and missing:
        raise RegionalError(
            "budget_usd_per_day is set, but the cost of a run can't be counted, so that the budget would stop "
            f"nothing. {' '.join(missing)}"
        )
