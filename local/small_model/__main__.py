"""The model server's process: `python -m local.small_model FD WEIGHTS`, with the listening socket as FD.

It ends with the process that started it, whose end closes its standard input.
"""

import os
import socket
import sys
import threading
import time
from pathlib import Path

from local.small_model.place import CANNOT_LOAD, NAME
from local.small_model.server import Server
from local.small_model.smollm import SmolLM


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _log(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201 -- this process's log


def main(arguments: list[str]) -> int:
    """Serve until the parent ends. Return CANNOT_LOAD if the model can't be loaded."""
    descriptor, weights = arguments
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = Server(socket.socket(fileno=int(descriptor)), name=NAME, log=_log)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        model = SmolLM(Path(weights))
    except Exception as error:  # noqa: BLE001 -- the library raises errors of many kinds; each ends this process
        _log(f"The model can't be loaded: {type(error).__name__}: {error}")
        return CANNOT_LOAD
    server.loaded(model)
    _log(f"{NAME} is ready")
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
