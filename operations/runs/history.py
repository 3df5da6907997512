"""The progress of each stage according to an execution's history (pure).

The stages run one after the other, so an event without a state's name belongs to the state entered last.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from operations.json_text import loosely
from shared.contracts.executions import FAILED, STOPPED
from shared.contracts.stages import BY_STATE
from shared.errors import TASK_ERROR, TIMEOUT_ERROR

StageStatus = Literal["waiting", "running", "done", "degraded", "failed", "skipped", "unknown"]

FAILURES = {
    "TaskFailed": "taskFailedEventDetails",
    "TaskTimedOut": "taskTimedOutEventDetails",
    "TaskStartFailed": "taskStartFailedEventDetails",
    "TaskSubmitFailed": "taskSubmitFailedEventDetails",
}
ENDS = {
    "ExecutionFailed": ("FAILED", "executionFailedEventDetails"),
    "ExecutionTimedOut": ("TIMED_OUT", "executionTimedOutEventDetails"),
    "ExecutionAborted": (STOPPED, "executionAbortedEventDetails"),
    "ExecutionSucceeded": ("SUCCEEDED", ""),
}


class Progress(Struct, kw_only=True):
    """The progress of one stage. `retries` counts the attempts after the first."""

    status: StageStatus
    started_at: datetime
    finished_at: datetime | None = None
    retries: int = 0
    error: str | None = None
    cause: str | None = None
    meter: Mapping[str, Any] | None = None
    paused_ms: int = 0
    """From each end of the execution at this stage until its redrive."""


class History(Struct, kw_only=True):
    """An execution's history: the entered `stages`, by key, and its `status`, RUNNING or the final one.

    A stage that this release lacks is named by its state.
    """

    stages: dict[str, Progress] = {}
    status: str = "RUNNING"
    error: str | None = None
    cause: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    redriven: bool = False


def read_history(events: Iterable[Mapping[str, Any]]) -> History:
    """Read the events of GetExecutionHistory, oldest first."""
    history = History()
    current: Progress | None = None
    name, scheduled = "", 0
    for event in events:
        kind, at = event["type"], event["timestamp"]
        if kind == "ExecutionStarted":
            history.started_at = at
        elif kind == "TaskStateEntered":
            name, scheduled = event["stateEnteredEventDetails"]["name"], 0
            current = Progress(status="running", started_at=at)
            if name in BY_STATE:
                history.stages[BY_STATE[name].key] = current
        elif kind == "ExecutionRedriven":
            _redriven(history, current, at)
        elif kind in ENDS:
            _end(history, current, event)
        elif (
            current is not None and history.status not in FAILED
        ):  # what comes after such an end is of no state
            if kind == "TaskScheduled":
                scheduled += 1
                _again(current, scheduled)
                if name not in BY_STATE and _waits(event):
                    history.stages[name] = current
            else:
                _step(current, event)
    return history


def _redriven(history: History, current: Progress | None, at: datetime) -> None:
    if current is not None and history.finished_at:
        current.paused_ms += round((at - history.finished_at).total_seconds() * 1_000)
    history.redriven = True
    history.status, history.error, history.cause, history.finished_at = "RUNNING", None, None, None


def _waits(event: Mapping[str, Any]) -> bool:
    """Return whether a scheduled task waits for a callback, as only the tasks of stages do."""
    details: Mapping[str, Any] = event.get("taskScheduledEventDetails", {})
    return str(details.get("resource", "")).endswith(".waitForTaskToken")


def _again(stage: Progress, scheduled: int) -> None:
    stage.status, stage.finished_at, stage.retries = "running", None, scheduled - 1


def _step(stage: Progress, event: Mapping[str, Any]) -> None:
    kind = event["type"]
    if kind == "TaskSucceeded":
        stage.status, stage.error, stage.cause = "done", None, None
        stage.meter = _meter(event.get("taskSucceededEventDetails", {}).get("output"))
    elif kind in FAILURES:
        details = event.get(FAILURES[kind], {})
        default = TIMEOUT_ERROR if kind == "TaskTimedOut" else TASK_ERROR
        stage.error, stage.cause = details.get("error") or default, details.get("cause")
    elif kind == "TaskStateExited":
        stage.finished_at = event["timestamp"]
        if stage.status != "done":  # left by a Catch
            stage.status = "degraded"


def _end(history: History, stage: Progress | None, event: Mapping[str, Any]) -> None:
    history.status, details_key = ENDS[event["type"]]
    details = event.get(details_key, {})
    history.error, history.cause = details.get("error"), details.get("cause")
    history.finished_at = event["timestamp"]
    if stage is not None and stage.finished_at is None:
        if history.status == "SUCCEEDED":
            stage.status = "done"
        else:
            stage.status = "failed"
            stage.error, stage.cause = stage.error or history.error, stage.cause or history.cause
        stage.finished_at = event["timestamp"]


def _meter(output: str | None) -> Mapping[str, Any] | None:
    """Return the meter in a task's output; None if the history has no output, or a truncated one."""
    value = loosely(output or "null")
    meter = value.get("meter") if isinstance(value, dict) else None
    return meter if isinstance(meter, dict) else None
