"""Serving a console on loopback until it is asked to stop."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from console.announcement import HOST
from console.security.gate import App
from operations.errors import RefusedError

PORT = 4580
"""The port that is tried first if none is given; if it is taken, the system chooses one."""
GOODBYE_SECONDS = 1
"""How long answers that are under way may take when the console stops."""


def listen(port: int | None) -> socket.socket:
    """Return a socket that listens on 127.0.0.1, never on another address. Raises RefusedError."""
    try:
        return _bound(PORT if port is None else port)
    except OSError as error:
        if port is None:
            return _bound(0)
        raise RefusedError(
            f"Port {port} of {HOST} can't be used ({error.strerror}). Choose another one with --port."
        ) from error


def _bound(port: int) -> socket.socket:
    # With its protocol named, asyncio sets TCP_NODELAY. Without, each answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """A server that a signal stops without ending the process, so that what follows can still be done."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(app: App, listener: socket.socket, *, stopping: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. `stopping` is called first: it ends the streams, which have no end."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,  # the console writes its own, without queries
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # whoever asks is on this machine
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    asyncio.run(_Server(config, stopping).serve(sockets=[listener]))
