"""Models of which some fail, for the tests of failing over."""

from typing import Any

from services.chatbot.backends import Bedrock
from services.chatbot.settings import Settings
from shared.contracts.v1 import ChatAnswer, ChatRequested
from shared.tests.fakes import METADATA, client_error

REQUEST = ChatRequested(user_message="Hi")
THROTTLED = client_error("ThrottlingException", "Converse", 429)
REASON = "Converse answered ThrottlingException (HTTP 429)"
DENIED = client_error("AccessDeniedException", "Converse", 403)
CALL_SECONDS = 24.0


def reply(text: str = "Hello", stop_reason: str = "end_turn") -> dict[str, Any]:
    return {"output": {"message": {"content": [{"text": text}]}}, "stopReason": stop_reason}


class Models:
    """Stands in for Bedrock: each model answers with what `outcomes` has for it, by default a text."""

    def __init__(self, **outcomes: Any) -> None:
        self.outcomes = outcomes
        self.requests: list[dict[str, Any]] = []

    def converse(self, **request: Any) -> Any:
        self.requests.append(request)
        outcome = self.outcomes.get(request["modelId"], reply())
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def asked(self) -> list[str]:
        """The models that were asked since the last look."""
        asked = [request["modelId"] for request in self.requests]
        self.requests.clear()
        return asked


def bedrock(models: Models, **settings: Any) -> Bedrock:
    return Bedrock(Settings(model_id="a", **{"fallback_model_ids": "b, c", **settings}), models)


def ask(models: Models, **settings: Any) -> ChatAnswer:
    return bedrock(models, **settings).ask(REQUEST, METADATA)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
