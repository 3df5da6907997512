"""Stand-ins for what `local` observes of other programs: an engine's process, and a server on a port."""

import json
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

Behaviour = Literal["well", "dies", "mute", "stubborn"]

# Reads the engine's settings from its environment, starts a function's process, and answers on the port.
_ENGINE = """
import http.server, json, os, signal, subprocess, sys

behaviour = {behaviour!r}
if behaviour == "dies":
    print("there is no memory left")
    sys.exit(3)
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its worker inherits that
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", os.environ["TMPDIR"] + "/_worker.py"])
if behaviour == "mute":
    signal.pause()

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"edition": os.environ["MINISTACK_EDITION"]}}).encode())

http.server.HTTPServer((os.environ["BIND_HOST"], int(os.environ["GATEWAY_PORT"])), Health).serve_forever()
"""


def executable(file: Path, source: str) -> Path:
    """Write a Python program that can be called by its path.

    A shell calls Python, whose path may have blanks; to Python, the shell's lines are a text.
    """
    begin = f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} \"$0\" \"$@\"\n'''\n"
    file.write_text(begin + source, encoding="utf-8")
    file.chmod(0o755)
    return file


def interpreter(folder: Path, behaviour: Behaviour = "well") -> Path:
    """Write an executable to pass to Engine as `python`."""
    return executable(folder / f"engine-that-{behaviour}", _ENGINE.format(behaviour=behaviour))


@contextmanager
def server(answers: dict[str, Any], *, status: int = 200) -> Iterator[int]:
    """Run a loopback server with a JSON answer by path and 404 for other paths. Yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(self.path)).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listening.server_port
        finally:
            listening.shutdown()
            thread.join()
