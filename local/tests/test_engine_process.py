"""The real engine with a failing model server, called as the chatbot does it: with botocore's Bedrock client."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import ministack
from local.engine import Engine, free_port
from local.paths import ENGINE_PROCESS, ENGINE_PYTHON
from local.settings import Model, Settings

needs_engine = pytest.mark.skipif(
    not ENGINE_PYTHON.exists(), reason="the local engine is not installed: make setup"
)


class Handler(BaseHTTPRequestHandler):
    """Fails as the question asks for: with a status, `slow`, `cut`, `hang up`, or a body."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = request["messages"][-1]["content"]
        server: Any = self.server
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
    """A model server. `ending` ends the wait of slow answers."""

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
        patched.setattr(ministack, "MODEL_SECONDS", 0.5)
        with model_server() as model:
            engine = Engine(
                state=tmp_path_factory.mktemp("engine"), settings=Settings(port=free_port(), model=model)
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
