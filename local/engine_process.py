"""The local engine's process: MiniStack, served by uvicorn and changed in two places.

Its Bedrock reports a failing model server with Bedrock's own errors, and an answer that was cut with Bedrock's stop
reason: by itself, MiniStack answers with a canned text instead, so that a throttle or an outage looks like a success.
It sends the model server's key, which comes on standard input, so that functions and process lists do not show it.
Its IAM knows the source and detail-type of published events (`engine_iam.py`). The internals of MiniStack that this
relies on are checked at each start, so that another version can't lose the changes silently.

The process also keeps the server of the small model running (`engine_model.py`).

This file is run by its path, with `python -P`, in the engine's own environment: standard library, MiniStack,
Hypercorn and uvicorn only.
"""

import asyncio
import contextlib
import functools
import gc
import http.client
import importlib
import importlib.util
import inspect
import io
import json
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

MODEL_VARIABLE = "MINISTACK_BEDROCK_PROXY_URL"
STDIN_VARIABLE = "PIPELINE_ENGINE_STDIN"
"""Set if standard input holds a JSON object: `key`, the model server's, and `model`, the small model to run."""
TEXT_CHARS = 300

STATUS = {
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "ThrottlingException": 429,
    "ServiceUnavailableException": 503,
}
"""Bedrock's errors and their HTTP status, as in botocore's service model."""

EXPECTED = {
    "_error": ("code", "message", "status"),
    "_proxy_openai_chat_message": ("model_id", "messages", "system", "inference_config", "tool_config"),
    "_converse_blocks_from_message": ("message",),
    "handle_request": ("method", "path", "headers", "body", "query_params"),
}
"""The functions of MiniStack that this module wraps or calls, with their parameters."""

STOP_REASONS = {"length": "max_tokens", "content_filter": "content_filtered"}
"""Bedrock's stop reasons for those of a chat completion that MiniStack would report as a whole answer."""

COLLECT = 100_000, 50, 100
"""Thresholds of the garbage collector. With Python's defaults it takes 1/15 of the engine's time in a burst."""

Open = Callable[..., Any]


class BedrockError(Exception):
    """An error as Bedrock answers it; `code` is a key of STATUS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OtherMiniStackError(Exception):
    """This MiniStack version is not the expected one; the text says where it differs."""


def report_model_failures(bedrock: Any, *, key: str | None = None) -> None:
    """Make MiniStack's module `bedrock_runtime` answer a failure of the model server with Bedrock's error.

    `key` is sent to the model server. Raises OtherMiniStackError if the module is not as expected.
    """
    _require_expected(bedrock)
    transport = SimpleNamespace(connect=_refuse)
    _wrap(bedrock, transport, key)
    _require_reported(bedrock)
    transport.connect = urllib.request.urlopen


def _wrap(bedrock: Any, transport: SimpleNamespace, key: str | None) -> None:
    """Replace the module's urllib and wrap three of its functions."""
    ask, handle, blocks_of = (
        bedrock._proxy_openai_chat_message,
        bedrock.handle_request,
        bedrock._converse_blocks_from_message,
    )
    call = threading.local()  # one thread answers a request, and MiniStack swallows all exceptions in it

    def urlopen(request: Any, timeout: float) -> io.BytesIO:
        try:
            body = _fetch(transport.connect, request, timeout, key)
        except BedrockError as error:
            call.failure = error
            raise OSError(str(error)) from error
        call.finish = _finish_reason(body)
        return io.BytesIO(body)

    @functools.wraps(ask)
    def asked(*args: Any, **kwargs: Any) -> Any:
        call.finish = None
        call.failure = BedrockError(
            "ModelErrorException", "The model server's answer is not a chat completion."
        )
        answer = ask(*args, **kwargs)
        if answer[0] is None:
            raise call.failure
        return answer

    @functools.wraps(blocks_of)
    def blocks(message: Any) -> Any:
        content, reason = blocks_of(message)
        return content, STOP_REASONS.get(call.finish, reason) if reason == "end_turn" else reason

    @functools.wraps(handle)
    async def handled(*args: Any, **kwargs: Any) -> Any:
        try:
            return await handle(*args, **kwargs)
        except BedrockError as error:
            return bedrock._error(error.code, str(error), STATUS[error.code])

    bedrock.urllib = SimpleNamespace(
        error=urllib.error, request=SimpleNamespace(Request=urllib.request.Request, urlopen=urlopen)
    )
    bedrock._proxy_openai_chat_message = asked
    bedrock._converse_blocks_from_message = blocks
    bedrock.handle_request = handled


def _finish_reason(body: bytes) -> str | None:
    """Return why the model ended its answer; None if the answer does not say it, or is none."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        reason = json.loads(body)["choices"][0].get("finish_reason")
        return reason if isinstance(reason, str) else None
    return None


def _fetch(connect: Open, request: Any, timeout: float, key: str | None) -> bytes:
    """Return the model server's whole answer. Raises BedrockError."""
    if key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")  # it stays at this address
    try:
        with connect(request, timeout=timeout) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        with error:
            text = _text(error, key)
        if error.code == 400 and (other := _renamed(request, text)):
            return _fetch(connect, other, timeout, key)
        says = f" It says: {text[:TEXT_CHARS]}" if text and error.code not in (401, 403) else ""
        raise BedrockError(
            _code(error.code), f"The model server answered HTTP {error.code}.{says}"
        ) from error
    except OSError as error:
        if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
            raise BedrockError(
                "ModelTimeoutException", f"The model server did not answer within {timeout:g} s."
            ) from error
        reason = getattr(error, "reason", error)
        raise BedrockError(
            "ServiceUnavailableException", f"The model server can't be reached: {reason}."
        ) from error
    except http.client.HTTPException as error:
        raise BedrockError(
            "ModelErrorException", f"The model server's answer breaks off ({type(error).__name__})."
        ) from error


def _text(error: urllib.error.HTTPError, key: str | None) -> str:
    """Return the text of an error in OpenAI's form, without the key; empty if there is none."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        text = json.loads(error.read(65_536))["error"]["message"]
        if isinstance(text, str):
            return text.replace(key, "(the key)") if key else text
    return ""


def _renamed(request: Any, text: str) -> Any:
    """Return the request with a bound on tokens under its newer name, if the server asks for that; else None."""
    old, new = "max_tokens", "max_completion_tokens"
    fields = json.loads(request.data)
    if new not in text or old not in fields:
        return None
    fields[new] = fields.pop(old)
    return urllib.request.Request(  # noqa: S310 -- the address was checked before the engine was started
        request.full_url, json.dumps(fields).encode(), {"Content-Type": "application/json"}, method="POST"
    )


def _code(status: int) -> str:
    if status == 429:
        return "ThrottlingException"
    if status == 408:
        return "ModelTimeoutException"
    if status in (401, 403):
        return "AccessDeniedException"
    return "ServiceUnavailableException" if status >= 500 else "ValidationException"


# --- is this MiniStack as expected? ----------------------------------------------------------------------


def _require_expected(bedrock: Any) -> None:
    for name, parameters in EXPECTED.items():
        function = getattr(bedrock, name, None)
        if not callable(function):
            raise OtherMiniStackError(f"it has no {name}()")
        if (actual := tuple(inspect.signature(function).parameters)) != parameters:
            raise OtherMiniStackError(f"{name}() takes {actual}, not {parameters}")


def _refuse(request: Any, **_: Any) -> Any:
    raise urllib.error.HTTPError(request.full_url, 429, "Too Many Requests", Message(), io.BytesIO())


def _require_reported(bedrock: Any) -> None:
    """Check, with one Converse request, that a throttling model server becomes Bedrock's error."""
    question = {"messages": [{"role": "user", "content": [{"text": "?"}]}]}
    status, _, body = asyncio.run(
        bedrock.handle_request("POST", "/model/m/converse", {}, json.dumps(question).encode(), {})
    )
    if (status, json.loads(body).get("__type")) != (429, "ThrottlingException"):
        raise OtherMiniStackError(f"a throttled model server is answered with HTTP {status}")


def _beside(name: str) -> Any:
    """Load a module from beside this file. Raises ImportError."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _require_iam() -> None:
    """Let `engine_iam.py` change MiniStack's IAM."""
    engine_iam = _beside("engine_iam")
    names = ("app", "core.iam_actions", "core.iam_evaluator")
    try:
        engine_iam.add_event_keys(*(importlib.import_module(f"ministack.{name}") for name in names))
    except engine_iam.OtherIamError as error:
        raise OtherMiniStackError(str(error)) from error


async def serve(app: Any, config: Any) -> None:
    """Serve MiniStack's ASGI app with uvicorn and httptools, which need half of Hypercorn's time per request.

    Replaces `hypercorn.asyncio.serve`. `config` is Hypercorn's; MiniStack sets the attributes that are read here.
    """
    uvicorn = importlib.import_module("uvicorn")
    host, _, port = config.bind[0].rpartition(":")
    settings = uvicorn.Config(
        app,
        host=host,
        port=int(port),
        http="httptools",
        ws="none",
        interface="asgi3",
        lifespan="on",
        timeout_keep_alive=int(config.keep_alive_timeout),
        log_level=config.loglevel.lower(),
        access_log=False,
        server_header=False,
        date_header=False,
    )
    await uvicorn.Server(settings).serve()


def _instructions() -> dict[str, Any]:
    """Return the JSON object on standard input; empty if there is none."""
    if not os.environ.pop(STDIN_VARIABLE, None):
        return {}
    return dict(json.loads(sys.stdin.buffer.read() or b"{}"))


def main() -> None:
    gc.set_threshold(*COLLECT)
    instructions = _instructions()
    if model := instructions.get("model"):
        _beside("engine_model").keep(model)
    if os.environ.get("AUTH") == "true":
        try:
            _require_iam()
        except (ImportError, OtherMiniStackError) as error:
            sys.exit(
                f"This version of MiniStack does not fit local/engine_iam.py, which adds the condition keys of "
                f"PutEvents: {error}. Adapt that file, or go back to the version in requirements-engine.txt."
            )
    if os.environ.get(MODEL_VARIABLE):
        try:
            report_model_failures(
                importlib.import_module("ministack.services.bedrock_runtime"), key=instructions.get("key")
            )
        except (ImportError, OtherMiniStackError) as error:
            sys.exit(
                f"This version of MiniStack does not fit local/engine_process.py, which reports a model server's "
                f"failures: {error}. Adapt that file, or go back to the version in requirements-engine.txt."
            )
    importlib.import_module("hypercorn.asyncio").serve = serve  # type: ignore[attr-defined]
    importlib.import_module("ministack.app").main()


if __name__ == "__main__":
    main()
