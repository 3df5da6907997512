"""The statuses of runs and stages, each with a mark and a word, so that nothing is told by colour alone."""

from collections.abc import Mapping

from msgspec import Struct


class Status(Struct, frozen=True, kw_only=True):
    """How a status is shown. `tone` is the name of a colour in the style sheet."""

    mark: str
    word: str
    tone: str


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
    "skipped": Status(mark="-", word="skipped", tone="still"),
}


def of_run(status: str, degraded: tuple[str, ...] = ()) -> Status:
    """Return how a run's status is shown; a success without some stage is marked as such."""
    if status == "SUCCEEDED" and degraded:
        return DEGRADED
    return RUNS.get(status, Status(mark="?", word=status[:20].lower() or "unknown", tone="still"))


def of_stage(status: str) -> Status:
    return STAGES.get(status, _UNKNOWN)
