"""OpenAI's chat completions: reads requests and writes answers. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
UNSUPPORTED = ("tools", "functions", "response_format", "logprobs", "audio")
"""Parameters that would change the answer and that the small model can't obey."""
MOST_STOPS = 4

Finish = Literal["stop", "length"]
"""`length`: the answer was cut by the bound on its tokens or its time."""


class RefusedError(Exception):
    """A request that is not answered; the text says why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message of a conversation."""

    role: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """A valid request. `max_tokens` is the client's own bound, if any; the server has another."""

    turns: tuple[Turn, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stops: tuple[str, ...] = ()
    stream: bool = False
    usage_in_stream: bool = False


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A whole answer of the model."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int


def read_request(body: bytes, *, model: str) -> Request:
    """Return the request in a POST body. Raises RefusedError."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid("The body is not JSON.") from error
    if not isinstance(fields, dict):
        raise _invalid("The body is not a JSON object.")
    if (wanted := fields.get("model", model)) != model:
        raise RefusedError(
            404, "model_not_found", f"There is no model {str(wanted)[:80]!r}; there is {model!r}."
        )
    for name in UNSUPPORTED:
        if fields.get(name):
            raise _invalid(f"The small model does not support `{name}`.")
    if fields.get("n", 1) not in (None, 1):
        raise _invalid("`n` must be 1.")
    options = fields.get("stream_options")
    return Request(
        turns=_turns(fields.get("messages")),
        max_tokens=_whole(fields, "max_completion_tokens", 1) or _whole(fields, "max_tokens", 1),
        temperature=_number(fields, "temperature", 2),
        top_p=_number(fields, "top_p", 1),
        seed=_whole(fields, "seed", 0),
        stops=_stops(fields.get("stop")),
        stream=fields.get("stream") is True,
        usage_in_stream=isinstance(options, dict) and options.get("include_usage") is True,
    )


def completion_body(completion: Completion, *, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a request without `stream`. `head` has `id`, `created` and `model`."""
    return {
        **head,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": completion.text},
                "finish_reason": completion.finish,
            }
        ],
        "usage": _usage(completion),
    }


def chunk(head: Mapping[str, Any], delta: Mapping[str, str], finish: Finish | None = None) -> bytes:
    """Return a server-sent event with a piece of the answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({**head, "object": "chat.completion.chunk", "choices": [choice]})


def usage_chunk(head: Mapping[str, Any], completion: Completion) -> bytes:
    """Return the server-sent event with the token counts, which a client gets if it asks for it."""
    return event({**head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(completion)})


def event(content: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


END = b"data: [DONE]\n\n"


def error_body(status: int, code: str, message: str) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _usage(completion: Completion) -> dict[str, int]:
    return {
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "total_tokens": completion.prompt_tokens + completion.completion_tokens,
    }


def _turns(messages: object) -> tuple[Turn, ...]:
    if not isinstance(messages, list) or not messages:
        raise _invalid("`messages` must be a list with at least one message.")
    turns = tuple(_turn(index, message) for index, message in enumerate(messages))
    if not any(turn.role == "user" for turn in turns):
        raise _invalid("`messages` has no message of the user.")
    return turns


def _turn(index: int, message: object) -> Turn:
    fields = message if isinstance(message, dict) else {}
    role, content = fields.get("role"), fields.get("content")
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        content = "\n".join(texts) if len(texts) == len(parts) else None
    if not isinstance(role, str) or role not in ROLES:
        raise _invalid(f"`messages[{index}].role` must be one of {', '.join(ROLES)}.")
    if not isinstance(content, str):
        raise _invalid(f"`messages[{index}].content` must be text.")
    return Turn(role=ROLES[role], text=content.encode("utf-8", "replace").decode())


def _stops(value: object) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or len(stops) > MOST_STOPS:
        raise _invalid(f"`stop` must be text or a list of up to {MOST_STOPS} texts.")
    if not all(isinstance(stop, str) and stop for stop in stops):
        raise _invalid("`stop` must consist of texts that are not empty.")
    return tuple(stops)


def _number(fields: Mapping[str, Any], name: str, most: float) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _invalid(f"`{name}` must be a number.")
    if not 0 <= value <= most:
        raise _invalid(f"`{name}` must be from 0 to {most:g}.")
    return float(value)


def _whole(fields: Mapping[str, Any], name: str, least: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _invalid(f"`{name}` must be a whole number, {least} or more.")
    return value


def _invalid(message: str) -> RefusedError:
    return RefusedError(400, "invalid_request", message)
