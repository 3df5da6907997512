"""Makes output safe: any encoding prints any text, and an output that fails ends a command without a traceback."""

import codecs
import io
import json
import os
import re
import sys
from typing import Any

_PLAIN = {
    "✓": "+", "✗": "x", "✔": "+", "✘": "x", "●": "*", "○": "o", "·": "-", "•": "*", "…": "...", "–": "-", "—": "-",
    "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "×": "x", "█": "#", "▓": "#", "░": ".", "━": "-", "─": "-", "│": "|",
    "’": "'", "‘": "'", "“": '"', "”": '"',
}  # fmt: skip
"""What is printed in place of the commands' own signs where the output's encoding lacks them."""


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace what an encoding lacks: a sign by a plain one, any other character by its escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = (_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in text)
    return "".join(plain), error.end


codecs.register_error("plain", _replaced)


class _Notes(io.FileIO):
    """Standard error. What it can't take is lost: a note is no result, and must not end what the command does."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def make_safe() -> None:
    """Let standard output and error print any text, whatever their encoding.

    A stream that the caller has closed reads nothing and takes everything, so that no file that is opened later gets
    its number. An error of standard error is no error of the command. A width that is none is as good as none.
    """
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[1-9][0-9]{0,4}", os.environ.get(name, "80")):
            del os.environ[name]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _open_nowhere(number)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115, PTH123
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:  # not a test's
        raw = _Notes(sys.stderr.fileno(), "w", closefd=False)
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(raw), sys.stderr.encoding, line_buffering=True)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not a test's
            stream.reconfigure(errors="plain")


def _open_nowhere(number: int) -> None:
    """Open the null device under a number that is free."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    else:
        os.set_inheritable(number, True)  # noqa: FBT003 -- the standard library's signature


def escaped(text: str) -> str:
    """Return JSON text with escapes for whatever the encoding of standard output may lack, so that it stays JSON."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    if encoding.startswith("utf"):
        return text
    return re.sub(r"[^\x00-\x7f]", lambda sign: json.dumps(sign[0])[1:-1], text)


class ReaderGoneError(Exception):
    """The reader of the output, e.g. `head`, has closed its pipe."""


def flush() -> None:
    """Write what is still buffered. Raises OSError if the output can't take it."""
    if sys.stdout:
        sys.stdout.flush()


def give_up() -> None:
    """Send the rest of standard output nowhere, so that the interpreter's own flush at the end can't fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
