"""Doubles of both backends' clients, with requests and answers, for the chatbot's tests."""

from typing import Any

from msgspec.structs import replace

from services.chatbot.settings import Settings
from shared.contracts.v1 import Analysis, Turn
from shared.tests.samples import ANALYSIS

HISTORY = (Turn(role="user", text="Who are you?"), Turn(role="assistant", text="A pipeline."))
SETTINGS = Settings(model_id="small", model_id_complex="large", max_tokens=1_000, temperature=0.7)


class FakeModel:
    """Answers every call with `response`, or raises it, and keeps the requests."""

    def __init__(self, response: Any = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.response = response

    def converse(self, **request: Any) -> Any:
        self.requests.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response

    invoke = converse


def analysis(complexity: Any, *, has_code: bool = False) -> Analysis:
    return replace(ANALYSIS, complexity=complexity, has_code=has_code)


def converse(*texts: str, stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text} for text in texts]}},
        "stopReason": stop,
        "usage": {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30},
        **more,
    }
