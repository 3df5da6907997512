"""Where an answer comes from: Bedrock's Converse, or a chatbot function that exists already.

Each asks once. A second try is Step Functions' business: a client that retries by itself pays again unseen.
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
        """Raises TransientError or PermanentError."""


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
    """Gets `{"user_message", "analysis", "pipeline_id"}`, of a conversation also `history`.

    `function_answer` says what it may return.
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
        if request.history:  # a function that knows no conversations is called as ever
            payload["history"] = request.history
        with translated_errors():
            response = self._client.invoke(FunctionName=self._arn, Payload=msgspec.json.encode(payload))
            answer = response["Payload"].read()
        if response.get("FunctionError"):
            raise TransientError(f"the chatbot function failed ({response['FunctionError']})")
        return function_answer(answer, self._arn.split(":function:")[-1])


def backend(settings: Settings) -> Backend:
    if settings.chatbot_function_arn:
        return ExistingFunction(settings)
    return Bedrock(settings)
