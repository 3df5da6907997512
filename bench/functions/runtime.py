"""Lambda's Runtime API on loopback, and one function's process under it.

The process is `awslambdaric`'s, as on AWS: it imports the handler, asks for the next event, and answers it.
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
    """The function's process ended or answered with an error; the text has what it said."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Wall and CPU time of something a process did, in seconds."""

    wall: float
    cpu: float


class _Api(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.events: queue.Queue[bytes] = queue.Queue()
        self.said: queue.Queue[tuple[str, float, bytes]] = queue.Queue()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Api

    def do_GET(self) -> None:
        self.server.said.put(("next", time.perf_counter(), b""))
        event = self.server.events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "request",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
            "Lambda-Runtime-Deadline-Ms": str(int(1000 * (time.time() + Sizing().timeout_seconds))),
        }
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = "answer" if self.path.endswith("/response") else "error"
        self.server.said.put((said, time.perf_counter(), body))
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
        """Says nothing."""


class Function:
    """A started process; `init` is what it took until it asked for its first event."""

    def __init__(
        self,
        folders: Sequence[Path],
        handler: str,
        environment: Mapping[str, str],
        before: Callable[[], None] | None = None,
    ) -> None:
        """`folders` are all it may import from, beside the standard library. `before` runs in the new process."""
        self._api = _Api()
        threading.Thread(target=self._api.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        began = time.perf_counter()
        address = f"127.0.0.1:{self._api.server_port}"
        paths = ":".join(map(str, folders))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, paths, handler],
            env={"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": address, **environment},
            stdout=self._log,
            stderr=self._log,
            cwd=folders[0],
            preexec_fn=before,  # noqa: PLW1509 -- joins a cgroup; this process has just one thread then that matters
        )
        at = self._wait("next")
        self.init = Taken(wall=at - began, cpu=self.cpu())

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu(self) -> float:
        """CPU seconds so far, of all threads, to the microsecond."""
        total = 0
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory_mb(self, field: str = "VmRSS") -> float:
        """`VmRSS`: resident now; `VmHWM`: at most so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
        raise FunctionError(f"{field} is not known")

    def invoke(self, event: Any) -> Taken:
        """Until its answer has arrived. Raises FunctionError for an error."""
        raw = json.dumps(event).encode()
        cpu, began = self.cpu(), time.perf_counter()
        self._api.events.put(raw)
        at = self._wait("answer")
        self._wait("next")
        return Taken(wall=at - began, cpu=self.cpu() - cpu)

    def _wait(self, wanted: str) -> float:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                said, at, body = self._api.said.get(timeout=0.5)
            except queue.Empty:
                if self._process.poll() is not None:
                    break
                continue
            if said == "error":
                raise FunctionError(body.decode())
            if said == wanted:
                return at
        self._log.seek(0)
        raise FunctionError(f"no {wanted}: {self._log.read().decode()[-3000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._api.shutdown()
        self._api.server_close()
        self._log.close()
