"""The worker: takes a batch from a service's queue and settles each message.

`inbox` reads a message, `policy` decides what to do with it, `outcome` reports the result; the worker connects the
three.
"""

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from shared.bus import Bus
from shared.contracts.envelope import trace_id
from shared.contracts.stages import STARTS_BEFORE_LOST
from shared.errors import ContractViolation, PipelineError, TokenSettled, TransientError, WorkerLost
from shared.observability import about_no_run, about_run, flush, where
from shared.parking import ParkingLot
from shared.worker.inbox import AnyRoute, ExternalRoute, Inbox, Job, Message, Route, received
from shared.worker.outcome import Billed, Callback, Held, Outcomes, Paid, meter
from shared.worker.policy import Ending, Step, Wait, ending, steps, wait_of

if TYPE_CHECKING:  # imported at the first message that was delivered before
    from shared.worker.starts import End, Starts

__all__ = ["AnyRoute", "Billed", "ExternalRoute", "Held", "Paid", "Route", "Worker"]


class Worker:
    """Handles a queue's messages; `handle` does all the work of a Lambda function.

    `routes` are keyed by detail-type. All versions of an event have one route, keyed by the newest one that the
    service reads. `starts` makes the count of starts, at the first message that was delivered before; without it,
    starts are not counted, and SQS alone ends the deliveries of a message that kills its workers.
    """

    def __init__(  # noqa: PLR0913 -- the worker's parts, each of which a test replaces
        self,
        *,
        service: str,
        routes: Mapping[str, AnyRoute],
        callback: Callback,
        parking: ParkingLot,
        bus: Bus,
        starts: "Callable[[], Starts] | None" = None,
    ) -> None:
        self._callback = callback
        self._starts = cache(starts) if starts else None
        self._inbox = Inbox(service, routes)
        self._outcomes = Outcomes(service, callback, parking, bus)

    def handle(self, event: dict[str, Any], _: Any) -> dict[str, Any]:
        """Handle one batch. Returns SQS's partial batch response, which names the messages to deliver again."""
        records = event["Records"]
        failures = []
        try:
            for record in records:
                try:
                    self.process(record, len(records))
                except Exception:  # noqa: BLE001 -- each message has its own end, whatever happens to the others
                    failures.append({"itemIdentifier": record["messageId"]})
        finally:
            self._outcomes.is_first_batch = False
            flush()
        return {"batchItemFailures": failures}

    def process(self, record: Mapping[str, Any], batch: int = 1) -> None:
        """Handle one message; `batch` is the size of its batch. Raises if it must be delivered again."""
        about_no_run()
        message = received(record, batch)
        try:
            self._settle(message)
        except TokenSettled as error:
            self._outcomes.drop(message, error)
        except PipelineError as error:
            self._outcomes.redeliver(message, error)
            raise

    def _settle(self, message: Message) -> None:
        job = self._inbox.read(message)
        if message.metadata:
            pipeline_id = message.metadata.pipeline_id
            about_run(pipeline_id, trace_id(message.metadata.traceparent, pipeline_id))
        if isinstance(job, ContractViolation):
            return self._outcomes.reject(message, job)
        began = time.perf_counter()
        try:
            result = self._result(job, began)
            if isinstance(result, Held):
                return self._outcomes.hold(message, result, began)
        except Exception as error:  # noqa: BLE001 -- whatever a stage raises, its outcome is reported
            return self._fail(message, error)
        return self._outcomes.succeed(message, result, began)

    def _result(self, job: Job, began: float) -> Struct | None:
        """Return the result of the route's `run`, or the one that an earlier delivery or attempt stored.

        Raises TokenSettled or WorkerLost if the policy forbids calling `run`.
        """
        route, message = job.route, job.message
        for step in steps(receives=message.receives, wait=_wait(job), pays=route.pays):
            if step is Step.RUN:
                return _run(job, began)
            if step is Step.RUN_UNLESS_LOST:
                end = self._begin(message)
                if end is not None:
                    return _run_and(end, job, began)
            elif step is Step.RECALL:
                stored = route.recall(*job.arguments, message.sent_ms) if route.recall else None
                if stored is not None:
                    return stored
            elif step is Step.SKIP or (step is Step.SKIP_IF_OVER and self._is_over(message)):
                raise TokenSettled("The task is over, or would end before the work.")
        raise WorkerLost(
            f"{STARTS_BEFORE_LOST} starts of the message ended without an outcome; it is not run again "
            f"(delivery {message.receives})."
        )

    def _begin(self, message: Message) -> "End | None":
        """Count a start; return the function that takes it back, or None if the message is not to be started."""
        return self._starts().begin(message) if self._starts else _nothing

    def _is_over(self, message: Message) -> bool:
        return message.token is not None and self._callback.is_settled(message.token)

    def _fail(self, message: Message, error: Exception) -> None:
        verdict = ending(error, awaited=message.token is not None, attempt=message.attempt)
        if verdict is Ending.REJECT and isinstance(error, ContractViolation):
            return self._outcomes.reject(message, error)
        if not isinstance(error, PipelineError) or isinstance(error, ContractViolation):
            error = TransientError(f"Unexpected error: {where(error)}")
        if verdict is Ending.GIVE_UP:
            return self._outcomes.give_up(message, error)
        if verdict is Ending.REPORT:
            return self._outcomes.report(message, error)
        raise error


def _nothing() -> None:
    """Take back a start that was not counted."""


def _wait(job: Job) -> Wait:
    """Return how late a message is handled. A message without a task can't be late."""
    route, message = job.route, job.message
    if isinstance(route, ExternalRoute) or message.token is None:
        return Wait.FRESH
    return wait_of(
        waited_ms=message.queue_wait_ms,
        told_ms=message.task_age_ms(),
        task_ms=route.task_ms,
        work_ms=route.work_ms,
    )


def _run(job: Job, began: float) -> Struct | None:
    route, message = job.route, job.message
    if isinstance(route, ExternalRoute):
        route.run(*job.arguments)
        return None
    return route.run(*job.arguments, **({"meter": meter(message, began)} if route.metered else {}))


def _run_and(end: "End", job: Job, began: float) -> Struct | None:
    """Run, and take the start back however the run ends. A worker that dies, or exits, takes nothing back."""
    try:
        result = _run(job, began)
    except Exception:
        end()
        raise
    end()
    return result
