"""The two backends: Bedrock's Converse, and the team's existing chatbot function.

Each backend makes one call, and another one only to a model that has to answer in the place of one that did not take
the request (`failover`). Retries belong to Step Functions: a client that retried by itself would pay again unseen.
"""

import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from botocore.exceptions import ClientError, ReadTimeoutError

from services.chatbot.core import (
    converse_answer,
    converse_request,
    function_answer,
    function_error,
)
from services.chatbot.settings import Settings
from shared.aws import client, error_code, translated_errors
from shared.contracts.envelope import Metadata
from shared.contracts.v1 import ChatAnswer, ChatRequested
from shared.errors import ModelTimedOut, PermanentError, PipelineError, TransientError, is_transient
from shared.settings import OFF

if TYPE_CHECKING:
    from services.chatbot.failover import Failover

_UNSUBSCRIBED = (
    "the account has no AWS Marketplace subscription to this model yet: somebody with the right to it must ask "
    "the model once, then this run can be redriven"
)
_NO_FORM = "the account has not sent the form on its use case that the model's provider requires"
_PROFILE_ONLY = (
    "the model answers through an inference profile only: set model_id to the id of a profile, e.g. us.…"
)
_TOO_LONG = (
    "the conversation has more tokens than the model reads: choose a model with a larger context window"
)
REASONS = (
    (403, "marketplace", _UNSUBSCRIBED),
    (404, "use case details", _NO_FORM),
    (400, "on-demand throughput", _PROFILE_ONLY),
    (400, "input is too long", _TOO_LONG),
    (400, "prompt is too long", _TOO_LONG),
)
"""What a refusal by Bedrock means, by its HTTP status and words in its text, which may quote the request and is
therefore not passed on. The first calls of a model may succeed for some 15 minutes before a missing subscription is
noticed.
"""

_CACHE = re.compile(r"cache ?point|prompt caching")
"""Words of a refusal of a cache checkpoint."""
_BOUND = re.compile(r"maximum tokens|max_tokens|maxtokens|output tokens")
"""Words of a refusal of the bound on the answer's tokens."""
_OPTIONAL = {"temperature": "temperature", "system": "system_prompt"}
"""The parameters that some models refuse, with their options."""


class Backend(Protocol):
    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:
        """Return the answer to a request. Raises TransientError, PermanentError or ModelTimedOut."""


TIMED_OUT = ("ModelTimeoutException",)
"""Bedrock's codes for a model that took longer than Bedrock waits for it."""


@contextmanager
def asking(settings: Settings, metadata: Metadata, billed: str, *, seconds: float) -> Iterator[None]:
    """Translate the errors of a call that is billed as `translated_errors` does, but a timeout to `timed_out`.

    The call as a whole is ended after `seconds`: a timeout of reading is that of each part of the answer, and a
    function that is killed reports nothing.
    """
    try:
        with translated_errors(), _deadline(seconds):
            yield
    except TransientError as error:
        cause = error.__cause__
        if isinstance(cause, ReadTimeoutError):
            text = f"No answer within {seconds:.3g} s"
        elif isinstance(cause, ClientError) and error_code(cause) in TIMED_OUT:
            text = str(error)
        else:
            raise
        raise timed_out(f"{text}. {billed}", metadata, retries=settings.retries_after_timeout) from cause


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Let what runs longer fail like a read that times out. Only the main thread, Lambda's, can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*_: object) -> None:
        raise ReadTimeoutError(endpoint_url="the model", error="it took too long")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


FUNCTION_TIMED_OUT = "Sandbox.Timedout"
"""What Lambda calls the error of a function that reached its own timeout."""
FUNCTION_BILLED = "The function, and a model that it asked, may be billed all the same: how much is unknown."


def timed_out(text: str, metadata: Metadata, *, retries: int) -> PipelineError:
    """Return the error for a call that gave no answer in time: a transient one while `retries` are left."""
    return (TransientError if metadata.attempt < retries else ModelTimedOut)(text)


class Bedrock:
    """Asks the model of the settings, or a fallback if there are any; see `failover`."""

    def __init__(self, settings: Settings, connection: Any = None) -> None:
        self._settings = settings
        self._client = connection or client("bedrock-runtime", read_seconds=settings.read_seconds, tries=1)
        self._failover = _failover(settings) if settings.fallbacks else None

    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:
        parameters = converse_request(self._settings, request)
        if self._failover is None:
            return self._converse(parameters, self._settings.read_seconds, metadata)
        return self._failover.ask(
            parameters["modelId"],
            lambda model_id, seconds: self._converse(
                converse_request(self._settings, request, model_id), seconds, metadata
            ),
        )

    def _converse(self, parameters: dict[str, Any], seconds: float, metadata: Metadata) -> ChatAnswer:
        billed = (
            "The call may be billed all the same: its input, and an unknown number of output tokens, at most "
            f"{parameters['inferenceConfig']['maxTokens']:,}."
        )
        try:
            with asking(self._settings, metadata, billed, seconds=seconds):
                response = self._client.converse(**parameters)
        except (TransientError, PermanentError) as error:
            raise refusal(error, parameters) from error.__cause__
        return converse_answer(response, parameters["modelId"])


def _failover(settings: Settings) -> "Failover":
    from services.chatbot.failover import Failover  # noqa: PLC0415 -- only a setting with fallbacks needs it

    return Failover(settings.fallbacks, seconds=settings.read_seconds)


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
    if not named and _BOUND.search(text):
        return "Set max_tokens in the environment's file to a number that the model allows, and deploy the chatbot."
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
        self._settings = settings
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
        with asking(self._settings, metadata, FUNCTION_BILLED, seconds=self._settings.read_seconds):
            response = self._client.invoke(FunctionName=self._arn, Payload=msgspec.json.encode(payload))
            answer = response["Payload"].read()
        if response.get("FunctionError"):
            error = function_error(str(response["FunctionError"]), answer)
            if FUNCTION_TIMED_OUT in str(error):
                retries = self._settings.retries_after_timeout
                raise timed_out(f"{error} {FUNCTION_BILLED}", metadata, retries=retries)
            raise error
        return function_answer(answer, self._arn.split(":function:")[-1])


def backend(settings: Settings) -> Backend:
    if settings.chatbot_function_arn:
        return ExistingFunction(settings)
    return Bedrock(settings)
