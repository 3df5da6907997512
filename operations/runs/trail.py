"""The trail of an execution: its events, and each stage's input, output and tries. Task tokens are taken out.

A journey folds the history to one line for each stage; the trail keeps each try with its error, which a retry hides.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import ClientError
from msgspec import Struct

from operations.aws_errors import translated
from operations.json_text import written
from operations.runs.executions import UNKNOWN_EXECUTION
from operations.runs.history import ENDS, FAILURES
from operations.target import Target
from shared.contracts.stages import BY_STATE
from shared.errors import TASK_ERROR, TIMEOUT_ERROR

PAGE = 1_000
"""Events in one answer, at most. A run without redrives has fewer than a hundred."""

Outcome = Literal["open", "succeeded", "failed", "stopped"]

_TOKEN = re.compile(r'((\\*)"(?:task_?token)\2"\s*:\s*)\2"([^"\\]*)(?:\2")?', re.IGNORECASE)
_REMOVED = "(removed)"
SHORTEST_TOKEN = 8
"""A shorter text is no token of Step Functions, and would be removed from innocent places."""


class Try(Struct, frozen=True, kw_only=True):
    """One try of a stage, from the moment it was scheduled. `redrive` counts the redrives before it."""

    number: int
    redrive: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome = "open"
    error: str | None = None
    cause: str | None = None
    output: str | None = None


class Visit(Struct, frozen=True, kw_only=True):
    """One stay in a state. `key` is the stage's; null for a state of no stage, e.g. the one that stores an answer."""

    state: str
    key: str | None
    entered_at: datetime
    left_at: datetime | None = None
    input: str | None = None
    tries: tuple[Try, ...] = ()
    is_choice: bool = False
    """Whether the state only decides which one is next."""

    @property
    def output(self) -> str | None:
        return self.tries[-1].output if self.tries else None


class Event(Struct, frozen=True, kw_only=True):
    """One event of the history. `details` is its JSON without task tokens."""

    number: int
    at: datetime
    type: str
    state: str | None
    details: str
    is_failure: bool


class Trail(Struct, frozen=True, kw_only=True):
    """An execution's trail so far. `cut`: there are more events than were read."""

    execution_arn: str
    events: tuple[Event, ...] = ()
    visits: tuple[Visit, ...] = ()
    cut: bool = False


def read_trail(target: Target, execution_arn: str) -> Trail | None:
    """Read an execution's trail; None if Step Functions does not know it, or not any more (after 90 days)."""
    with translated("read the execution's history"):
        try:
            answer = target.client("stepfunctions").get_execution_history(
                executionArn=execution_arn, maxResults=PAGE
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in UNKNOWN_EXECUTION:
                return None
            raise
    return trail(execution_arn, answer["events"], cut=bool(answer.get("nextToken")))


def trail(execution_arn: str, events: Iterable[Mapping[str, Any]], *, cut: bool = False) -> Trail:
    """Make a trail of the events of GetExecutionHistory, oldest first (pure)."""
    clean = without_tokens(list(events))
    builder = _Builder()
    for event in clean:
        builder.add(event)
    return Trail(
        execution_arn=execution_arn,
        events=tuple(builder.events),
        visits=tuple(visit.done() for visit in builder.visits),
        cut=cut,
    )


class _OpenVisit:
    def __init__(self, state: str, entered_at: datetime, entry: str | None, *, is_choice: bool) -> None:
        self.state, self.entered_at, self.input, self.is_choice = state, entered_at, entry, is_choice
        self.left_at: datetime | None = None
        self.tries: list[Try] = []

    def done(self) -> Visit:
        stage = BY_STATE.get(self.state)
        return Visit(
            state=self.state,
            key=stage.key if stage else None,
            entered_at=self.entered_at,
            left_at=self.left_at,
            input=self.input,
            tries=tuple(self.tries),
            is_choice=self.is_choice,
        )


class _Builder:
    """Folds events in their order. States run one after the other, so an event belongs to the one entered last."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.visits: list[_OpenVisit] = []
        self._redrives = 0

    def add(self, event: Mapping[str, Any]) -> None:
        kind, at = str(event["type"]), event["timestamp"]
        details = _details(event)
        if kind.endswith("StateEntered"):
            name, is_choice = str(details.get("name") or ""), kind.startswith("Choice")
            self.visits.append(_OpenVisit(name, at, details.get("input"), is_choice=is_choice))
        visit = self.visits[-1] if self.visits else None
        failed = kind in FAILURES or kind.endswith(("Failed", "TimedOut", "Aborted"))
        self.events.append(
            Event(
                number=int(event.get("id") or len(self.events) + 1),
                at=at,
                type=kind,
                state=visit.state if visit and visit.left_at is None else None,
                details=written(details, indent=1) if details else "",
                is_failure=failed,
            )
        )
        if kind == "ExecutionRedriven":
            self._redrives += 1
        elif visit is not None and visit.left_at is None:
            self._step(visit, kind, at, details)

    def _step(self, visit: _OpenVisit, kind: str, at: datetime, details: Mapping[str, Any]) -> None:
        if kind == "TaskScheduled":
            number = len(visit.tries) + 1
            visit.tries.append(Try(number=number, redrive=self._redrives, started_at=at))
        elif kind == "TaskSucceeded":
            self._end(visit, at, "succeeded", output=details.get("output"))
        elif kind in FAILURES:
            default = TIMEOUT_ERROR if kind == "TaskTimedOut" else TASK_ERROR
            error = details.get("error") or default
            self._end(visit, at, "failed", error=error, cause=details.get("cause"))
        elif kind.endswith("StateExited"):
            visit.left_at = at
        elif kind in ENDS:
            self._end(visit, at, "stopped", error=details.get("error"), cause=details.get("cause"))

    def _end(self, visit: _OpenVisit, at: datetime, outcome: Outcome, **fields: str | None) -> None:
        """End the last try, if it has not ended: an execution's end repeats the error of its last try."""
        last = visit.tries[-1] if visit.tries else None
        if last is None or last.outcome != "open":
            return
        visit.tries[-1] = Try(
            number=last.number,
            redrive=last.redrive,
            started_at=last.started_at,
            ended_at=at,
            outcome=outcome,
            **fields,
        )


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event's details, whose name depends on its type."""
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})


# --- task tokens -------------------------------------------------------------------------------------------


def without_tokens(value: Any) -> Any:
    """Return a value without the task tokens in its texts: neither where they are named nor where they are quoted."""
    found: set[str] = set()

    def collect(text: str) -> str:
        found.update(match[3] for match in _TOKEN.finditer(text))
        return text

    _each_text(value, collect, found.add)
    tokens = sorted((token for token in found if len(token) >= SHORTEST_TOKEN), key=len, reverse=True)

    def clean(text: str) -> str:
        text = redacted(text)
        for token in tokens:
            text = text.replace(token, _REMOVED)
        return text

    return _each_text(value, clean, lambda _: _REMOVED)


def redacted(text: str) -> str:
    """Return a text without the task tokens that it names, also where JSON is quoted in JSON, or cut off."""
    return _TOKEN.sub(rf'\1\2"{_REMOVED}\2"', text) if "token" in text.lower() else text


def _each_text(value: Any, change: Callable[[str], str], named: Callable[[str], Any]) -> Any:
    """Return a value with each text changed, and with each text that is named as a token changed by `named`."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            name: named(inner)
            if isinstance(inner, str) and str(name).lower().replace("_", "") == "tasktoken"
            else _each_text(inner, change, named)
            for name, inner in value.items()
        }
    return (
        [_each_text(inner, change, named) for inner in value] if isinstance(value, (list, tuple)) else value
    )
