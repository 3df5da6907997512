"""The chatbot's settings."""

from typing import Annotated

from msgspec import Meta, Struct

SYSTEM_PROMPT = (
    "You are a helpful assistant. Answer the user's message directly and correctly, in the language it is "
    "written in. Say so when you do not know. Use Markdown only where it helps."
)


class Settings(Struct, frozen=True, kw_only=True):
    """The environment of the chatbot's function.

    A deployment sets `model_id`, by default to the id by which this model answers in its region. If
    `chatbot_function_arn` is set, the team's existing chatbot function is invoked instead of Bedrock.
    `temperature` and `system_prompt` are None if they are switched off, for models that refuse them. If only some of
    the models do, `models_without_temperature` and `models_without_system_prompt` name these, and `cached_models`
    those that get a cache checkpoint after the system prompt. `fallback_model_ids` are the models to ask in turn if
    the chosen one is unavailable. Each of these is a list of ids, separated by commas.
    `timeout_seconds` is the timeout of this service's function, not of the team's. Up to `retries_after_timeout`
    retries may follow a call that timed out, which may be billed. Without `answers_table`, answers are not stored.
    """

    model_id: str = "amazon.nova-lite-v1:0"
    model_id_complex: str | None = None
    fallback_model_ids: Annotated[str, Meta(description="model ids, separated by commas")] | None = None
    system_prompt: str | None = SYSTEM_PROMPT
    max_tokens: Annotated[int, Meta(ge=1, le=128_000)] = 1_024
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = 0.5
    models_without_temperature: Annotated[str, Meta(description="model ids, separated by commas")] | None = (
        None
    )
    models_without_system_prompt: (
        Annotated[str, Meta(description="model ids, separated by commas")] | None
    ) = None
    cached_models: str | None = None
    guardrail_id: str | None = None
    guardrail_version: str = "DRAFT"
    chatbot_function_arn: str | None = None
    answers_table: str | None = None
    timeout_seconds: Annotated[int, Meta(ge=2, le=900)] = 30
    retries_after_timeout: Annotated[int, Meta(ge=0, le=3)] = 0

    def asks_with(self, parameter: str, model_id: str) -> bool:
        """Tell whether a model is asked with `temperature` or `system_prompt`, which some models refuse."""
        return model_id not in listed(getattr(self, f"models_without_{parameter}"))

    @property
    def read_seconds(self) -> int:
        """The longest time for a model call: less than the function's timeout, so that a slow model is reported."""
        return max(self.timeout_seconds - 5, self.timeout_seconds // 2)

    @property
    def fallbacks(self) -> tuple[str, ...]:
        return listed(self.fallback_model_ids)


def listed(ids: str | None) -> tuple[str, ...]:
    """Return the ids in a list that is separated by commas."""
    return tuple(filter(None, map(str.strip, (ids or "").split(","))))
