"""One execution of the smoke test: its names, its waits, and the runs and the subscriber that several steps share."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from operations.asking.submit import Request, submit
from operations.aws_errors import translated
from operations.errors import DeniedError, OperationError, RefusedError
from operations.money.budget import notice
from operations.runs import executions
from operations.runs.executions import Execution
from operations.runs.records import read_record
from operations.smoke.listener import STAMP, Listener
from operations.smoke.verdicts import Check, failed, not_possible
from operations.stop import Stop
from operations.target import Target
from shared.contracts.executions import STOPPED
from shared.contracts.record import FINAL, Record

MESSAGE = "Smoke test: what is a smoke test? Answer in one sentence."
PATIENCE_SECONDS = 300.0
AGAIN = "Fix the cause, then run this step alone again (--only)."
STOP_TRIES = 3
"""Runs that are submitted to stop one: a quick one may end before it is stopped."""
STOP_PAUSE_SECONDS = 0.1
STOP_ERROR = "Smoke.Stopped"
STOP_CAUSE = "The smoke test stopped this run on purpose."


class InterruptedTrialError(Exception):
    """The user asked to stop while a step was waiting; the step has no verdict."""


class Run(Struct, frozen=True, kw_only=True):
    """A run of the smoke test. `record` is None if it did not end in time."""

    pipeline_id: str
    record: Record | None

    @property
    def is_answered(self) -> bool:
        return self.record is not None and self.record.get("status") == "SUCCEEDED"


class Trial:
    """`name` begins every id that the smoke test chooses. `left` lists the ids of the runs that it has started."""

    def __init__(self, target: Target, *, patience: float, stop: Stop, name: str | None = None) -> None:
        self.target = target
        self.patience = patience
        self.stop = stop
        self.name = name or f"smoke-{datetime.now(UTC):{STAMP}}{secrets.token_hex(1)}"
        self.left: list[str] = []
        self.opened: Listener | None = None

    def wait(
        self, probe: Callable[[], Any], *, seconds: float | None = None, pause: float | None = None
    ) -> Any:
        """Call `probe` until it returns a truthy value, and return that; None after `seconds`.

        Raises InterruptedTrialError if the user asks to stop.
        """
        until = time.monotonic() + (self.patience if seconds is None else seconds)
        while not self.stop.requested:
            if value := probe():
                return value
            if time.monotonic() >= until:
                return None
            self.stop.wait(self.target.pace.poll_seconds if pause is None else pause)
        raise InterruptedTrialError

    @cached_property
    def listener(self) -> Listener:
        """The subscriber, opened when a step first needs it. Raises OperationError, again for each step."""
        if self.opened is None:
            self.opened = Listener(self.target, self.name)
        self.opened.open(self.wait)
        return self.opened

    @property
    def deafness(self) -> Callable[[str], Check] | None:
        """None if the subscriber listens; otherwise a function that makes a subject's check of the reason why not."""
        try:
            _ = self.listener
        except DeniedError as error:
            reason = (
                f"The caller may not subscribe to the bus, so nothing that services publish is heard. {error}"
            )
            return lambda subject: not_possible(subject, reason)
        except OperationError as error:
            text = f"The bus could not be heard. {error}"
            return lambda subject: failed(subject, text, fix=AGAIN)
        return None

    @cached_property
    def api_run(self) -> Run:
        """A run that was submitted through the API, which chooses its id."""
        request = Request(user_message=MESSAGE, idempotency_key=f"{self.name}-api")
        return self.finished(self._submitted(request, "api"))

    @cached_property
    def bus_run(self) -> Run:
        """A run that was submitted by an event."""
        request = Request(user_message=MESSAGE, pipeline_id=f"{self.name}-bus")
        return self.finished(self._submitted(request, "bus"))

    @cached_property
    def stopped_run(self) -> Execution:
        """The execution of a run that was stopped before its end.

        Raises RefusedError if none could be stopped.
        """
        for number in range(1, STOP_TRIES + 1):
            request = Request(user_message=MESSAGE, pipeline_id=f"{self.name}-stopped-{number}")
            arn = self.target.addresses.execution_arn(self._submitted(request, "bus"))
            if not self.wait(partial(self._stop, arn), pause=STOP_PAUSE_SECONDS):
                raise RefusedError(
                    f"No execution was started for the run within {self.patience:.0f} s. {self.why_not_started}"
                )
            execution = executions.describe(self.target, arn)
            if execution is not None and execution.status == STOPPED:
                return execution
        raise RefusedError(f"{STOP_TRIES} runs in a row ended before they could be stopped.")

    def finished(self, pipeline_id: str) -> Run:
        """Wait for the end of a run."""

        def ended() -> Record | None:
            record = self.record(pipeline_id)
            return record if record.get("status") in FINAL else None

        return Run(pipeline_id=pipeline_id, record=self.wait(ended))

    @staticmethod
    def attempt(subject: str, act: Callable[[], Check]) -> Check:
        """Return the check that `act` makes, or a failed one with the text of its error."""
        try:
            return act()
        except OperationError as error:
            return failed(subject, str(error), fix=AGAIN)

    def record(self, pipeline_id: str) -> Record:
        """Return the record so far; an empty one if there is none."""
        return read_record(self.target, pipeline_id) or Record()

    @property
    def why_not_started(self) -> str:
        """A sentence for the user whose run does not start."""
        command = f"pipeline --env {self.target.env}"
        return notice(self.target) or f"See where it waits: `{command} watch`, `{command} doctor --live`."

    def close(self) -> None:
        """Remove the subscriber. Raises OperationError if something of it remains."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None

    def _submitted(self, request: Request, via: Any) -> str:
        pipeline_id = submit(self.target, request, via=via).pipeline_id
        if pipeline_id not in self.left:
            self.left.append(pipeline_id)
        return pipeline_id

    def _stop(self, arn: str) -> bool:
        """Stop the execution; return False if there is none yet. One that has ended is left as it is."""
        with translated("stop the execution"):
            try:
                self.target.client("stepfunctions").stop_execution(
                    executionArn=arn, error=STOP_ERROR, cause=STOP_CAUSE
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                    return False
                if error.response["Error"]["Code"] != "ValidationException":  # it has ended already
                    raise
        return True
