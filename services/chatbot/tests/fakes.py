"""A double of both backends' clients, and a conversation, for the chatbot's tests."""

from typing import Any

from shared.contracts.v1 import Turn

HISTORY = (Turn(role="user", text="Who are you?"), Turn(role="assistant", text="A pipeline."))


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
