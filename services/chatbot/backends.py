"""The two backends: Bedrock's Converse, and the team's existing chatbot function.

Each backend makes one call. Retries belong to Step Functions: a client that retried by itself would pay again unseen.
"""

from typing import Any, Protocol

import msgspec

from services.chatbot.core import converse_answer, converse_request, function_answer
from services.chatbot.settings import Settings
from shared.aws import client, translated_errors
from shared.contracts.envelope import Metadata
from shared.contracts.v1 import ChatAnswer, ChatRequested
from shared.errors import TransientError


class Backend(Protocol):
    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:
        """Return the answer to a request. Raises TransientError or PermanentError."""


class Bedrock:
    def __init__(self, settings: Settings, connection: Any = None) -> None:
        self._settings = settings
        self._client = connection or client("bedrock-runtime", read_seconds=settings.read_seconds, tries=1)

    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:  # noqa: ARG002 -- the protocol's
        parameters = converse_request(self._settings, request)
        with translated_errors():
            response = self._client.converse(**parameters)
        return converse_answer(response, parameters["modelId"])


class ExistingFunction:
    """The team's chatbot function, which gets `{"user_message", "analysis", "pipeline_id"}`, and `history` if any.

    `function_answer` lists the answers that it may return.
    """

    def __init__(self, settings: Settings, connection: Any = None) -> None:
        self._arn = str(settings.chatbot_function_arn)
        self._client = connection or client("lambda", read_seconds=settings.read_seconds, tries=1)

    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:
        payload: dict[str, Any] = {
            "user_message": request.user_message,
            "analysis": request.analysis,
            "pipeline_id": metadata.pipeline_id,
        }
        if request.history:  # a function that supports no conversations gets the same fields as before
            payload["history"] = request.history
        with translated_errors():
            response = self._client.invoke(FunctionName=self._arn, Payload=msgspec.json.encode(payload))
            answer = response["Payload"].read()
        if response.get("FunctionError"):
            raise TransientError(f"The chatbot function failed ({response['FunctionError']}).")
        return function_answer(answer, self._arn.split(":function:")[-1])


def backend(settings: Settings) -> Backend:
    if settings.chatbot_function_arn:
        return ExistingFunction(settings)
    return Bedrock(settings)
