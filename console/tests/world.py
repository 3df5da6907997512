"""Runs for the tests of pages: moto's table, and a double of Step Functions with histories."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.target import Target
from operations.tests.histories import Story
from operations.tests.world import finish
from shared.records import Records
from shared.tests.fakes import client_error

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Machine:
    """Step Functions with the executions that a test puts into it, the newest first."""

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.inputs: dict[str, str] = {}
        self.calls: list[str] = []

    def add(self, name: str, status: str, history: Iterable[dict[str, Any]] = ()) -> None:
        at = NOW - timedelta(seconds=len(self.executions))
        ended = {} if status == "RUNNING" else {"stopDate": at + timedelta(seconds=2)}
        self.executions[name] = {"name": name, "status": status, "startDate": at, **ended}
        self.histories[name] = list(history) or Story().events

    def list_executions(self, **options: Any) -> dict[str, Any]:
        self.calls.append("list")
        wanted = options.get("statusFilter")
        kept = [one for one in self.executions.values() if wanted in (None, one["status"])]
        start, size = int(options.get("nextToken", "0")), options["maxResults"]
        more = {"nextToken": str(start + size)} if start + size < len(kept) else {}
        return {"executions": kept[start : start + size], **more}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        name = executionArn.rpartition(":")[2]
        if name not in self.executions:
            raise client_error("ExecutionDoesNotExist", "DescribeExecution")
        return {**self.executions[name], "input": self.inputs.get(name, "{}")}

    def get_execution_history(self, *, executionArn: str, **_: Any) -> dict[str, Any]:
        self.calls.append("history")
        name = executionArn.rpartition(":")[2]
        if name not in self.histories:
            raise client_error("ExecutionDoesNotExist", "GetExecutionHistory")
        return {"events": self.histories[name]}

    def get_paginator(self, _: str) -> "Machine":
        return self

    def paginate(self, *, executionArn: str) -> list[dict[str, Any]]:
        return [self.get_execution_history(executionArn=executionArn)]


@pytest.fixture
def machine(target: Target, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Put a `Machine` in the place of the target's Step Functions."""
    double = Machine()
    inner = target.client
    monkeypatch.setattr(target, "client", lambda name: double if name == "stepfunctions" else inner(name))
    return double


def add_run(
    machine: Machine,
    records: Records,
    name: str,
    status: str = "SUCCEEDED",
    story: Story | None = None,
    **fields: Any,
) -> None:
    """Add a run with its execution and record."""
    machine.add(name, status, story.events if story else ())
    if status in ("SUCCEEDED", "FAILED"):
        finish(records, name, status=status, **fields)
    else:
        records.accept(name, user_message="What is a monad?", accepted_at="2026-11-22T10:00:00.000Z")
