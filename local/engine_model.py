"""Keeps the small model's server running beside the engine, in the engine's process.

The engine holds the listening socket, so that a question that comes while the server is being started, or started
again, waits instead of being refused. The server ends with the engine, because the engine holds the other end of its
standard input, and because it is in the engine's process group.

Loaded by `engine_process.py` from beside it: standard library only.
"""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

CANNOT_LOAD = 3
"""The server's exit code if its model can't be loaded (`local/small_model/place.py`)."""
PAUSE_SECONDS = 1.0
SOON_SECONDS = 60.0
"""A server that ends earlier than this has ended soon."""
TRIES = 3
"""The server is given up after so many ends in a row that came soon."""


def keep(model: Mapping[str, Any], pause: Callable[[float], object] = time.sleep) -> threading.Thread:
    """Start the server, in a thread that starts it again whenever it ends, until that is hopeless.

    `model` holds the server's `command`, its `environment`, its `log` file and the listening socket's `descriptor`.
    """
    listener = socket.socket(fileno=model["descriptor"])
    listener.set_inheritable(False)  # only the server gets it, not the engine's functions
    thread = threading.Thread(target=_keep, args=(model, listener, pause), daemon=True)
    thread.start()
    return thread


def _keep(model: Mapping[str, Any], listener: socket.socket, pause: Callable[[float], object]) -> None:
    """Run the server again and again. At last the socket is closed, so that each question is refused at once."""
    ends = 0
    with listener, open(model["log"], "ab", buffering=0) as log:  # noqa: PTH123 -- a path from JSON
        while ends < TRIES:
            started = time.monotonic()
            try:
                code = _run(model, listener, log)
            except OSError as error:
                log.write(f"The server can't be started: {error}\n".encode())
                break
            ends = 0 if time.monotonic() - started > SOON_SECONDS else ends + 1
            log.write(f"The server has ended with {code}.\n".encode())
            if code == CANNOT_LOAD:
                break
            pause(PAUSE_SECONDS)
        log.write(b"The server is not started again. Restart the engine: make stop run\n")


def _run(model: Mapping[str, Any], listener: socket.socket, log: Any) -> int:
    """Run the server to its end. Return its exit code."""
    with subprocess.Popen(
        [*model["command"], str(listener.fileno()), model["weights"]],
        env=model["environment"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=(listener.fileno(),),
    ) as server:
        return server.wait()
