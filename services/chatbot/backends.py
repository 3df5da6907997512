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
from shared.errors import PermanentError, TransientError

_UNSUBSCRIBED = (
    "the account has no AWS Marketplace subscription to this model yet: somebody with the right to it must ask "
    "the model once, then this run can be redriven"
)
_NO_FORM = "the account has not sent the form on its use case that the model's provider requires"
_PROFILE_ONLY = (
    "the model answers through an inference profile only: set model_id to the id of a profile, e.g. us.…"
)
REASONS = (
    (403, "marketplace", _UNSUBSCRIBED),
    (404, "use case details", _NO_FORM),
    (400, "on-demand throughput", _PROFILE_ONLY),
)
"""What a refusal by Bedrock means, by its HTTP status and words in its text, which may quote the request and is
therefore not passed on. The first calls of a model may succeed for some 15 minutes before a missing subscription is
noticed.
"""


class Backend(Protocol):
    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:
        """Return the answer to a request. Raises TransientError or PermanentError."""


class Bedrock:
    def __init__(self, settings: Settings, connection: Any = None) -> None:
        self._settings = settings
        self._client = connection or client("bedrock-runtime", read_seconds=settings.read_seconds, tries=1)

    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:  # noqa: ARG002 -- the protocol's
        parameters = converse_request(self._settings, request)
        try:
            with translated_errors():
                response = self._client.converse(**parameters)
        except PermanentError as error:
            raise explained(error) from error.__cause__
        return converse_answer(response, parameters["modelId"])


def explained(error: PermanentError) -> PermanentError:
    """Return `error` with its reason added, if Bedrock's text tells it."""
    refusal = error.__cause__
    status = getattr(refusal, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
    text = str(refusal).lower()
    reason = next((reason for code, words, reason in REASONS if code == status and words in text), None)
    return PermanentError(f"{error}: {reason}") if reason else error


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
