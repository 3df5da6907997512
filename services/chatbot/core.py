"""Turns a message and its analysis into a model request, and a model's response into an answer. Pure."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from services.chatbot.settings import Settings
from shared.contracts import limits
from shared.contracts.v1 import Analysis, ChatAnswer, ChatRequested, Usage
from shared.errors import PermanentError, TransientError, is_transient

SIMPLE_SHARE = 0.5
"""A simple message gets half of the tokens, which limits its cost and rarely shortens its answer."""
CODE_TEMPERATURE = 0.2

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
"""Characters that no terminal shows; the last two are none, and SQS does not carry them."""


class Inference(Struct, frozen=True, kw_only=True):
    """The model and settings chosen for one message."""

    model_id: str
    max_tokens: int
    temperature: float


def choose(settings: Settings, analysis: Analysis | None) -> Inference:
    """Choose the model (complex messages may have their own), fewer tokens if simple, a lower temperature for code.

    Without an analysis (the analyzer failed), the default settings apply.
    """
    complexity = analysis.complexity if analysis else "moderate"
    model_id = settings.model_id
    if complexity == "complex" and settings.model_id_complex:
        model_id = settings.model_id_complex
    max_tokens = settings.max_tokens
    if complexity == "simple":
        max_tokens = max(1, int(max_tokens * SIMPLE_SHARE))
    temperature = settings.temperature
    if analysis and analysis.has_code:
        temperature = min(temperature, CODE_TEMPERATURE)
    return Inference(model_id=model_id, max_tokens=max_tokens, temperature=temperature)


def converse_request(settings: Settings, request: ChatRequested) -> dict[str, Any]:
    """Return the parameters of Bedrock's Converse: the conversation, with the user's message as its last turn."""
    inference = choose(settings, request.analysis)
    turns = [*((turn.role, turn.text) for turn in request.history), ("user", request.user_message)]
    parameters: dict[str, Any] = {
        "modelId": inference.model_id,
        "messages": [{"role": role, "content": [{"text": text}]} for role, text in turns],
        "system": [{"text": settings.system_prompt}],
        "inferenceConfig": {"maxTokens": inference.max_tokens, "temperature": inference.temperature},
    }
    if settings.guardrail_id:
        parameters["guardrailConfig"] = {
            "guardrailIdentifier": settings.guardrail_id,
            "guardrailVersion": settings.guardrail_version,
        }
    return parameters


def bounded(text: str) -> tuple[str, bool]:
    """Return `text` without control characters and within the contract's bounds, and whether it was cut."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    cut = (
        text[: limits.ANSWER_CHARS].encode("utf-8", "ignore")[: limits.ANSWER_BYTES].decode("utf-8", "ignore")
    )
    return cut, len(cut) < len(text)


def answer(
    text: str, *, backend: Any, model_id: str, stop_reason: str, usage: Usage | None = None
) -> ChatAnswer:
    """Return a ChatAnswer with bounded text. Raises TransientError if there is no text."""
    kept, cut = bounded(text)
    if not kept:
        raise TransientError(f"The {backend} answered without text (stop reason {stop_reason[:64]}).")
    return ChatAnswer(
        text=kept,
        backend=backend,
        model_id=model_id,
        stop_reason=stop_reason,
        truncated=cut or stop_reason == "max_tokens",
        usage=usage,
    )


class _Content(Struct):
    text: str = ""


class _Message(Struct):
    content: list[_Content] = []


class _Output(Struct):
    message: _Message = msgspec.field(default_factory=_Message)


class _Tokens(Struct, rename="camel"):
    input_tokens: int = 0
    output_tokens: int = 0


class _Converse(Struct, rename="camel"):
    output: _Output
    stop_reason: str = "unknown"
    usage: _Tokens | None = None


def converse_answer(response: dict[str, Any], model_id: str) -> ChatAnswer:
    """Return the answer in a Converse response; several text blocks become paragraphs."""
    try:
        converse = msgspec.convert(response, _Converse)
    except msgspec.ValidationError as error:
        raise TransientError("Bedrock's response is not a valid Converse response.") from error
    tokens = converse.usage or _Tokens()
    usage = Usage(input_tokens=max(0, tokens.input_tokens), output_tokens=max(0, tokens.output_tokens))
    return answer(
        "\n\n".join(block.text for block in converse.output.message.content if block.text),
        backend="bedrock",
        model_id=model_id,
        stop_reason=converse.stop_reason,
        usage=usage if converse.usage else None,
    )


ANSWER_FIELDS = ("response", "answer", "text", "message", "output", "completion")


def function_answer(payload: bytes, function_name: str) -> ChatAnswer:
    """Return the answer of an existing chatbot function.

    The function may return a string, an object with the text under one of ANSWER_FIELDS, or an API Gateway proxy
    response around either. Raises TransientError for a status that means "try later" (`is_transient`), a blank text,
    or an answer that is not JSON; PermanentError for any other status from 400 on, or for an answer without text.
    """
    try:
        value = msgspec.json.decode(payload or b"null")
        if isinstance(value, dict) and "statusCode" in value:
            status = int(value["statusCode"])
            if status >= 400:
                kind = TransientError if is_transient("", status) else PermanentError
                raise kind(f"The chatbot function answered HTTP {status}.")
            body = value.get("body")
            value = msgspec.json.decode(body) if isinstance(body, str) and body[:1] in '{["' else body
    except (msgspec.DecodeError, ValueError) as error:
        raise TransientError("The chatbot function's answer is not JSON.") from error
    if isinstance(value, dict):
        value = next((value[name] for name in ANSWER_FIELDS if isinstance(value.get(name), str)), None)
    if not isinstance(value, str):
        raise PermanentError(
            f"The chatbot function's answer has no text: it has none of the fields {', '.join(ANSWER_FIELDS)}."
        )
    return answer(value, backend="function", model_id=function_name, stop_reason="end_turn")
