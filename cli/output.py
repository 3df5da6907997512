"""Makes output safe: any encoding prints any text, and an output that fails ends a command without a traceback."""

import codecs
import json
import os
import re
import sys

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


def make_safe() -> None:
    """Let standard output and error print any text, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not if it is closed, or a test's
            stream.reconfigure(errors="plain")


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
