"""The models to which the chatbot sends a cache checkpoint, so that the system prompt is cached (prompt caching).

A checkpoint costs nothing by itself. A prompt shorter than the model's least (512 to 4,096 tokens) is not cached, and
the call succeeds; a model without checkpoints refuses the call. Facts are from AWS's documentation of November 2026.
"""

import re
from typing import Final, Literal, get_args

from infra.environments import Environment
from infra.models import answering
from infra.pricing import asked

Caching = Literal["auto", "on", "off"]
LEAST_TOKENS: Final = 512
"""The shortest prompt that any model caches."""
BYTES_PER_TOKEN: Final = 4
"""An estimate for a text in English; other languages have fewer bytes per token."""
_WITH_CHECKPOINTS: Final = re.compile(
    r"anthropic\.claude-(3-5-haiku|3-7-sonnet|(opus|sonnet|haiku|fable|mythos)-[0-9]).*"
    r"|amazon\.nova-(micro|lite|pro|premier)-v1.*"
)
"""The ids of models that take checkpoints in the system prompt. Others cache by themselves, or not at all."""


def caching(value: str) -> Caching:
    """Return the value of the option `prompt_caching`. Raises ValueError for another text."""
    for choice in get_args(Caching):
        if value == choice:
            return choice  # type: ignore[no-any-return]  # it is one of the Literal's values
    raise ValueError(value)


def cached_models(environment: Environment) -> tuple[str, ...]:
    """Return the ids of the models that get a checkpoint, as the chatbot asks them.

    With `auto`, these are the models that take one, if the prompt is long enough; a profile's ARN takes one if all
    models behind it do. With `on`, all models get one.
    """
    prompt = environment.chatbot.system_prompt
    if not prompt or environment.prompt_caching == "off":
        return ()
    models = [(model_id, answering(model_id, behind)) for _, model_id, behind in asked(environment)]
    if environment.prompt_caching == "auto":
        if len(prompt.encode()) < LEAST_TOKENS * BYTES_PER_TOKEN:
            return ()
        models = [(model_id, names) for model_id, names in models if names and all(map(_takes_one, names))]
    return tuple(dict.fromkeys(model_id for model_id, _ in models))


def _takes_one(model: str) -> bool:
    return bool(_WITH_CHECKPOINTS.fullmatch(model))
