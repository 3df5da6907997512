"""The two backends: Bedrock's Converse, and the team's existing chatbot function.

Each backend makes one call. Retries belong to Step Functions: a client that retried by itself would pay again unseen.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from botocore.exceptions import ClientError

from services.chatbot.core import (
    converse_answer,
    converse_request,
    function_answer,
    function_error,
)
from services.chatbot.settings import Settings
from shared.aws import client, translated_errors
from shared.contracts.envelope import Metadata
from shared.contracts.v1 import ChatAnswer, ChatRequested
from shared.errors import PermanentError, PipelineError, TransientError, is_transient
from shared.settings import OFF

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

_CACHE = re.compile(r"cache ?point|prompt caching")
"""Words of a refusal of a cache checkpoint."""
_OPTIONAL = {"temperature": "temperature", "system": "system_prompt"}
"""The parameters that some models refuse, with their options."""


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
        except (TransientError, PermanentError) as error:
            raise refusal(error, parameters) from error.__cause__
        return converse_answer(response, parameters["modelId"])


def refusal(error: PipelineError, parameters: Mapping[str, Any]) -> PipelineError:
    """Return the error to raise for a failed Converse call.

    A refusal of what some models do not take names the option that leaves it out. AWS's text is only searched for its
    name, as it may quote the request. An error that the model itself reported is judged by the model's status.
    """
    cause = error.__cause__
    answer: Mapping[str, Any] = cause.response if isinstance(cause, ClientError) else {}
    status, problem = answer.get("originalStatusCode"), answer.get("Error", {})
    if isinstance(status, int) and 400 <= status < 500 and not is_transient("", status):
        return PermanentError(f"{error}; the model answered HTTP {status}")
    refused = problem.get("Code") in ("ValidationException", "AccessDeniedException")
    what = remedy(str(problem.get("Message", "")), parameters) if refused else None
    if what is None:
        return explained(error) if isinstance(error, PermanentError) else error
    return PermanentError(f"{error}: the model does not take a part of the request. {what}")


def remedy(text: str, parameters: Mapping[str, Any]) -> str | None:
    """Return how to leave out what a model refused of a request, by AWS's text; None if it refused something else."""
    text = text.lower()
    checkpoint = any("cachePoint" in block for block in parameters.get("system", ()))
    if checkpoint and _CACHE.search(text):
        return f'Set prompt_caching = "{OFF}" in the environment\'s file, and deploy the chatbot.'
    sent = {"temperature": parameters["inferenceConfig"], "system": parameters}
    named = [name for key, name in _OPTIONAL.items() if key in sent[key] and key in text]
    if not named or "authorized" in text:
        return None
    options = " and ".join(f'{name} = "{OFF}"' for name in named)
    lists = " and ".join(f"models_without_{name}" for name in named)
    return (
        f"Set {options} in the environment's file, or name the model {parameters['modelId']} in {lists} if other "
        "models take it, and deploy the chatbot."
    )


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
            raise function_error(str(response["FunctionError"]), answer)
        return function_answer(answer, self._arn.split(":function:")[-1])


def backend(settings: Settings) -> Backend:
    if settings.chatbot_function_arn:
        return ExistingFunction(settings)
    return Bedrock(settings)
