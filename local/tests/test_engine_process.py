"""The real engine with a failing model server, called as the chatbot does it: with botocore's Bedrock client."""

import io
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import engine_process, ministack
from local.engine import Engine, free_port
from local.paths import ENGINE_PROCESS, ENGINE_PYTHON
from local.settings import Model, Settings

needs_engine = pytest.mark.skipif(
    not ENGINE_PYTHON.exists(), reason="the local engine is not installed: make setup"
)


KEY = "sk-of-the-model-server"


class Handler(BaseHTTPRequestHandler):
    """Fails as the question asks for: with a status, `slow`, `cut`, `hang up`, or a body."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = request["messages"][-1]["content"]
        server: Any = self.server
        server.keys.append(self.headers["Authorization"])
        if question == "slow":
            server.ending.wait(30)
        if question in ("slow", "hang up"):
            return
        raw = b'{"error": "no"}' if question.isdecimal() else question.encode()
        self.send_response(int(question) if question.isdecimal() else 200)
        self.send_header("Content-Length", str(len(raw) + 100 * (question == "cut")))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A model server. `ending` ends the wait of slow answers; `keys` holds the keys with which it was asked."""

    keys: ClassVar[list[str | None]] = []

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ending = threading.Event()


@contextmanager
def model_server() -> Iterator[Model]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Model(url=f"http://127.0.0.1:{server.server_port}/v1", name="m")
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def bedrock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield a Bedrock client of an engine with a model server."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ministack, "MODEL_SECONDS", 3.0)  # a busy machine answers the others in time
        with model_server() as model:
            engine = Engine(
                state=tmp_path_factory.mktemp("engine"),
                settings=Settings(port=free_port(), model=model, key=KEY),
            )
            running = engine.start()
            try:
                yield client(running.connection.client_options())
            finally:
                engine.stop()


def client(options: dict[str, str]) -> Any:
    return boto3.client(
        "bedrock-runtime", **options, config=Config(retries={"total_max_attempts": 1}, read_timeout=30)
    )


def ask(bedrock: Any, text: str) -> dict[str, Any]:
    return dict(bedrock.converse(modelId="m", messages=[{"role": "user", "content": [{"text": text}]}]))


FAILURES = {
    "401": ("AccessDeniedException", 403),
    "403": ("AccessDeniedException", 403),
    "429": ("ThrottlingException", 429),
    "500": ("ServiceUnavailableException", 503),
    "503": ("ServiceUnavailableException", 503),
    "hang up": ("ServiceUnavailableException", 503),
    "404": ("ValidationException", 400),
    "400": ("ValidationException", 400),
    "408": ("ModelTimeoutException", 408),
    "slow": ("ModelTimeoutException", 408),
    "not JSON": ("ModelErrorException", 424),
    "cut": ("ModelErrorException", 424),
    '{"choices": []}': ("ModelErrorException", 424),
    '{"choices": [{"message": "text"}]}': ("ModelErrorException", 424),
    "[]": ("ModelErrorException", 424),
}


@needs_engine
@pytest.mark.engine
@pytest.mark.parametrize(("question", "expected"), FAILURES.items())
def test_each_failure_is_bedrocks_error(bedrock: Any, question: str, expected: tuple[str, int]) -> None:
    """For each failure of the model server, the caller gets the error and the status that Bedrock would give."""
    with pytest.raises(ClientError) as failed:
        ask(bedrock, question)
    response = failed.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == expected
    assert response["Error"]["Message"].startswith("The model server")
    assert isinstance(failed.value, getattr(bedrock.exceptions, expected[0]))


@needs_engine
@pytest.mark.engine
def test_an_answer_arrives(bedrock: Any) -> None:
    """A model server's answer reaches the caller with the server's token counts."""
    body = {
        "choices": [{"message": {"content": "Yes."}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    answer = ask(bedrock, json.dumps(body))
    assert answer["output"]["message"]["content"] == [{"text": "Yes."}]
    assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (3, 2)
    assert answer["stopReason"] == "end_turn"
    assert Server.keys[-1] == f"Bearer {KEY}"


@needs_engine
@pytest.mark.engine
@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_tokens"), ("content_filter", "content_filtered"), (7, "end_turn")]
)
def test_an_answer_says_why_it_ended(bedrock: Any, finish: object, reason: str) -> None:
    """An answer that the model server has cut or filtered has Bedrock's stop reason for it."""
    body = {"choices": [{"message": {"content": "Yes, but"}, "finish_reason": finish}]}
    assert ask(bedrock, json.dumps(body))["stopReason"] == reason


@needs_engine
@pytest.mark.engine
def test_model_server_that_went_away(tmp_path: Path) -> None:
    """When the model server has ended, the caller gets ServiceUnavailableException and no canned answer."""
    with model_server() as model:
        engine = Engine(state=tmp_path, settings=Settings(port=free_port(), model=model))
        running = engine.start()
    try:
        with pytest.raises(ClientError, match="can't be reached") as failed:
            ask(client(running.connection.client_options()), "Hello?")
        assert failed.value.response["Error"]["Code"] == "ServiceUnavailableException"
    finally:
        engine.stop()


@needs_engine
@pytest.mark.engine
def test_without_a_model_server(tmp_path: Path) -> None:
    """Without a model server, the engine gives its canned answer."""
    engine = Engine(state=tmp_path, settings=Settings(port=free_port()))
    running = engine.start()
    try:
        answer = ask(client(running.connection.client_options()), "Hello?")
        assert "mock" in answer["output"]["message"]["content"][0]["text"]
    finally:
        engine.stop()


# --- what a model server says ---


def refusal(status: int, message: object) -> HTTPError:
    body = json.dumps({"error": {"message": message}}).encode()
    return HTTPError("http://model", status, "no", Message(), io.BytesIO(body))


def fetched(answers: list[HTTPError | bytes], sent: list[Any]) -> bytes:
    """Return what `_fetch` makes of a server's answers, one to each request, which are added to `sent`."""

    def connect(request: Any, timeout: float) -> Any:
        sent.append(request)
        answer = answers[len(sent) - 1]
        if isinstance(answer, HTTPError):
            raise answer
        return io.BytesIO(answer)

    payload = {"model": "m", "messages": [], "max_tokens": 9}
    request = urllib.request.Request("http://model", json.dumps(payload).encode(), method="POST")
    return engine_process._fetch(connect, request, 1, KEY)


def test_a_refusal_says_why_and_never_the_key() -> None:
    """A refusal passes on the beginning of the server's text, in which the key is blanked out."""
    with pytest.raises(
        engine_process.BedrockError, match=r"HTTP 400\. It says: temperature .* \(the key\)"
    ) as error:
        fetched([refusal(400, f"temperature is not allowed for {KEY} {'x' * 1_000}")], [])
    assert len(str(error.value)) < 400
    with pytest.raises(engine_process.BedrockError, match=r"HTTP 401\.$"):
        fetched([refusal(401, f"wrong key {KEY}")], [])


def test_a_server_that_knows_the_bounds_newer_name_is_asked_again() -> None:
    """A server that wants `max_completion_tokens` is asked a second time with it, with the key; once only."""
    sent: list[Any] = []
    wants = "Use 'max_completion_tokens' instead."
    assert fetched([refusal(400, wants), b"{}"], sent) == b"{}"
    assert [json.loads(request.data).get("max_completion_tokens") for request in sent] == [None, 9]
    assert [request.get_header("Authorization") for request in sent] == [f"Bearer {KEY}"] * 2
    with pytest.raises(engine_process.BedrockError, match="It says: Use"):
        fetched([refusal(400, wants), refusal(400, wants)], [])


def test_a_key_is_not_sent_to_another_address() -> None:
    """A server that redirects elsewhere does not get the key sent there."""
    sent: list[Any] = []
    fetched([b"{}"], sent)
    assert "Authorization" in sent[0].unredirected_hdrs
    assert "Authorization" not in sent[0].headers


# --- another version of MiniStack ----------------------------------------------------------------------------

SAME = """
import asyncio, json, urllib.error, urllib.request

def _error(code, message, status):
    return status, {}, json.dumps({"message": message, "__type": code}).encode()

def _proxy_openai_chat_message(model_id, messages, system, inference_config, tool_config=None):
    try:
        with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:1"), timeout=1) as answer:
            return json.load(answer), None
    except Exception:
        return None, None

def _converse_blocks_from_message(message):
    return [{"text": message["content"]}], "end_turn"

async def handle_request(method, path, headers, body, query_params):
    message, _ = await asyncio.to_thread(_proxy_openai_chat_message, "m", [], [], {})
    return 200, {}, json.dumps({"canned": message is None}).encode()
"""
APP = """
def main():
    from hypercorn.asyncio import serve
    print("serving" if serve else "served by Hypercorn")
"""
CHANGES = {
    "another name": ("_proxy_openai_chat_message", "_ask_proxy", "it has no _proxy_openai_chat_message()"),
    "another parameter": ("tool_config=None", "tools=None, more=None", "_proxy_openai_chat_message() takes"),
    "another transport": ("urllib.request.urlopen(", "open(", "is answered with HTTP 424"),
    "another way": (
        'await asyncio.to_thread(_proxy_openai_chat_message, "m", [], [], {})',
        "None, None",
        "HTTP 200",
    ),
}


def start(folder: Path, bedrock_runtime: str) -> subprocess.CompletedProcess[str]:
    """Start the engine's process on a stand-in for MiniStack that has little more than this module."""
    package = folder / "ministack"
    (package / "services").mkdir(parents=True)
    (package / "services" / "bedrock_runtime.py").write_text(bedrock_runtime)
    (package / "app.py").write_text(APP)
    (folder / "hypercorn").mkdir()
    (folder / "hypercorn" / "asyncio.py").write_text("serve = None")
    return subprocess.run(
        [sys.executable, "-P", ENGINE_PROCESS],
        env={"PATH": os.defpath, "PYTHONPATH": str(folder), "MINISTACK_BEDROCK_PROXY_URL": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip


def test_the_ministack_it_is_written_for(tmp_path: Path) -> None:
    """A MiniStack with the expected functions is accepted and starts."""
    started = start(tmp_path, SAME)
    assert (started.returncode, started.stdout, started.stderr) == (0, "serving\n", "")


@pytest.mark.parametrize(("old", "new", "message"), CHANGES.values(), ids=CHANGES)
def test_another_ministack_does_not_start(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A MiniStack version that would hide the model server's failures does not start, and the error says why."""
    assert old in SAME
    started = start(tmp_path, SAME.replace(old, new))
    assert started.returncode == 1
    assert "local/engine_process.py" in started.stderr
    assert message in started.stderr
    assert "serving" not in started.stdout
