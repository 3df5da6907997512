"""The questions that were asked from this machine's console: their runs' ids and when, without any text.

The file of an environment is its owner's alone. A console that can't write it works without: the list is shorter.
"""

import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from operations.files import replace_file

KEPT = 50


class Question(Struct, frozen=True, kw_only=True):
    """A question that was asked; `after` is the run whose conversation it continued, `again` one that it repeats."""

    pipeline_id: str
    at: datetime
    after: str = ""
    again: str = ""


class Questions:
    """The file of the questions. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._own: list[Question] = []

    def add(self, pipeline_id: str, after: str = "", again: str = "") -> None:
        """Note a question; one that is asked again moves to the front."""
        asked = Question(pipeline_id=pipeline_id, at=datetime.now(UTC), after=after, again=again)
        with self._lock:
            kept = [one for one in self._read() if one.pipeline_id != pipeline_id]
            self._own = [*kept, asked][-KEPT:]
            content = b"".join(msgspec.json.encode(one) + b"\n" for one in self._own)
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(self._path, content)
                self._path.chmod(0o600)
            except OSError:
                return

    def latest(self, most: int = KEPT) -> list[Question]:
        """Return the questions, the newest first."""
        with self._lock:
            return self._read()[::-1][:most]

    def find(self, pipeline_id: str) -> Question | None:
        return next((one for one in self.latest() if one.pipeline_id == pipeline_id), None)

    def before(self, pipeline_id: str) -> str:
        """Return the run whose conversation a run continues; empty if it was not asked here. No record names it."""
        question = self.find(pipeline_id)
        return question.after if question else ""

    def repeated(self, pipeline_id: str) -> str:
        """Return the run that a run repeats; empty if it was not asked here, or repeats none. No record names it."""
        question = self.find(pipeline_id)
        return question.again if question and question.again != pipeline_id else ""

    def _read(self) -> list[Question]:
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return self._own
        found = []
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=Question))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        return found
