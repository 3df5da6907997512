"""What the region decides: the default model, whether a model can be asked, and whether its cost can be counted."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from infra.environments import Environment
from infra.models import FAMILY, ModelError, check, default_model
from infra.pricing import FALLBACKS, asked, behind_option, price_options, unpriced
from infra.regions import PARTITIONS, partition_of
from services.chatbot.settings import listed
from shared.contracts import limits
from shared.contracts.message import VISIBLE
from shared.settings import OFF


class RegionalError(Exception):
    """An environment's options do not fit its region. The text names the option and says what to write."""


def in_its_region(environment: Environment, *, model_given: bool) -> Environment:
    """Return the environment with its region's default model, unless an option gives one. Raises RegionalError.

    The region must lie in a supported partition, models must be askable from it, and a budget must be able to count
    what a run costs. For the local engine only the list of fallbacks is checked: any model answers there, and costs
    nothing.
    """
    if environment.engine is None:
        _check_partition(environment.region)
    if environment.engine is None and not model_given and not environment.chatbot.chatbot_function_arn:
        environment = _with_default_model(environment)
    _check_fallbacks(environment)
    if environment.engine is not None:
        return environment
    _check_models(environment)
    _check_named(environment)
    _check_prompt(environment)
    _check_prices(environment)
    return environment


def _check_partition(region: str) -> None:
    """Refuse a region of a partition that nothing here was written or checked for."""
    if (partition := partition_of(region)) not in PARTITIONS:
        raise RegionalError(
            f"{region} lies in the partition {partition}, which this project does not support. Choose a commercial "
            "region of AWS or one of GovCloud (US); environments/README.md lists them."
        )


def _with_default_model(environment: Environment) -> Environment:
    model_id = default_model(environment.region)
    if model_id is None:
        raise RegionalError(
            f"The default model, {FAMILY}, does not answer in {environment.region}. Set the option model_id to a "
            "model or inference profile that does (`aws bedrock list-inference-profiles` lists the profiles), or "
            "chatbot_function_arn to a chatbot function of yours."
        )
    return replace(environment, chatbot=msgspec.structs.replace(environment.chatbot, model_id=model_id))


def _check_fallbacks(environment: Environment) -> None:
    """Refuse fallbacks that could never be asked, and facts about models that are no fallbacks."""
    settings = environment.chatbot
    fallbacks = [model_id.strip() for model_id in (settings.fallback_model_ids or "").split(",")]
    if not settings.fallback_model_ids:
        fallbacks = []
    if fallbacks and settings.chatbot_function_arn:
        raise RegionalError(
            f"{FALLBACKS} and chatbot_function_arn are both set, but an existing chatbot function has no fallbacks. "
            f'Leave out one of them ({FALLBACKS} = "off" overrides the general options).'
        )
    if not all(fallbacks):
        raise RegionalError(f"{FALLBACKS} has a comma without a model id beside it. Leave out the comma.")
    if settings.model_id in fallbacks:
        raise RegionalError(f"{FALLBACKS} names {settings.model_id}, which is model_id itself. Leave it out.")
    if repeated := [model_id for model_id in fallbacks if fallbacks.count(model_id) > 1]:
        raise RegionalError(f"{FALLBACKS} names {repeated[0]} more than once. Name each model once.")
    if len(fallbacks) > limits.FALLBACKS:
        raise RegionalError(f"{FALLBACKS} names {len(fallbacks)} models. Name at most {limits.FALLBACKS}.")
    known = {model_id for option, model_id, _ in asked(environment) if option == FALLBACKS}
    for option in (behind_option(FALLBACKS), "price_fallbacks_usd_per_million"):
        for model_id in getattr(environment, option):
            if model_id not in known:
                raise RegionalError(
                    f"{option} names {model_id}, which {FALLBACKS} does not name. Write the id as it is there."
                )


def _check_models(environment: Environment) -> None:
    for option, model_id, behind in asked(environment):
        behind_of = behind_option(option)
        try:
            check(model_id, environment.region, behind, behind_option=behind_of)
        except ModelError as error:
            names = f"{option} and {behind_of} are" if behind else f"{option} is"
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


def _check_prompt(environment: Environment) -> None:
    """Refuse a system prompt that Bedrock would refuse, or that is meant to say that there is none."""
    prompt = environment.chatbot.system_prompt or ""
    if prompt and (not VISIBLE.search(prompt) or prompt.strip().lower() in (OFF, "none", "null")):
        raise RegionalError(f'system_prompt says nothing. Write a prompt, or "{OFF}" to ask without one.')


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
