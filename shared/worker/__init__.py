"""The worker: takes a batch from a service's queue and settles each message.

`inbox` reads a message, `policy` decides what to do with it, `outcome` reports the result; the worker connects the
three.
"""

import time
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from msgspec import Struct

from shared.bus import Bus
from shared.contracts.envelope import trace_id
from shared.errors import ContractViolation, PipelineError, TokenSettled, TransientError, WorkerLost
from shared.observability import about_no_run, about_run, flush, where
from shared.parking import ParkingLot
from shared.worker.inbox import AnyRoute, ExternalRoute, Inbox, Job, Message, Route, received
from shared.worker.outcome import Billed, Callback, Outcomes, Paid, meter
from shared.worker.policy import Ending, Step, ending, steps

__all__ = ["AnyRoute", "Billed", "ExternalRoute", "Paid", "Route", "Worker"]


class Worker:
    """Handles a queue's messages; `handle` does all the work of a Lambda function.

    `routes` are keyed by detail-type. All versions of an event have one route, keyed by the newest one that the
    service reads.
    """

    def __init__(
        self,
        *,
        service: str,
        routes: Mapping[str, AnyRoute],
        callback: Callback,
        parking: ParkingLot,
        bus: Bus,
    ) -> None:
        self._callback = callback
        self._inbox = Inbox(service, routes)
        self._outcomes = Outcomes(service, callback, parking, bus)
        self._processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Handle one batch. Returns SQS's partial batch response, which names the messages to deliver again."""
        batch = max(1, len(event["Records"]))
        try:
            return dict(
                process_partial_response(
                    event=event,
                    record_handler=lambda record: self.process(record.raw_event, batch),
                    processor=self._processor,
                    context=context,
                )
            )
        finally:
            flush()

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
        except Exception as error:  # noqa: BLE001 -- whatever a stage raises, its outcome is reported
            return self._fail(message, error)
        return self._outcomes.succeed(message, result, began)

    def _result(self, job: Job, began: float) -> Struct | None:
        """Return the result of the route's `run`, or the one that an earlier delivery or attempt stored.

        Raises TokenSettled or WorkerLost if the policy forbids calling `run`.
        """
        route, message = job.route, job.message
        if isinstance(route, ExternalRoute) or message.token is None:
            route.run(*job.arguments)
            return None
        for step in steps(
            receives=message.receives,
            waited_ms=message.queue_wait_ms,
            left_ms=None if route.task_ms is None else route.task_ms - message.queue_wait_ms,
            pays=route.pays,
        ):
            if step is Step.RUN:
                return route.run(
                    *job.arguments, **({"meter": meter(message, began)} if route.metered else {})
                )
            if step is Step.RECALL:
                stored = route.recall(*job.arguments) if route.recall else None
                if stored is not None:
                    return stored
            elif step is Step.SKIP or (
                step is Step.SKIP_IF_OVER and self._callback.is_settled(message.token)
            ):
                raise TokenSettled("The task is over, or would end before the work.")
        raise WorkerLost(f"The message was delivered {message.receives} times without an outcome.")

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
