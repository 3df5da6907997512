"""The one stage worker: SQS batch -> contract -> stage function -> callback.

It decides who retries what. A failure a worker can report is retried by Step Functions, and only there;
SQS redelivery is for a worker that died and for a call to AWS that failed. A message without a task token (a
start event, a failed execution's status) has nobody else to retry it: for it a transient failure is a
redelivery.
"""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from msgspec import Struct

from shared.bus import Bus
from shared.callback import Callback
from shared.contracts import v1
from shared.contracts.envelope import SOURCE, Delivery, Detail, Event, Metadata, Outgoing
from shared.contracts.limits import CAUSE_CHARS
from shared.contracts.reading import read, read_metadata, read_upcast
from shared.contracts.stages import RETRY
from shared.contracts.traces import trace_id
from shared.contracts.upcasting import readable
from shared.errors import (
    ContractViolation,
    InProgress,
    PermanentError,
    PipelineError,
    TokenSettled,
    TransientError,
    WorkerLost,
)
from shared.metrics import (
    ATTEMPTS,
    BATCHES,
    ERRORS,
    FAILED,
    INPUT_TOKENS,
    LATE_CALLBACKS,
    OUTPUT_TOKENS,
    PARKED,
    QUEUE_WAIT,
    REDELIVERIES,
    REJECTIONS_NOT_PUBLISHED,
    SUCCEEDED,
    WORK_TIME,
    Metric,
)
from shared.observability import about_no_run, about_run, emit, flush, logger, where
from shared.parking import ParkingLot

E = TypeVar("E", bound=Event)

RECEIVES_BEFORE_LOST = 3
"""A stage's message that comes for the third time has killed its worker twice."""

STALE_MS = 5_000

WORK_MS = 30_000
"""A stage that pays does not begin with less than this left of its task's time: the answer might come too late."""

_ARCHITECTURES = {"aarch64": "arm64", "AMD64": "x86_64"}


class Billed(Struct, frozen=True, kw_only=True):
    """What a stage's run is billed for, for its meter. `recalled`: an earlier one was, and left its answer."""

    input_tokens: int = 0
    output_tokens: int = 0
    model_id: str | None = None
    recalled: bool = False


def nothing_billed(_: object) -> Billed:
    return Billed()


def nothing_stored(*_: object) -> None:
    """For a stage that is cheap and can be run again."""


class Route(Struct, Generic[E], frozen=True, kw_only=True):
    """How one kind of message is handled.

    `request` is the newest version that is read; older ones are upcast to it. `run` gets its data and metadata and
    returns the stage's result. It raises TransientError, PermanentError or InProgress; anything else it raises
    counts as transient. `recall` gives the result of an earlier run, if the stage has stored one. `source` is the
    publisher that may send it. With `metered`, `run` also gets what is metered so far, as `meter`. `task_ms` is how
    long Step Functions waits for the outcome.
    """

    request: type[E]
    run: Callable[..., Struct | None]
    billed: Callable[[Any], Billed] = nothing_billed
    recall: Callable[[E, Metadata], Struct | None] = nothing_stored
    source: str = SOURCE
    metered: bool = False
    task_ms: int | None = None


class Foreign(Struct, frozen=True, kw_only=True):
    """A route for an event of another publisher (AWS itself), whose detail has its own shape."""

    run: Callable[[Delivery], None]
    source: str


_Routed = tuple["Route[Any] | Foreign", type[Event]]


def _by_version(routes: Mapping[str, "Route[Any] | Foreign"]) -> Iterator[tuple[str, _Routed]]:
    """Each detail-type that is read: an older version by the route of the newest."""
    for detail_type, route in routes.items():
        if isinstance(route, Foreign):
            yield detail_type, (route, Event)
        else:
            yield from ((kind.detail_type(), (route, kind)) for kind in readable(route.request))


class _Job(Struct, kw_only=True):
    """One message on its way through the worker."""

    body: str
    message_id: str
    receives: int
    queue_wait_ms: int
    batch: int = 1
    began: float = msgspec.field(default_factory=time.perf_counter)
    delivery: Delivery | None = None
    metadata: Metadata | None = None
    token: str | None = None

    @property
    def detail_type(self) -> str:
        return self.delivery.detail_type if self.delivery else ""


def _emit_tokens(meter: v1.Meter) -> None:
    """What was bought, by model: an answer that was stored before is not bought again."""
    if meter.model_id and not meter.recalled:
        emit(INPUT_TOKENS, meter.input_tokens, model=meter.model_id)
        emit(OUTPUT_TOKENS, meter.output_tokens, model=meter.model_id)


class _Token(Struct):
    task_token: str | None = None


def _token_in(delivery: Delivery | None) -> str | None:
    """The token of a stage request that can't be read as one."""
    if delivery is None or delivery.source != SOURCE:
        return None
    try:
        return msgspec.json.decode(delivery.detail, type=_Token).task_token
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


class Worker:
    """Handles a queue's messages; `handle` is a Lambda function's whole work.

    `routes` are by detail-type, an event's by that of the newest version which is read.
    """

    def __init__(
        self,
        *,
        service: str,
        routes: Mapping[str, "Route[Any] | Foreign"],
        callback: Callback,
        parking: ParkingLot,
        bus: Bus,
    ) -> None:
        self._service = service
        self._routes = dict(_by_version(routes))
        self._callback = callback
        self._parking = parking
        self._bus = bus
        self._batch = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        self._batch_size = 1

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """One batch. Returns SQS's partial batch response: the messages to deliver again."""
        self._batch_size = max(1, len(event["Records"]))
        try:
            return dict(
                process_partial_response(
                    event=event,
                    record_handler=lambda record: self.process(record.raw_event),
                    processor=self._batch,
                    context=context,
                )
            )
        finally:
            emit(BATCHES)
            flush()

    def process(self, record: Mapping[str, Any]) -> None:
        """One message. Returns if it is done with, raises if it must be delivered again."""
        about_no_run()
        attributes = record["attributes"]
        job = _Job(
            body=record["body"],
            message_id=record["messageId"],
            receives=int(attributes["ApproximateReceiveCount"]),
            queue_wait_ms=max(0, int(time.time() * 1000) - int(attributes["SentTimestamp"])),
            batch=self._batch_size,
        )
        try:
            self._route(job)
        except TokenSettled as error:
            emit(ERRORS, error_type=error.NAME)
            self._note(LATE_CALLBACKS, job, "the task was over before its outcome arrived")
        except PipelineError as error:
            emit(ERRORS, error_type=error.NAME)
            self._note(REDELIVERIES, job, f"left for redelivery: {error.cause}", error=error.NAME)
            raise

    def _route(self, job: _Job) -> None:
        try:
            delivery = job.delivery = read(job.body, Delivery)
            route, kind = self._route_of(delivery)
            if isinstance(route, Foreign):
                return self._finish_without_token(job, partial(route.run, delivery))
            detail = read(delivery.detail, Detail, at="$.detail")
            job.token = detail.task_token
            job.metadata = about = read_metadata(delivery, detail, kind)
            about_run(about.pipeline_id, trace_id(about.traceparent, about.pipeline_id))
            data = read_upcast(detail, kind, route.request)
        except ContractViolation as error:
            return self._reject(job, error)
        if job.token is None:
            return self._finish_without_token(job, partial(route.run, data, job.metadata))
        return self._finish_stage(job, route, data, job.token)

    def _route_of(self, delivery: Delivery) -> "_Routed":
        """The route, and the version in which the event was sent."""
        found = self._routes.get(delivery.detail_type)
        if found is None:
            read_here = ", ".join(self._routes)
            raise ContractViolation("$.detail-type", f"{self._service} reads {read_here}, and no other event")
        if found[0].source != delivery.source:
            raise ContractViolation("$.source", f"{self._service} takes no such event from this source")
        return found

    def _finish_stage(self, job: _Job, route: Route[Any], data: Event, token: str) -> None:
        assert job.metadata is not None  # noqa: S101 -- read just before; tells the type checker
        job.began = time.perf_counter()
        try:
            result = self._run(job, route, data, token)
        except (InProgress, TokenSettled):
            raise
        except (PermanentError, WorkerLost) as error:
            return self._give_up(job, error)
        except Exception as error:  # noqa: BLE001 -- whatever a stage raises, its outcome is reported
            return self._fail(job, self._as_transient(error))
        meter = self._meter(job, job.metadata, route.billed(result))
        output = msgspec.json.encode({"data": result, "meter": meter}).decode()
        self._callback.succeed(token, output)
        emit(QUEUE_WAIT, job.queue_wait_ms)
        emit(WORK_TIME, meter.work_ms)
        emit(ATTEMPTS, meter.attempt + 1)
        _emit_tokens(meter)
        return self._note(SUCCEEDED, job, "done", work_ms=meter.work_ms)

    @staticmethod
    def _meter(job: _Job, metadata: Metadata, billed: Billed) -> v1.Meter:
        machine = platform.machine()
        return v1.Meter(
            queue_wait_ms=job.queue_wait_ms,
            work_ms=round((time.perf_counter() - job.began) * 1000),
            attempt=metadata.attempt,
            receives=job.receives,
            input_tokens=billed.input_tokens,
            output_tokens=billed.output_tokens,
            model_id=billed.model_id,
            recalled=billed.recalled,
            batch=job.batch,
            message_bytes=len(job.body.encode()),
            memory_mb=int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")) or None,
            architecture=_ARCHITECTURES.get(machine, machine),
        )

    def _run(self, job: _Job, route: Route[Any], data: Event, token: str) -> Struct | None:
        """The stage's result; of a message that has killed its worker twice, only one that is stored already."""
        assert job.metadata is not None  # noqa: S101 -- read just before; tells the type checker
        if job.receives < RECEIVES_BEFORE_LOST and not self._is_too_late(job, route):
            if self._is_stale(job, route) and self._callback.is_settled(token):
                raise TokenSettled("it waited for longer than its task")
            so_far = {"meter": self._meter(job, job.metadata, Billed())} if route.metered else {}
            return route.run(data, job.metadata, **so_far)
        if (stored := route.recall(data, job.metadata)) is not None:
            return stored
        if self._is_too_late(job, route):
            raise TokenSettled("too little is left of its task's time to ask the model")
        if self._callback.is_settled(token):
            raise TokenSettled("delivered again after its task was over")
        raise WorkerLost(f"delivered {job.receives} times without an outcome")

    @staticmethod
    def _is_stale(job: _Job, route: Route[Any]) -> bool:
        """A message that waited for long, of a stage that pays: its task may be cancelled or timed out by now."""
        return route.recall is not nothing_stored and job.queue_wait_ms >= STALE_MS

    @staticmethod
    def _is_too_late(job: _Job, route: Route[Any]) -> bool:
        """Its task times out before the work is surely done. In an overload that is every message that is reached."""
        pays, limit = route.recall is not nothing_stored, route.task_ms
        return pays and limit is not None and job.queue_wait_ms >= limit - WORK_MS

    def _finish_without_token(self, job: _Job, run: Callable[[], object]) -> None:
        try:
            run()
        except ContractViolation as error:
            return self._reject(job, error)
        except PermanentError as error:
            return self._give_up(job, error)
        except Exception as error:
            raise self._as_transient(error) from error
        return self._note(SUCCEEDED, job, "done")

    @staticmethod
    def _as_transient(error: Exception) -> TransientError:
        return error if isinstance(error, TransientError) else TransientError(f"unexpected {where(error)}")

    def _reject(self, job: _Job, error: ContractViolation) -> None:
        """A contract violation: parked with the reason, told to the publisher, never retried.

        Where a token can be read, in whatever else it stands, its state is told at once instead of timing out.
        """
        self._park(job, error)
        try:
            self._bus.publish([self._rejection(job, error)])
        except PipelineError as failure:
            self._note(REJECTIONS_NOT_PUBLISHED, job, failure.cause)
        job.token = job.token or _token_in(job.delivery)
        self._report(job, error)

    def _rejection(self, job: _Job, error: ContractViolation) -> Outgoing:
        rejected_id = job.delivery.id if job.delivery else None
        pipeline_id = job.metadata.pipeline_id if job.metadata else (rejected_id or "unknown")
        return Outgoing(
            data=v1.ContractRejected(
                service=self._service,
                rejected_event_id=rejected_id,
                rejected_detail_type=job.detail_type,
                path=error.path,
                reason=error.reason,
            ),
            pipeline_id=pipeline_id,
            event_id=f"{rejected_id or pipeline_id}-rejected",
            correlation_id=job.metadata.correlation_id if job.metadata else pipeline_id,
            causation_id=rejected_id,
            traceparent=job.metadata.traceparent if job.metadata else None,
        )

    def _fail(self, job: _Job, error: TransientError) -> None:
        """A transient failure: Step Functions retries; parked as well when this was the last attempt."""
        if job.metadata and job.metadata.attempt >= RETRY.max_attempts:
            return self._give_up(job, error)
        return self._report(job, error)

    def _give_up(self, job: _Job, error: PipelineError) -> None:
        self._park(job, error)
        if job.token is not None and job.metadata:
            emit(ATTEMPTS, job.metadata.attempt + 1)
        self._report(job, error)

    def _park(self, job: _Job, error: PipelineError) -> None:
        self._parking.park(job.body, error, detail_type=job.detail_type, metadata=job.metadata)
        self._note(PARKED, job, error.cause, error=error.NAME)

    def _report(self, job: _Job, error: PipelineError) -> None:
        if job.token is not None:
            self._callback.fail(job.token, error.NAME, error.cause[:CAUSE_CHARS])
        emit(ERRORS, error_type=error.NAME)
        self._note(FAILED, job, error.cause, error=error.NAME)

    def _note(self, outcome: Metric, job: _Job, text: str, **fields: object) -> None:
        """One log line and one count for what became of a message, with every id it is known by."""
        emit(outcome)
        about = job.metadata
        level = logger().info if outcome is SUCCEEDED else logger().warning
        level(
            text,
            extra={
                "outcome": outcome.name,
                "detail_type": job.detail_type,
                "message_id": job.message_id,
                "delivery_id": job.delivery.id if job.delivery else None,
                "event_id": about.event_id if about else None,
                "attempt": about.attempt if about else None,
                "receives": job.receives,
                "queue_wait_ms": job.queue_wait_ms,
                **fields,
            },
        )
