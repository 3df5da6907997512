"""A model server for tests: OpenAI's chat completions on loopback, as Ollama offers them to the engine's Bedrock."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.settings import Model

LONG_ANSWER = "A word. " * 4_000


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The server's reaction to one question: an answer with `text`, or a failure.

    A failure is a `status`, a `body` other than a chat completion, or, without `text`, `status` and `body`, a
    connection that is closed without an answer. The server first waits for `delay_seconds`.
    """

    text: str | None = None
    status: int | None = None
    body: str | None = None
    delay_seconds: float = 0.0

    @property
    def is_answer(self) -> bool:
        """Whether a real model would charge for this reply."""
        return self.status is None and self.body is None and bool(self.text)


Behaviour = Callable[[str], Reply]


def echo(question: str) -> Reply:
    """Answer with the question itself; `LONG` in it makes the answer longer than the contract allows."""
    return Reply(text=LONG_ANSWER if "LONG" in question else f"You asked: {question}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server: Any = self.server
        server.requests.append(request)
        question = str(request["messages"][-1]["content"])
        reply = server.by_model.get(request["model"], server.behaviour)(question)
        if reply.delay_seconds:
            server.ending.wait(reply.delay_seconds)
        if reply.status is reply.body is reply.text is None:
            self.close_connection = True
            return
        raw = _completion(reply.text or "") if reply.body is None else reply.body.encode()
        self.send_response(reply.status or 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()
        if reply.is_answer:
            server.answered.append((question, reply.text))

    def log_message(self, *_: object) -> None:
        """Print no line per request."""


def _completion(text: str) -> bytes:
    body = {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return json.dumps(body).encode()


class ModelServer(ThreadingHTTPServer):
    """The server. `requests` holds all requests, `answered` the questions whose answers were sent completely.

    `by_model` has the behaviour of models that do not behave as the others do.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behaviour: Behaviour = echo) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour = behaviour
        self.by_model: dict[str, Behaviour] = {}
        self.requests: list[dict[str, Any]] = []
        self.answered: list[tuple[str, str]] = []
        self.ending = threading.Event()

    @property
    def model(self) -> Model:
        return Model(url=f"http://127.0.0.1:{self.server_port}/v1", name="echo")


@contextmanager
def model_server(behaviour: Behaviour = echo) -> Iterator[ModelServer]:
    with ModelServer(behaviour) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()
