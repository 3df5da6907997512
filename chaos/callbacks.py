"""A proxy between a function's workers and Step Functions that injects network faults into chosen calls.

Each function has a port of its own, named in its `AWS_ENDPOINT_URL_SFN`, so that the port tells which function calls.
A call is chosen by the ordinal of its task token (of the execution's name, for the starter) among all that this
function has called with.
"""

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import psutil

from chaos.deployment import Deployment
from chaos.faults import Fault, Ledger
from shared.aws import CLIENT_TRIES

CHOSEN = frozenset({"SendTaskSuccess", "SendTaskFailure", "StartExecution"})
REFUSALS = ((500, "InternalFailure"), (400, "ThrottlingException"), (503, "ServiceUnavailable"))
"""HTTP status and error code of refused calls. Fewer than CLIENT_TRIES in a row are retried inside botocore."""
UPSTREAM_SECONDS = 30
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


class Script:
    """Decides what happens to the calls of one function, by the order in which their keys are first seen.

    A call's key is its task token or, for StartExecution, the execution's name.
    """

    def __init__(self, chosen: Mapping[int, Fault]) -> None:
        self._chosen = chosen
        self._steps: dict[str, list[str]] = {}
        self._ordinals: dict[str, int] = {}
        self._lock = threading.Lock()
        self.over = False
        """Set to True to let all further calls pass."""

    def step(self, key: str) -> tuple[str, Fault | None]:
        """Return what to do with this call, and the fault that starts with it."""
        with self._lock:
            if self.over:
                return "pass", None
            if key in self._steps:
                left = self._steps[key]
                return (left.pop(0) if left else "pass"), None
            ordinal = self._ordinals[key] = len(self._ordinals)
            fault = self._chosen.get(ordinal)
            first, *self._steps[key] = _steps(fault, ordinal)
            return first, fault


def _steps(fault: Fault | None, ordinal: int) -> list[str]:
    """Return what to do with the calls of one key, in order.

    With an even ordinal, REFUSED and LOST outlast the client's own retries, so that the worker sees an error, and
    TWICE returns the second answer, not the first.
    """
    stubborn = ordinal % 2 == 0
    refuse = f"refuse {ordinal % len(REFUSALS)}"
    match fault:
        case Fault.KILLED_BEFORE:
            return ["kill"]
        case Fault.KILLED_AFTER:
            return ["forward and kill"]
        case Fault.REFUSED:
            return [refuse] * (CLIENT_TRIES if stubborn else 1)
        case Fault.LOST:
            return ["forward and hang up", *([refuse] * (CLIENT_TRIES - 1) if stubborn else [])]
        case Fault.TWICE:
            return ["forward twice, answer the second" if stubborn else "forward twice, answer the first"]
    return ["pass"]


class _Handler(BaseHTTPRequestHandler):
    """Handles one connection of one worker."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "_Listener"

    def setup(self) -> None:
        super().setup()
        address = urlsplit(self.server.upstream)
        self._upstream = http.client.HTTPConnection(
            str(address.hostname), address.port, timeout=UPSTREAM_SECONDS
        )

    def finish(self) -> None:
        self._upstream.close()
        with suppress(OSError):  # the worker was killed, perhaps by this proxy
            super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        step, fault, key = "pass", None, ""
        if operation in CHOSEN:
            call = json.loads(body)
            key = str(call.get("taskToken") or call.get("name"))
            step, fault = self.server.script.step(key)
        worker = self.server.worker_at(self.client_address[1]) if step.endswith("kill") else None
        if step.endswith("kill") and worker is None:
            step, fault = "pass", None
        if fault:
            self.server.ledger.inject(fault, token=key, detail=f"{self.server.function}: {step}")
        match step:
            case "kill" | "forward and kill":
                self._die(body, worker, forward=step.startswith("forward"))
            case "refuse 0" | "refuse 1" | "refuse 2":
                status, code = REFUSALS[int(step[-1])]
                self._answer(status, {"Content-Type": "application/x-amz-json-1.0"}, _error(code))
            case "forward and hang up":
                self._forward(body)
                self.close_connection = True
            case "forward twice, answer the second":
                self._forward(body)
                self._answer(*self._forward(body))
            case "forward twice, answer the first":
                answer = self._forward(body)
                self._forward(body)
                self._answer(*answer)
            case _:
                self._answer(*self._forward(body))

    def _die(self, body: bytes, worker: int | None, *, forward: bool) -> None:
        """Kill the calling worker with SIGKILL instead of answering."""
        self.close_connection = True
        if forward:
            self._forward(body)
        if worker is not None:
            os.kill(worker, signal.SIGKILL)

    def _forward(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Forward the call unchanged, because its signature covers host and path."""
        self._upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self._upstream.putheader(name, value)
        self._upstream.endheaders(body)
        response = self._upstream.getresponse()
        return response.status, dict(response.getheaders()), response.read()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print no line per request."""


def _error(code: str) -> bytes:
    return json.dumps({"__type": code, "message": "chaos"}).encode()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        function: str,
        script: Script,
        ledger: Ledger,
        upstream: str,
        worker_at: Callable[[int], int | None],
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.function = function
        self.script = script
        self.ledger = ledger
        self.upstream = upstream
        self.worker_at = worker_at

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore broken connections: workers are killed in the middle of their calls."""


@contextmanager
def callback_proxies(
    deployment: Deployment, scripts: Mapping[str, Script], ledger: Ledger
) -> Iterator[Mapping[str, int]]:
    """Run a proxy for each function. Yields the ports by function."""
    listeners = [
        _Listener(
            name,
            script,
            ledger,
            deployment.running.connection.endpoint_url,
            lambda port, name=name: owner(port, deployment.workers(name)),  # type: ignore[misc]
        )
        for name, script in scripts.items()
    ]
    threads = [threading.Thread(target=listener.serve_forever, daemon=True) for listener in listeners]
    for thread in threads:
        thread.start()
    try:
        yield {listener.function: listener.server_port for listener in listeners}
    finally:
        for listener, thread in zip(listeners, threads, strict=True):
            listener.shutdown()
            listener.server_close()
            thread.join()


def owner(port: int, pids: Sequence[int]) -> int | None:
    """Return the process of `pids` that has a TCP connection from this local port."""
    for pid in pids:
        with suppress(psutil.Error):
            if any(
                link.laddr.port == port for link in psutil.Process(pid).net_connections("tcp") if link.laddr
            ):
                return pid
    return None
