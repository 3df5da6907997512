"""Batches of requests, sent with bounded concurrency and, if wanted, followed to their answers.

A caller that keeps the outcomes can resume a batch: `run_batch` takes the ids of the runs that were started earlier,
and derives each request's key from the batch's name and line number, so that a request sent twice starts one run.
"""

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Literal

import msgspec
from msgspec import Struct

from operations.asking.http import Pause
from operations.asking.submit import OTHER_MESSAGE, Request, Sent, Via, check, is_for_another, sender
from operations.errors import (
    DeniedError,
    InvalidInputError,
    NotDeployedError,
    OperationError,
    UnreachableError,
)
from operations.json_text import cleaned, parse
from operations.runs.records import read_records
from operations.stop import SLICE_SECONDS, Stop
from operations.target import Target
from shared.contracts.record import FINAL, PACKED, Record

Status = Literal["PENDING", "ACCEPTED", "RUNNING", "SUCCEEDED", "FAILED", "INVALID", "REFUSED"]
BAD: tuple[Status, ...] = ("INVALID", "REFUSED", "FAILED")
"""Statuses of a line that has not, and will not have, an answer."""
POLLED_AT_ONCE = 200
_FIELDS = (
    "status",
    "final_response",
    PACKED,
    "error",
    "cause",
    "execution_time_ms",
    "degraded",
    "request_hash",
)
_HALTING = (UnreachableError, DeniedError, NotDeployedError)


class Line(Struct, frozen=True, kw_only=True):
    """One line of the input. `digest` shows later whether the line has changed; `problem` says why it is invalid."""

    number: int
    digest: str
    request: Request | None = None
    problem: str | None = None


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one line. INVALID: not a request, never sent. REFUSED: sent, and not accepted.

    PENDING (nothing is known yet), ACCEPTED and RUNNING are not final.
    """

    line: int
    status: Status
    input: str
    batch: str
    pipeline_id: str | None = None
    final_response: str | None = None
    error: str | None = None
    execution_time_ms: int | None = None
    degraded: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        return self.status not in ("PENDING", "ACCEPTED", "RUNNING")


class BatchHaltedError(OperationError):
    """An error that would meet all remaining lines, so that nothing more is sent or followed."""

    def __init__(self, reason: OperationError) -> None:
        super().__init__(f"The batch was stopped. {reason}")
        self.reason = reason


def read_lines(lines: Iterable[str | bytes], *, via: Via) -> Iterator[Line]:
    """Read one request per line, a JSON string or object. Empty lines are skipped; invalid ones have a `problem`.

    Raises InvalidInputError for UTF-16, in which no line can be read.
    """
    for number, raw in enumerate(lines, start=1):
        data = (raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw).strip()
        if number == 1:
            if data.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise InvalidInputError("The messages are in UTF-16. Save them as UTF-8; nothing was sent.")
            data = data.removeprefix(b"\xef\xbb\xbf").strip()
        if not data:
            continue
        digest = hashlib.sha256(data).hexdigest()[:16]
        try:
            request = _request(data)
            check(request, via)
        except InvalidInputError as error:
            yield Line(number=number, digest=digest, problem=str(error))
        else:
            yield Line(number=number, digest=digest, request=request)


def _request(data: bytes) -> Request:
    try:
        value = parse(data.decode("utf-8", "surrogatepass"))  # json.loads would guess UTF-16 for a line
    except UnicodeDecodeError as error:
        raise InvalidInputError("not UTF-8") from error
    except ValueError as error:
        raise InvalidInputError(
            'not valid JSON; write a string in double quotes, or {"user_message": "…"}'
        ) from error
    if isinstance(value, str):
        return Request(user_message=value)
    if isinstance(value, dict) and (unknown := set(value) - set(Request.__struct_fields__)):
        raise InvalidInputError(
            f"there is no field `{cleaned(min(unknown))[:80]}`; "
            f"a line may have `{'`, `'.join(Request.__struct_fields__)}`"
        )
    try:
        return msgspec.convert(value, Request)
    except msgspec.ValidationError as error:
        raise InvalidInputError(str(error)) from error


class Plan(Struct, frozen=True, kw_only=True):
    """How to run a batch. The same `name` and line number never start a second run.

    `known` holds, by line number, the ids of runs that were accepted earlier: they are followed, and sent again only
    if they have no record any more. Following ends after `patience_seconds` without progress.
    """

    name: str
    via: Via = "api"
    concurrency: int = 8
    follow: bool = False
    patience_seconds: float = 1_200
    known: Mapping[int, str] = {}


def run_batch(
    target: Target, lines: Iterable[Line], plan: Plan, *, stop: Stop | None = None, pause: Pause = time.sleep
) -> Iterator[Outcome]:
    """Yield an outcome when a line is sent and, if lines are followed, a second one when its run has finished.

    After a request to stop, the outcomes of the requests under way are still yielded. If nothing more can be sent or
    read, BatchHaltedError is raised after these outcomes.
    """
    batch = _Batch(target, plan, stop or Stop(), pause)
    yield from batch.queue(lines)
    with ThreadPoolExecutor(max_workers=plan.concurrency) as pool:
        while batch.goes_on():
            batch.fill(pool)
            yield from batch.collect()
            yield from batch.poll()
    if batch.halted:
        raise BatchHaltedError(batch.halted)


class _Batch:
    """The state of one `run_batch`. `under_way` lines are being sent; the runs of `waiting` lines go on."""

    def __init__(self, target: Target, plan: Plan, stop: Stop, pause: Pause) -> None:
        self.target = target
        self.plan = plan
        self.stop = stop
        self.pause = pause
        self.sender = sender(target, plan.via, pause=pause)
        self.todo: deque[Line] = deque()
        self.under_way: dict[Future[list[Sent]], list[Line]] = {}
        self.waiting: dict[str, list[Line]] = {}
        self.earlier = set(plan.known)
        self.halted: OperationError | None = None
        self.next_poll = 0.0
        self.news = time.monotonic()

    @property
    def sends(self) -> bool:
        return bool(self.todo) and not self.stop.requested and self.halted is None

    @property
    def follows(self) -> bool:
        patient = time.monotonic() - self.news < self.plan.patience_seconds
        ended = self.stop.requested or self.halted is not None or not patient
        return self.plan.follow and bool(self.waiting) and not ended

    def goes_on(self) -> bool:
        return self.sends or bool(self.under_way) or self.follows

    def queue(self, lines: Iterable[Line]) -> Iterator[Outcome]:
        for line in lines:
            if line.request is None:
                yield self.outcome(line, "INVALID", error=line.problem)
            elif line.number in self.plan.known:
                self.waiting.setdefault(self.plan.known[line.number], []).append(line)
            else:
                self.todo.append(line)

    def fill(self, pool: ThreadPoolExecutor) -> None:
        while self.sends and len(self.under_way) < self.plan.concurrency:
            group = [self.todo.popleft() for _ in range(min(self.sender.size, len(self.todo)))]
            self.under_way[pool.submit(self.send, group)] = group

    def collect(self) -> Iterator[Outcome]:
        """Wait a moment for answers to requests, and yield the outcomes of those that have arrived."""
        if not self.under_way:
            self.pause(SLICE_SECONDS)
            return
        for future in wait_for(self.under_way, SLICE_SECONDS, FIRST_COMPLETED).done:
            self.news = time.monotonic()
            yield from self.sent(self.under_way.pop(future), future.result())

    def outcome(self, line: Line, status: Status, **fields: object) -> Outcome:
        fields = {name: cleaned(value) if isinstance(value, str) else value for name, value in fields.items()}
        return msgspec.convert(
            {"line": line.number, "input": line.digest, "batch": self.plan.name, "status": status, **fields},
            Outcome,
        )

    def keyed(self, line: Line) -> Request:
        """Return the line's request with a key that is the same if the batch is run again."""
        assert line.request is not None  # noqa: S101 -- lines without one are never queued
        if line.request.idempotency_key or line.request.pipeline_id:
            return line.request
        return msgspec.structs.replace(line.request, idempotency_key=f"{self.plan.name}-{line.number}")

    def send(self, lines: Sequence[Line]) -> list[Sent]:
        """Send lines, in a worker thread."""
        try:
            return self.sender.send([self.keyed(line) for line in lines])
        except OperationError as error:
            return [error] * len(lines)

    def sent(self, lines: Sequence[Line], answers: Sequence[Sent]) -> Iterator[Outcome]:
        for line, answer in zip(lines, answers, strict=True):
            if isinstance(answer, OperationError):
                if isinstance(answer, _HALTING):
                    self.halted = answer
                yield self.outcome(line, "REFUSED", error=str(answer))
            else:
                self.waiting.setdefault(answer.pipeline_id, []).append(line)
                yield self.outcome(line, "ACCEPTED", pipeline_id=answer.pipeline_id)

    def poll(self) -> Iterator[Outcome]:
        """Read the records of the lines whose last read is longest ago."""
        if not self.follows or time.monotonic() < self.next_poll:
            return
        self.next_poll = time.monotonic() + self.target.pace.poll_seconds
        asked = list(self.waiting)[:POLLED_AT_ONCE]
        try:
            records = read_records(self.target, asked, fields=_FIELDS, pause=self.pause)
        except OperationError as error:
            self.halted = error
            return
        for pipeline_id in asked:
            lines = self.waiting.pop(pipeline_id)
            record = records.get(pipeline_id, Record())
            if not record and {line.number for line in lines} <= self.earlier:  # lost, e.g. with its engine
                self.earlier -= {line.number for line in lines}
                self.todo.extend(lines)
                continue
            others = [line for line in lines if line.request and is_for_another(record, line.request)]
            if others:
                yield from (
                    self.outcome(line, "REFUSED", pipeline_id=pipeline_id, error=OTHER_MESSAGE)
                    for line in others
                )
                lines = [line for line in lines if line not in others]
            if record.get("status") in FINAL:
                self.news = time.monotonic()
                yield from (self.answered(line, pipeline_id, record) for line in lines)
            elif lines:
                self.waiting[pipeline_id] = lines  # to the end of the queue

    def answered(self, line: Line, pipeline_id: str, record: Record) -> Outcome:
        error = ": ".join(text for text in (record.get("error"), record.get("cause")) if text)
        return self.outcome(
            line,
            record["status"],
            pipeline_id=pipeline_id,
            final_response=record.get("final_response"),
            execution_time_ms=record.get("execution_time_ms"),
            degraded=tuple(record.get("degraded") or ()),
            error=error if record["status"] == "FAILED" else None,
        )
