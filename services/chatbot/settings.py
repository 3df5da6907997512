"""What the chatbot is configured with."""

from typing import Annotated

from msgspec import Meta, Struct

SYSTEM_PROMPT = (
    "You are a helpful assistant. Answer the user's message directly and correctly, in the language it is "
    "written in. Say so when you do not know. Use Markdown only where it helps."
)


class Settings(Struct, frozen=True, kw_only=True):
    """Read from the environment. With `chatbot_function_arn` the existing function is asked, not Bedrock.

    `timeout_seconds` is the function's own. `answers_table` stores the answers; without one none is stored.
    """

    model_id: str = "amazon.nova-lite-v1:0"
    model_id_complex: str | None = None
    system_prompt: str = SYSTEM_PROMPT
    max_tokens: Annotated[int, Meta(ge=1, le=8_192)] = 1_024
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0.5
    guardrail_id: str | None = None
    guardrail_version: str = "DRAFT"
    chatbot_function_arn: str | None = None
    answers_table: str | None = None
    timeout_seconds: Annotated[int, Meta(ge=2, le=900)] = 30

    @property
    def read_seconds(self) -> int:
        """How long a model may take. Less than the function: a slow one is reported, not killed with its worker."""
        return max(self.timeout_seconds - 5, self.timeout_seconds // 2)
