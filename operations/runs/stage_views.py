"""The stages of a run as a reader sees them: each with its times, meter and error (pure)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from operations.runs.history import History, StageStatus
from shared.contracts.record import Record, passed, unknown_stages
from shared.contracts.stages import BY_KEY, EVERY, STAGES

_METER = (
    "queue_wait_ms",
    "work_ms",
    "attempt",
    "receives",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "model_id",
    "revision",
)


class StageView(Struct, frozen=True, kw_only=True):
    """One stage of a journey. `degraded`: it failed, and the run continued without it.

    `started_at` and `finished_at` are known from the history only.
    """

    key: str
    state: str
    service: str
    critical: bool
    status: StageStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    queue_wait_ms: int | None = None
    work_ms: int | None = None
    attempt: int | None = None
    receives: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | UnsetType = UNSET
    cache_write_tokens: int | UnsetType = UNSET
    model_id: str | None = None
    revision: str | UnsetType = UNSET
    """A hash of the code that the function ran; absent if its deployment did not tell it."""
    error: str | None = None
    cause: str | None = None
    paused_ms: int | UnsetType = UNSET
    """The pauses until redrives at this stage; absent if there are none."""

    @property
    def cached_tokens(self) -> int:
        """The tokens of the prompt that were read from a cache or written to it."""
        return (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt."""
        return (self.input_tokens or 0) + self.cached_tokens

    @property
    def is_ending(self) -> bool:
        """Whether the stage's work is done and the execution has not left its state yet."""
        return self.status == "done" and self.started_at is not None and self.finished_at is None

    @property
    def took_ms(self) -> int | None:
        """The milliseconds from entering the state to leaving it; if unknown, those that the worker measured."""
        if self.started_at and self.finished_at:
            return round((self.finished_at - self.started_at).total_seconds() * 1000)
        if self.queue_wait_ms is None or self.work_ms is None:
            return None
        return self.queue_wait_ms + self.work_ms


def views_of_stages(status: str, record: Record, execution: History) -> Iterator[StageView]:
    """Yield the views of this release's stages, and of those that only the run's record or history has.

    A stage that this release lacks stands where it was entered; if that is not known, before the last stage.
    """
    seen = {*execution.stages, *(record.get("stages") or {}), record.get("stage")}
    stages = [stage for stage in EVERY if stage in STAGES or stage.key in seen]
    views = [_stage(stage.key, stage.key, status, record, execution) for stage in stages]
    for key, name in _unknown(record, execution):
        view = _stage(key, name, status, record, execution)
        entered = [
            place for place, other in enumerate(views, 1) if _is_earlier(other.started_at, view.started_at)
        ]
        views.insert(max(entered, default=0) if view.started_at else len(views) - 1, view)
    yield from views


def _is_earlier(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one <= other


def _unknown(record: Record, execution: History) -> Iterator[tuple[str, str]]:
    """Yield the key and the name in the history of each stage that this release lacks.

    The history has a state's name and the record a stage's key: what has the same meter is the same stage.
    """
    entered = [name for name in execution.stages if name not in BY_KEY]
    keys, meters = unknown_stages(record), record.get("stages") or {}
    for key in keys:
        same = [name for name in entered if execution.stages[name].meter == meters.get(key)]
        name = same[0] if same else entered[0] if len(entered) == len(keys) == 1 else key
        entered = [other for other in entered if other != name]
        yield key, name
    yield from zip(entered, entered, strict=True)


def _stage(key: str, name: str, status: str, record: Record, execution: History) -> StageView:
    """Return the view of a stage; `name` is its name in the history, which for a known stage is its key."""
    stage, seen = BY_KEY.get(key), execution.stages.get(name)
    meters, errors = record.get("stages") or {}, record.get("errors") or {}
    meter = meters.get(key) or (seen.meter if seen else None) or {}
    error = errors.get(key) or {}
    known: dict[str, Any] = {"status": _unseen(key, status, record, execution)}
    if seen:
        known = {
            # The record is written just before the last state ends.
            "status": "done" if seen.status == "running" and status == "SUCCEEDED" else seen.status,
            "started_at": seen.started_at,
            "finished_at": seen.finished_at,
            # An execution that was stopped has no error of its own; its record names one.
            "error": seen.error or (record.get("error") if seen.status == "failed" else None),
            "cause": seen.cause or (record.get("cause") if seen.status == "failed" else None),
            "attempt": seen.retries,
            "paused_ms": seen.paused_ms or UNSET,
        }
    return StageView(
        key=key,
        state=stage.state if stage else name,
        service=stage.service if stage else "",
        critical=stage.critical if stage else record.get("stage") == key,
        **{
            **known,
            **{name: value for name, value in meter.items() if name in _METER and value is not None},
            **({"error": error.get("Error"), "cause": error.get("Cause")} if error else {}),
        },
    )


def _unseen(key: str, status: str, record: Record, execution: History) -> StageStatus:
    """Return the status of a stage that the history does not contain, also if there is no history any more."""
    if key in (record.get("errors") or {}) or key in (record.get("degraded") or ()):
        return "degraded"
    if status == "SUCCEEDED":
        return "done" if key in passed(record) else "skipped"
    if status == "FAILED" and record.get("stage") == key:
        return "failed"
    if execution.status not in ("RUNNING", "SUCCEEDED"):
        return "skipped"
    return "unknown" if status == "FAILED" else "waiting"
