"""What the region decides: the default model, whether a model can be asked, and whether its cost can be counted."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from infra.environments import Environment
from infra.models import FAMILY, ModelError, check, default_model
from infra.pricing import asked, price_options, unpriced
from services.chatbot.settings import listed


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
    _check_named(environment)
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


def _check_named(environment: Environment) -> None:
    """Refuse an id in a list of models that the chatbot does not ask, as a misspelt one has no effect."""
    models = [model_id for _, model_id, _ in asked(environment)]
    for option in ("models_without_temperature", "models_without_system_prompt"):
        for name in listed(getattr(environment.chatbot, option)):
            if models and name not in models:
                raise RegionalError(
                    f"{option} names {name}, which the chatbot does not ask. Write one of: {', '.join(models)}."
                )


def _check_prices(environment: Environment) -> None:
    """Refuse half a price, and a budget that could not count what a run costs."""
    for option in ("model_id", "model_id_complex"):
        names = price_options(option, "input", "output", "cache_read", "cache_write")
        given = [getattr(environment, name) is not None for name in names]
        for first, second in ((0, 1), (2, 3)):
            if given[first] != given[second]:
                raise RegionalError(
                    f"The options {names[first]} and {names[second]} need each other. Set both."
                )
        if given[2] and not given[0]:
            raise RegionalError(
                f"The options {names[2]} and {names[3]} need {names[0]} and {names[1]}. Set all."
            )
    missing = unpriced(environment, datetime.now(UTC).date().isoformat())
    if environment.budget_usd_per_day and missing:
        raise RegionalError(
            "budget_usd_per_day is set, but the cost of a run can't be counted, so that the budget would stop "
            f"nothing. {' '.join(missing)}"
        )
