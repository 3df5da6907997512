"""Reports a message's outcome: to Step Functions, the DLQ, the publisher, the log and the metrics."""

import os
import platform
import re
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from botocore.exceptions import ClientError
from msgspec import UNSET, Struct

from shared.aws import error_code, translated_errors
from shared.bus import Bus
from shared.contracts import v1
from shared.contracts.envelope import Outgoing
from shared.contracts.limits import CAUSE_CHARS, ERROR_CHARS, ID_CHARS, PIPELINE_ID_PATTERN, REVISION_CHARS
from shared.errors import ContractViolation, PipelineError, TokenSettled
from shared.metrics import (
    ATTEMPTS,
    ERRORS,
    INPUT_TOKENS,
    LATE_CALLBACKS,
    OUTPUT_TOKENS,
    PARKED,
    QUEUE_WAIT,
    REDELIVERIES,
    REJECTIONS_NOT_PUBLISHED,
    WORK_TIME,
    Metric,
)
from shared.observability import emit, logger
from shared.parking import ParkingLot
from shared.settings import REVISION
from shared.worker.inbox import Message

R_co = TypeVar("R_co", bound=Struct, covariant=True)

REJECTED = "-rejected"
"""The suffix of the id of an event about a rejection."""
NOT_CARRIED = {0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}
"""Noncharacters, which SQS does not carry to the next stage, and what a result has in their place."""

SUCCEEDED, FAILED, HELD = "Succeeded", "Failed", "Held"
"""Outcomes that are logged but not counted. Counts of errors by type and of ended runs exist already."""
_ARCHITECTURES = {"aarch64": "arm64", "AMD64": "x86_64"}


class Billed(Struct, frozen=True, kw_only=True):
    """The usage of one delivery. `recalled`: an earlier delivery, attempt or execution paid for the answer."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    model_id: str | None = None
    recalled: bool = False


class Paid(Struct, Generic[R_co], frozen=True, kw_only=True):
    """The return value of a paid stage's run: its result, and the usage it is billed for."""

    result: R_co
    billed: Billed


class Held(Struct, frozen=True, kw_only=True):
    """The return value of a run whose outcome comes later, from elsewhere: no function waits for it.

    `keep` gets the task's token and the run's meter. It stores them durably, or raises.
    """

    keep: Callable[[str, v1.Meter], None]


def meter(message: Message, began: float, billed: Billed | None = None) -> v1.Meter:
    """Return the meter of a stage run that started at `began`, a reading of time.perf_counter."""
    machine, billed = platform.machine(), billed or Billed()
    return v1.Meter(
        queue_wait_ms=message.queue_wait_ms,
        work_ms=round((time.perf_counter() - began) * 1000),
        attempt=message.attempt,
        receives=message.receives,
        input_tokens=billed.input_tokens,
        output_tokens=billed.output_tokens,
        cache_read_tokens=billed.cache_read_tokens or UNSET,
        cache_write_tokens=billed.cache_write_tokens or UNSET,
        model_id=billed.model_id,
        recalled=billed.recalled,
        batch=message.batch,
        message_bytes=len(message.body.encode()),
        memory_mb=int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")) or None,
        architecture=_ARCHITECTURES.get(machine, machine),
        revision=os.environ.get(REVISION, "")[:REVISION_CHARS] or UNSET,
    )


# For a settled token, moto answers InvalidToken, the local engine always TaskDoesNotExist, AWS any of the three.
SETTLED_CODES = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class Callback:
    """Reports outcomes. Raises TokenSettled if the task is over, else what `translated_errors` raises."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def succeed(self, token: str, output: str) -> None:
        self._call(self._client.send_task_success, taskToken=token, output=output)

    def fail(self, token: str, error: str, cause: str) -> None:
        self._call(
            self._client.send_task_failure,
            taskToken=token,
            error=error[:ERROR_CHARS],
            cause=cause[:CAUSE_CHARS],
        )

    def is_settled(self, token: str) -> bool:
        """Whether the task is known to be over. Returns False if Step Functions can't be reached."""
        try:
            self._call(self._client.send_task_heartbeat, taskToken=token)
        except TokenSettled:
            return True
        except PipelineError:
            return False
        return False

    @staticmethod
    def _call(operation: Any, **parameters: str) -> None:
        with translated_errors():
            try:
                operation(**parameters)
            except ClientError as error:
                if (code := error_code(error)) in SETTLED_CODES:
                    raise TokenSettled(code) from error
                raise


class Outcomes:
    """Reports the outcomes of a service's messages.

    Each method raises TokenSettled if the task is over, and TransientError or PermanentError if a call to AWS fails:
    after either of the latter, the message is delivered again.
    """

    def __init__(self, service: str, callback: Callback, parking: ParkingLot, bus: Bus) -> None:
        self._service = service
        self._callback = callback
        self._parking = parking
        self._bus = bus
        self._ready_ms = time.time() * 1_000
        self.is_first_batch = True
        """Whether this is the first batch of the process: what was sent before waited while the function started."""

    def succeed(self, message: Message, result: Struct | None, began: float) -> None:
        """Send the stage's result and meter to Step Functions, if a task waits for them."""
        if message.token is None:
            return self._note(SUCCEEDED, message, "done")
        billed = None
        if isinstance(result, Paid):
            billed, result = result.billed, result.result
        metered = meter(message, began, billed)
        output = msgspec.json.encode({"data": result, "meter": metered}).decode()
        self._callback.succeed(message.token, output.translate(NOT_CARRIED))
        emit(QUEUE_WAIT, message.queue_wait_ms)
        emit(WORK_TIME, metered.work_ms)
        emit(ATTEMPTS, metered.attempt + 1)
        _emit_tokens(metered)
        return self._note(SUCCEEDED, message, "done", work_ms=metered.work_ms)

    def hold(self, message: Message, held: Held, began: float) -> None:
        """Let somebody else report the outcome later: store the task's token and meter, and send nothing."""
        if message.token is None:
            return self._note(SUCCEEDED, message, "no task waits for an outcome")
        metered = meter(message, began)
        held.keep(message.token, metered)
        emit(QUEUE_WAIT, message.queue_wait_ms)
        emit(WORK_TIME, metered.work_ms)
        emit(ATTEMPTS, metered.attempt + 1)
        return self._note(HELD, message, "the task waits", work_ms=metered.work_ms)

    def reject(self, message: Message, violation: ContractViolation) -> None:
        """Park a message that breaks its contract, publish contract.rejected, and fail its task."""
        self._park(message, violation)
        try:
            self._bus.publish([self._rejection(message, violation)])
        except PipelineError as failure:
            self._note(REJECTIONS_NOT_PUBLISHED, message, failure.cause)
        self.report(message, violation)

    def give_up(self, message: Message, error: PipelineError) -> None:
        """Park a message that nobody retries, then fail its task."""
        self._park(message, error)
        if message.token is not None and message.metadata:
            emit(ATTEMPTS, message.attempt + 1)
        self.report(message, error)

    def report(self, message: Message, error: PipelineError) -> None:
        """Report a failed attempt to Step Functions, if a task waits; Step Functions decides about a retry."""
        if message.token is not None:
            self._callback.fail(message.token, error.NAME, error.cause[:CAUSE_CHARS])
        emit(ERRORS, error_type=error.NAME)
        _emit_wasted(error)
        self._note(FAILED, message, error.cause, error=error.NAME)

    def drop(self, message: Message, error: PipelineError) -> None:
        """Log and count a message whose task is over, or would end before the work: nobody waits for its outcome."""
        emit(ERRORS, error_type=error.NAME)
        self._note(LATE_CALLBACKS, message, "the task was over before its outcome arrived")

    def redeliver(self, message: Message, error: PipelineError) -> None:
        """Log and count a message that stays in its queue, to be delivered again."""
        emit(ERRORS, error_type=error.NAME)
        self._note(REDELIVERIES, message, f"left for redelivery: {error.cause}", error=error.NAME)

    def _park(self, message: Message, error: PipelineError) -> None:
        self._parking.park(message.body, error, detail_type=message.detail_type, metadata=message.metadata)
        self._note(PARKED, message, error.cause, error=error.NAME)

    def _rejection(self, message: Message, violation: ContractViolation) -> Outgoing:
        rejected_id = _told(message.delivery.id if message.delivery else None)
        metadata = message.metadata
        is_id = rejected_id and re.fullmatch(PIPELINE_ID_PATTERN, rejected_id)
        pipeline_id = (
            metadata.pipeline_id if metadata else rejected_id if is_id and rejected_id else "unknown"
        )
        return Outgoing(
            data=v1.ContractRejected(
                service=self._service,
                rejected_event_id=rejected_id,
                rejected_detail_type=_told(message.detail_type) or "",
                path=violation.path,
                reason=violation.reason,
            ),
            pipeline_id=pipeline_id,
            event_id=f"{rejected_id or pipeline_id}{REJECTED}",
            correlation_id=metadata.correlation_id if metadata else pipeline_id,
            causation_id=rejected_id,
            traceparent=metadata.traceparent if metadata else None,
        )

    def _note(self, outcome: Metric | str, message: Message, text: str, **fields: Any) -> None:
        """Log a message's outcome with all its ids, and count it if it has a metric."""
        if isinstance(outcome, Metric):
            emit(outcome)
        if self.is_first_batch and message.sent_ms <= self._ready_ms:
            fields["cold_start"] = True
        metadata = message.metadata
        level = logger().info if outcome in (SUCCEEDED, HELD) else logger().warning
        level(
            text,
            extra={
                "outcome": outcome.name if isinstance(outcome, Metric) else outcome,
                "detail_type": message.detail_type,
                "message_id": message.message_id,
                "delivery_id": message.delivery.id if message.delivery else None,
                "event_id": metadata.event_id if metadata else None,
                "attempt": metadata.attempt if metadata else None,
                "receives": message.receives,
                "queue_wait_ms": message.queue_wait_ms,
                **fields,
            },
        )


def _told(name: str | None) -> str | None:
    """Return an id or type as a rejection tells it, with room for a suffix; None if it has no such form."""
    return name if name and len(name) <= ID_CHARS - len(REJECTED) and name.isprintable() else None


def _emit_wasted(error: PipelineError) -> None:
    """Count the tokens of an answer that was paid for and can't be used."""
    from shared.contracts.wasted import paid_in  # noqa: PLC0415 -- only failures need it

    if paid := paid_in(error.cause):
        model_id, usage = paid
        _emit_usage(model_id, usage)


def _emit_tokens(metered: v1.Meter) -> None:
    """Count the tokens that were paid for, by model; a recalled answer used none."""
    if metered.model_id and not metered.recalled:
        _emit_usage(metered.model_id, metered)


def _emit_usage(model_id: str, used: v1.Meter | v1.Usage) -> None:
    prompt = used.input_tokens + (used.cache_read_tokens or 0) + (used.cache_write_tokens or 0)
    emit(INPUT_TOKENS, prompt, model=model_id)
    emit(OUTPUT_TOKENS, used.output_tokens, model=model_id)
