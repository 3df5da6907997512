"""The server: `POST /v1/chat/completions` (also streamed), `GET /v1/models`, `GET /health`, on loopback.

It accepts requests while the model is still being loaded; they wait in the queue.
"""

import json
import os
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from local.small_model import protocol
from local.small_model.place import LOAD_SECONDS
from local.small_model.protocol import Completion, RefusedError, Request
from local.small_model.turns import ClientGoneError, QueueFullError, Turns

WAITING = 16
"""Requests that may wait. The chatbot sends two at a time; more would only wait beyond their clients' patience."""
BODY_BYTES = 1_048_576
IDLE_SECONDS = 60

OnText = Callable[[str], bool]
"""Takes a piece of the answer. False ends the answer."""


class Model(Protocol):
    """A loaded model."""

    def answer(self, request: Request, on_text: OnText) -> Completion:
        """Return the answer to a request, after passing it on in pieces. Raises RefusedError."""


class Server(ThreadingHTTPServer):
    """The server of one model, which `loaded` hands over."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, listener: socket.socket, *, name: str, log: Callable[[str], object]) -> None:
        """Serve on a bound socket; `name` is the model's name in requests and answers.

        `log` gets a line about each answer, without any text of the user's.
        """
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]  # no name is looked up
        self.server_activate()
        self.name = name
        self.log = log
        self.turns = Turns(WAITING)
        self.answered = 0
        self._model: Model | None = None
        self._loaded = threading.Event()

    def loaded(self, model: Model) -> None:
        self._model = model
        self._loaded.set()

    def model(self) -> Model:
        """Return the model, once it is loaded. Raises RefusedError after LOAD_SECONDS."""
        if not self._loaded.wait(LOAD_SECONDS) or self._model is None:
            raise RefusedError(503, "loading", "The model is still being loaded. Try again in a minute.")
        return self._model

    def health(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "state": "ready" if self._loaded.is_set() else "loading",
            "pid": os.getpid(),
            "waiting": self.turns.waiting,
            "answered": self.answered,
        }

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing for a client that went away; the handler logs all other errors."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_SECONDS
    server: Server

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, self.server.health())
        elif self.path == "/v1/models":
            entry = {"id": self.server.name, "object": "model", "created": 0, "owned_by": "local"}
            self._send(200, {"object": "list", "data": [entry]})
        else:
            self._refuse(RefusedError(404, "not_found", "There is nothing at this address."))

    def do_POST(self) -> None:
        started = time.monotonic()
        try:
            request = protocol.read_request(self._body(), model=self.server.name)
            with self.server.turns.turn(self._gone):
                turn = time.monotonic()
                completion = self._answer(request)
        except RefusedError as error:
            self._refuse(error)
        except QueueFullError:
            text = f"{WAITING} requests wait already. The small model answers one at a time; try again later."
            self._refuse(RefusedError(503, "queue_full", text))
        except (ClientGoneError, ConnectionError, TimeoutError):
            self.close_connection = True
            self.server.log(f"a client went away after {time.monotonic() - started:.1f} s")
        except Exception as error:  # noqa: BLE001 -- whatever the model's library raises must not end the server
            self.server.log(f"the model failed: {type(error).__name__}: {error}")
            self.close_connection = True
            self._refuse(RefusedError(500, "model_failed", "The model failed; the server's log says why."))
        else:
            self.server.answered += 1
            self.server.log(
                f"{completion.prompt_tokens} tokens in, {completion.completion_tokens} out ({completion.finish}), "
                f"waited {turn - started:.1f} s, answered in {time.monotonic() - turn:.1f} s"
            )

    def _answer(self, request: Request) -> Completion:
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": self.server.name}
        model = self.server.model()
        if request.stream:
            return self._stream(model, request, head)
        completion = model.answer(request, lambda _piece: not self._gone())
        if self._gone():
            raise ClientGoneError
        self._send(200, protocol.completion_body(completion, head=head))
        return completion

    def _stream(self, model: Model, request: Request, head: dict[str, Any]) -> Completion:
        """Send the answer as server-sent events; its end is the connection's end."""
        begun = False

        def send(piece: str) -> bool:
            nonlocal begun
            if self._gone():
                return False
            if not begun:
                begun = True
                self._begin_stream(head)
            self.wfile.write(protocol.chunk(head, {"content": piece}))
            self.wfile.flush()
            return True

        try:
            completion = model.answer(request, send)
        except RefusedError:
            raise
        except Exception as error:
            if (
                begun
            ):  # the status is sent already: a stream without its end says that the answer is not whole
                raise ConnectionAbortedError(str(error)) from error
            raise
        if self._gone():
            raise ClientGoneError
        if not begun:
            self._begin_stream(head)
        self.wfile.write(protocol.chunk(head, {}, completion.finish))
        if request.usage_in_stream:
            self.wfile.write(protocol.usage_chunk(head, completion))
        self.wfile.write(protocol.END)
        self.wfile.flush()
        return completion

    def _begin_stream(self, head: dict[str, Any]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(protocol.chunk(head, {"role": "assistant", "content": ""}))

    def _body(self) -> bytes:
        """Return the body of a chat completion's request. Raises RefusedError for any other request."""
        self.close_connection = True  # until the body is read, the connection has no next request
        if self.path != "/v1/chat/completions":
            raise RefusedError(404, "not_found", "There is nothing at this address.")
        if "application/json" not in self.headers.get(
            "Content-Type", ""
        ):  # what a page in a browser can't send
            raise RefusedError(415, "not_json", "The content type must be application/json.")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise RefusedError(411, "length_required", "The request must have a Content-Length.")
        if int(length) > BODY_BYTES:
            raise RefusedError(413, "too_large", f"The body may have {BODY_BYTES:,} bytes.")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ClientGoneError
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        return body

    def _gone(self) -> bool:
        """Tell whether the client has closed its connection. Nothing is taken from it."""
        try:
            if not select.select([self.connection], [], [], 0)[0]:
                return False
            return not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def _refuse(self, error: RefusedError) -> None:
        self.server.log(f"HTTP {error.status}: {error}")
        try:
            self._send(error.status, protocol.error_body(error.status, error.code, str(error)))
        except OSError:
            self.close_connection = True

    def _send(self, status: int, content: dict[str, Any]) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Log no line per request; there is one for each answer."""
