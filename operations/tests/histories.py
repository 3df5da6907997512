"""Histories of executions, built event by event in AWS's format."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.runs.history import History, read_history

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
METER = {"queue_wait_ms": 4, "work_ms": 9, "attempt": 0, "receives": 1}


class Story:
    """Builds a history; each event is 10 ms after the one before."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.add("ExecutionStarted")

    def add(self, kind: str, **details: Any) -> "Story":
        at = START + timedelta(milliseconds=10 * len(self.events))
        self.events.append({"type": kind, "timestamp": at, "id": len(self.events) + 1, **details})
        return self

    def enter(self, state: str) -> "Story":
        return self.add("TaskStateEntered", stateEnteredEventDetails={"name": state})

    def ask(self, resource: str = "putEvents.waitForTaskToken") -> "Story":
        details = {"resource": resource}
        return (
            self.add("TaskScheduled", taskScheduledEventDetails=details)
            .add("TaskStarted")
            .add("TaskSubmitted")
        )

    def fail(self, error: str = "Pipeline.Transient", cause: str = "throttled") -> "Story":
        return self.add("TaskFailed", taskFailedEventDetails={"error": error, "cause": cause})

    def succeed(self, output: Any = None) -> "Story":
        text = json.dumps(output or {"data": {}, "meter": METER})
        return self.add("TaskSucceeded", taskSucceededEventDetails={"output": text})

    def leave(self) -> "Story":
        return self.add("TaskStateExited")

    def done(self, state: str) -> "Story":
        return self.enter(state).ask().succeed().leave()

    def read(self) -> History:
        return read_history(self.events)
