"""The statuses of runs and stages, each with a mark and a word, so that nothing is told by colour alone.

Marks are drawn: not every font has their characters, and one that it lacks leaves a gap.
"""

from collections.abc import Mapping

from msgspec import Struct


class Status(Struct, frozen=True, kw_only=True):
    """How a status is shown. `tone` is the name of a colour in the style sheet."""

    mark: str
    word: str
    tone: str


MARKS: Mapping[str, str] = {
    "✓": "M2 6.5 5 9.5 10 2.5",
    "✗": "M2.5 2.5 9.5 9.5M9.5 2.5 2.5 9.5",
    "○": "M10 6A4 4 0 1 1 2 6A4 4 0 1 1 10 6Z",
    "■": "M3.5 3.5H8.5V8.5H3.5Z",
    "!": "M6 1.5V7M6 10V10.1",
    "…": "M2 6H2.1M6 6H6.1M10 6H10.1",
    "·": "M6 6H6.1",
    "-": "M2.5 6H9.5",
    "+": "M2.5 6H9.5M6 2.5V9.5",
    "?": "M4 4A2 2 0 1 1 7 5.7Q6 6.3 6 7.4M6 10V10.1",
}
"""The path of each mark in a square of 12 units."""
_UNKNOWN = Status(mark="?", word="unknown", tone="still")
RUNS: Mapping[str, Status] = {
    "ACCEPTED": Status(mark="○", word="accepted", tone="busy"),
    "RUNNING": Status(mark="…", word="running", tone="busy"),
    "PENDING_REDRIVE": Status(mark="…", word="redriving", tone="busy"),
    "SUCCEEDED": Status(mark="✓", word="succeeded", tone="good"),
    "FAILED": Status(mark="✗", word="failed", tone="bad"),
    "TIMED_OUT": Status(mark="✗", word="timed out", tone="bad"),
    "ABORTED": Status(mark="■", word="stopped", tone="warn"),
}
DEGRADED = Status(mark="!", word="degraded", tone="warn")
STAGES: Mapping[str, Status] = {
    "waiting": Status(mark="·", word="to come", tone="still"),
    "running": Status(mark="…", word="running", tone="busy"),
    "done": Status(mark="✓", word="done", tone="good"),
    "degraded": DEGRADED,
    "failed": Status(mark="✗", word="failed", tone="bad"),
    "redriven": Status(mark="·", word="redriven", tone="still"),
    "skipped": Status(mark="-", word="skipped", tone="still"),
}


def of_run(status: str, degraded: tuple[str, ...] = ()) -> Status:
    """Return how a run's status is shown; a success without some stage is marked as such."""
    if status == "SUCCEEDED" and degraded:
        return DEGRADED
    return RUNS.get(status, Status(mark="?", word=status[:20].lower() or "unknown", tone="still"))


def of_stage(status: str) -> Status:
    return STAGES.get(status, _UNKNOWN)
