"""Lambda's Runtime API on loopback, and a function's process that uses it.

The process runs `awslambdaric`, as on AWS: it imports the handler, requests the next event, and answers it.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

from infra.environments import Sizing

PATIENCE_SECONDS: Final = 60.0
_START: Final = """
import sys
sys.path[:0] = sys.argv[1].split(":")
from awslambdaric.__main__ import main
main(["awslambdaric", sys.argv[2]])
"""


class FunctionError(Exception):
    """The function's process ended or answered with an error; the text is its output."""


@dataclass(frozen=True, kw_only=True)
class Duration:
    """Wall time and CPU time in seconds."""

    wall: float
    cpu: float


class _Api(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.events: queue.Queue[bytes] = queue.Queue()
        self.calls: queue.Queue[tuple[str, float, bytes]] = queue.Queue()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Api

    def do_GET(self) -> None:
        self.server.calls.put(("next", time.perf_counter(), b""))
        event = self.server.events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "request",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
            "Lambda-Runtime-Deadline-Ms": str(int(1000 * (time.time() + Sizing().timeout_seconds))),
        }
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = "answer" if self.path.endswith("/response") else "error"
        self.server.calls.put((kind, time.perf_counter(), body))
        self._answer(202, b"{}", {})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print no line per request."""


class Function:
    """A function's process. `init` is the time from its start until it requested the first event."""

    def __init__(
        self,
        folders: Sequence[Path],
        handler: str,
        environment: Mapping[str, str],
        preexec: Callable[[], None] | None = None,
    ) -> None:
        """Start the process and wait until it requests an event.

        It can import only from `folders` and the standard library. `preexec` is called in the new process first.
        """
        self._api = _Api()
        threading.Thread(target=self._api.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        started_at = time.perf_counter()
        address = f"127.0.0.1:{self._api.server_port}"
        paths = ":".join(map(str, folders))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", _START, paths, handler],
            env={"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": address, **environment},
            stdout=self._log,
            stderr=self._log,
            cwd=folders[0],
            preexec_fn=preexec,  # noqa: PLW1509 -- only writes to a file (joins a cgroup), which needs no lock
        )
        at = self._wait("next")
        self.init = Duration(wall=at - started_at, cpu=self.cpu())

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu(self) -> float:
        """Return the CPU seconds of all threads so far, with a resolution of a microsecond."""
        total = 0
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory_mb(self, field: str = "VmRSS") -> float:
        """Return the resident memory: `VmRSS` is the present value, `VmHWM` the maximum so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise FunctionError(f"/proc/{self.pid}/status has no field {field}")

    def invoke(self, event: Any) -> Duration:
        """Let the function handle an event, and return the time it took. Raises FunctionError for an error."""
        raw = json.dumps(event).encode()
        cpu, started_at = self.cpu(), time.perf_counter()
        self._api.events.put(raw)
        at = self._wait("answer")
        self._wait("next")
        return Duration(wall=at - started_at, cpu=self.cpu() - cpu)

    def _wait(self, expected: str) -> float:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                kind, at, body = self._api.calls.get(timeout=0.5)
            except queue.Empty:
                if self._process.poll() is not None:
                    break
                continue
            if kind == "error":
                raise FunctionError(body.decode())
            if kind == expected:
                return at
        self._log.seek(0)
        raise FunctionError(f"the function sent no {expected!r}: {self._log.read().decode()[-3000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._api.shutdown()
        self._api.server_close()
        self._log.close()
