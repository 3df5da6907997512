"""The log of requests: method, path, status and duration. Queries, bodies and headers never appear in it."""

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

from console.text import shown

BYTES = 1_000_000
_log = logging.getLogger("console.requests")


def note(method: str, path: str, status: int, seconds: float) -> None:
    """Log one request. The path is a stranger's text."""
    _log.info("%s %s %d %d ms", shown(method)[:10], shown(path)[:300], status, round(seconds * 1_000))


def write_to(path: Path) -> None:
    """Log to a file that only its owner can read; the last million bytes are kept, twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
    path.chmod(0o600)
    handler = RotatingFileHandler(path, maxBytes=BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
