"""Turns a message and its analysis into a model request, and a model's response into an answer. Pure."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from services.chatbot.settings import Settings, listed
from shared.contracts import limits
from shared.contracts.message import VISIBLE
from shared.contracts.v1 import Analysis, ChatAnswer, ChatRequested, Usage
from shared.errors import PermanentError, PipelineError, TransientError, is_transient

SIMPLE_SHARE = 0.5
"""A simple message gets half of the tokens, which limits its cost and rarely shortens its answer."""
CODE_TEMPERATURE = 0.2
REASON_CHARS = 64
MOST_TOKENS = 1_000_000_000
"""More than any answer uses: a greater number is wrong, and no record could hold one of 39 digits."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that no terminal shows: controls, halves of a character, and noncharacters, which SQS does not carry."""
_CUT_SHORT = re.compile("max|length|limit|exceed|pause")
"""Words in the stop reasons of an answer that is not complete: a bound has cut it."""
_BLOCKED = re.compile("guardrail|filter|refus|safety")
"""Words in the stop reasons of an answer that a guardrail, a filter or the model itself refused to give."""
_BY_CHANCE = re.compile("end_turn|stop_sequence|malformed")
"""Stop reasons after which the same request may well be answered with text the next time."""


class Inference(Struct, frozen=True, kw_only=True):
    """The model and settings chosen for one message."""

    model_id: str
    max_tokens: int
    temperature: float | None


def choose(settings: Settings, analysis: Analysis | None, model_id: str | None = None) -> Inference:
    """Choose the model (complex messages may have their own), fewer tokens if simple, a lower temperature for code.

    Without an analysis (the analyzer failed), the default settings apply.
    """
    complexity = analysis.complexity if analysis else "moderate"
    own = settings.model_id_complex if complexity == "complex" else None
    model_id = model_id or own or settings.model_id
    max_tokens = settings.max_tokens
    if complexity == "simple":
        max_tokens = max(1, int(max_tokens * SIMPLE_SHARE))
    temperature = settings.temperature if settings.asks_with("temperature", model_id) else None
    if temperature is not None and analysis and analysis.has_code:
        temperature = min(temperature, CODE_TEMPERATURE)
    return Inference(model_id=model_id, max_tokens=max_tokens, temperature=temperature)


def converse_request(
    settings: Settings, request: ChatRequested, model_id: str | None = None
) -> dict[str, Any]:
    """Return the parameters of Bedrock's Converse: the conversation, with the user's message as its last turn.

    `model_id` is the model to ask in the place of the chosen one.

    A temperature or a system prompt that is switched off is left out: some models refuse a request that has one. A
    cache checkpoint ends the system prompt for the models that take one.
    """
    inference = choose(settings, request.analysis, model_id)
    turns = [*((turn.role, turn.text) for turn in request.history), ("user", request.user_message)]
    parameters: dict[str, Any] = {
        "modelId": inference.model_id,
        "messages": [{"role": role, "content": [{"text": text}]} for role, text in turns],
        "inferenceConfig": {"maxTokens": inference.max_tokens},
    }
    if inference.temperature is not None:
        parameters["inferenceConfig"]["temperature"] = inference.temperature
    if settings.system_prompt and settings.asks_with("system_prompt", inference.model_id):
        parameters["system"] = [{"text": settings.system_prompt}]
        if inference.model_id in listed(settings.cached_models):
            parameters["system"].append({"cachePoint": {"type": "default"}})
    if settings.guardrail_id:
        parameters["guardrailConfig"] = {
            "guardrailIdentifier": settings.guardrail_id,
            "guardrailVersion": settings.guardrail_version,
        }
    return parameters


def bounded(text: str) -> tuple[str, bool]:
    """Return `text` without control characters and within the bounds of a whole answer, and whether it was cut."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    cut = text[: limits.WHOLE_CHARS].encode("utf-8", "ignore")[: limits.WHOLE_BYTES].decode("utf-8", "ignore")
    return cut, len(cut) < len(text)


def shortened(answer: ChatAnswer) -> ChatAnswer:
    """Return an answer that fits the execution's state: a longer one is cut and marked."""
    text = limits.beginning(answer.text)
    return answer if text == answer.text else replace(answer, text=text, truncated=True)


def answer(
    text: str, *, backend: Any, model_id: str, stop_reason: str, usage: Usage | None = None
) -> ChatAnswer:
    """Return a ChatAnswer with bounded text.

    Without text, raises TransientError if the next answer may have some by the stop reason, else PermanentError: each
    attempt is paid for, and the error says how much was.
    """
    kept, cut = bounded(text)
    stop_reason = _CONTROL.sub("", stop_reason)[:REASON_CHARS]
    if not VISIBLE.search(kept):
        kind = TransientError if _BY_CHANCE.search(stop_reason) else PermanentError
        raise unusable(kind, f"The {backend} answered without text", stop_reason, model_id, usage)
    return ChatAnswer(
        text=kept,
        backend=backend,
        model_id=model_id,
        stop_reason=stop_reason,
        truncated=cut or bool(_CUT_SHORT.search(stop_reason)),
        blocked=bool(_BLOCKED.search(stop_reason)) or UNSET,
        usage=usage,
    )


def unusable(
    kind: type[PipelineError], text: str, stop_reason: str, model_id: str, usage: Usage | None
) -> PipelineError:
    """Return the error for an answer that can't be used, with what was paid for it."""
    from shared.contracts.wasted import paid_for  # noqa: PLC0415 -- hardly any answer needs it

    return kind(f"{text} (stop reason {stop_reason[:REASON_CHARS]}).{paid_for(model_id, usage)}")


def converse_answer(response: Mapping[str, Any], model_id: str) -> ChatAnswer:
    """Return the answer in a Converse response: its text, without content of other kinds, such as reasoning.

    Several text blocks become paragraphs. An answer with citations is in pieces, which are joined as they are.
    Raises PermanentError for an answer with other content only, for which the next attempt would pay again.
    """
    reason = response.get("stopReason")
    if not isinstance(reason, str):
        raise TransientError("Bedrock's response is not a valid Converse response.")
    message = _map(_map(response.get("output")).get("message"))
    blocks = [_map(block) for block in _list(message.get("content"))]
    separator = "" if any("citationsContent" in block for block in blocks) else "\n\n"
    text = separator.join(text for block in blocks for text in _texts(block) if text)
    usage = _usage(response.get("usage"))
    if not text.strip() and any(block and "text" not in block for block in blocks):
        said = "Bedrock answered without text, but with other content"
        raise unusable(PermanentError, said, reason, model_id, usage)
    return answer(
        text,
        backend="bedrock",
        model_id=model_id,
        stop_reason=reason,
        usage=usage,
    )


def _texts(block: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of a block of content: its own, and those that have citations."""
    for part in (block, *_list(_map(block.get("citationsContent")).get("content"))):
        text = _map(part).get("text")
        if isinstance(text, str):
            yield text


def _usage(value: Any) -> Usage | None:
    """Return the usage in a Converse response. A count that is none is 0, so that the answer is not lost for it."""

    def count(name: str) -> int:
        number = value.get(name)
        return min(max(0, number), MOST_TOKENS) if isinstance(number, int) else 0

    if not isinstance(value, dict):
        return None
    return Usage(
        input_tokens=count("inputTokens"),
        output_tokens=count("outputTokens"),
        cache_read_tokens=count("cacheReadInputTokens") or UNSET,
        cache_write_tokens=count("cacheWriteInputTokens") or UNSET,
    )


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


ANSWER_FIELDS = ("response", "answer", "text", "message", "output", "completion")
"""The fields under which a function may return its text, or an object that has the text under one of them."""
DEPTH = 4
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_NAME = re.compile(r"[\w.:]{1,64}")
_BROKEN = re.compile(
    r"Runtime\.(ImportModule|HandlerNotFound|UserCodeSyntax|Malformed|Marshal|NoSuch)|ResponseSizeTooLarge"
    r"|AccessDenied|NotFound|Validation"
)
"""Words in the errors of a function that can't be loaded, whose answer Lambda can't carry, or that was refused."""


def function_answer(payload: bytes, function_name: str) -> ChatAnswer:
    """Return the answer of an existing chatbot function.

    The function may return a string, an object with the text under one of ANSWER_FIELDS, or an API Gateway proxy
    response around either. Raises TransientError for a blank text, and for a status that means "try later"
    (`is_transient`); PermanentError for any other status but 2xx, and for an answer in which no text can be read: the
    next one would be no better, and might be paid for.
    """
    value = _json(payload or b"null")
    if isinstance(value, dict) and ("statusCode" in value or (_text(value) is None and "body" in value)):
        value = _answered(value)
    text = _text(value)
    if text is None:
        raise PermanentError(
            f"The chatbot function's answer has no text: it has none of the fields {', '.join(ANSWER_FIELDS)}."
        )
    return answer(text, backend="function", model_id=function_name, stop_reason="end_turn")


def function_error(kind: str, payload: bytes) -> PipelineError:
    """Return the error for a function that failed; `kind` is what Lambda calls FunctionError.

    Of the payload, only the name of the function's error is read: its message may quote the user's.
    """
    try:
        name = _json(payload).get("errorType")
    except (PermanentError, AttributeError):  # no object
        name = None
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        return TransientError(f"The chatbot function failed ({kind[:64]}).")
    error = PermanentError if _BROKEN.search(name) else TransientError
    return error(f"The chatbot function failed ({kind[:64]}: {name}).")


def _json(raw: bytes | str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise PermanentError("The chatbot function's answer is not JSON.") from error


def _text(value: Any, depth: int = DEPTH) -> str | None:
    """Return the text in an answer: the answer itself, or the one in the first of its fields that has one."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and depth:
        texts = (_text(value.get(name), depth - 1) for name in ANSWER_FIELDS)
        return next((text for text in texts if text is not None), None)
    return None


def _answered(proxy: Mapping[str, Any]) -> Any:
    """Return the answer in a proxy response: its body, read as its content type says, or its own fields."""
    status = _status(proxy.get("statusCode", 200))
    if not 200 <= status <= 299:
        kind = TransientError if is_transient("", status) else PermanentError
        raise kind(f"The chatbot function answered HTTP {status}.")
    body = proxy.get("body", proxy)
    if not isinstance(body, str):
        return body
    content_type = _content_type(proxy)
    if str(proxy.get("isBase64Encoded", "")).lower() == "true":
        body = _decoded(body, content_type)
    body = body.removeprefix("\ufeff")
    if _JSON.search(content_type.partition(";")[0]):
        return _json(body)
    return body if content_type.strip() else _guessed(body)


def _status(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise PermanentError(
            "The chatbot function's answer has a statusCode that is not a number."
        ) from error


def _content_type(proxy: Mapping[str, Any]) -> str:
    """Return the content type, or an empty text. Of a header in both forms, the one in several lines is meant."""
    for headers in (proxy.get("multiValueHeaders"), proxy.get("headers")):
        for name, value in headers.items() if isinstance(headers, dict) else ():
            if name.lower() == "content-type":
                last = value[-1] if isinstance(value, list) and value else value
                return last if isinstance(last, str) else ""
    return ""


def _decoded(body: str, content_type: str) -> str:
    charset = _CHARSET.search(content_type)
    try:
        return base64.b64decode("".join(body.split()), validate=True).decode(
            charset[1] if charset else "utf-8"
        )
    except (ValueError, LookupError) as error:
        raise PermanentError("The chatbot function's answer is not the text that it says it is.") from error


def _guessed(body: str) -> Any:
    """Return what a body without a content type holds: an object, a string or null as JSON, anything else as text."""
    try:
        value = _json(body)
    except PermanentError:
        return body
    return value if isinstance(value, dict | str | None) else body
