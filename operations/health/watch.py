"""Snapshots of a deployment: messages that wait and are worked on in each stage, and runs that start, end and fail.

A snapshot takes a fixed number of calls, however many runs there are: three for each service's queues, three lists of
executions, one read of the latest failures' records and, if there is a daily budget, one of its state.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from operations.aws_errors import translated
from operations.dlq.queues import find_queues
from operations.errors import OperationError
from operations.money.budget import notice
from operations.runs.executions import pipelines_of
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts.executions import BROKEN, STOPPED, pipeline_of
from shared.contracts.record import Record
from shared.contracts.stages import BY_SERVICE, LEAST_TASK_SECONDS, SERVICES

PAGE = 1_000
"""Executions in one answer, at most."""
WINDOW = timedelta(minutes=1)
OPEN_FOR = timedelta(seconds=LEAST_TASK_SECONDS)
"""The usual timeout of one task. A run that was open for longer may be missing from the rates, unmarked."""
FAILURES = 5
TROUBLES = 5
"""The number of consecutive failed snapshots after which watching ends."""
AT_ONCE = 8
START = "start"

_COUNT = "ApproximateNumberOfMessages"

Page = Mapping[str, Any]
"""An answer of ListExecutions: the executions that started last."""


class Pages(Struct, frozen=True, kw_only=True):
    """Three lists of executions: of all, of the open and of the failed ones."""

    latest: Page
    running: Page
    failed: Page

    @property
    def known(self) -> list[Mapping[str, Any]]:
        """Every listed execution once. Of several entries, that in `failed` counts, else that in `latest`."""
        pages = (self.running, self.latest, self.failed)
        return list(
            {execution["name"]: execution for page in pages for execution in page["executions"]}.values()
        )


class StageNow(Struct, frozen=True, kw_only=True):
    """Numbers of messages of one service: in its queue, with a worker, in its two DLQs.

    `stage` is a stage's key, or `start`.
    """

    stage: str
    service: str
    waiting: int
    working: int
    parked: int


class Failure(Struct, frozen=True, kw_only=True):
    """A failed run. Its stage, error and cause are null until its record is written."""

    pipeline_id: str
    status: str
    ended_at: datetime
    stage: str | None = None
    error: str | None = None
    cause: str | None = None


class Rates(Struct, frozen=True, kw_only=True):
    """Numbers of executions that started or ended in the last minute. `finished` counts all that ended.

    `failed` and `stopped` (by their callers, or by hand) are parts of `finished`.

    `at_least` names the numbers that may be too low, because one answer could not list all executions.
    """

    started: int
    finished: int
    failed: int
    stopped: int
    at_least: tuple[str, ...] = ()


class Snapshot(Struct, frozen=True, kw_only=True):
    """The state of a deployment at one moment. `more_running`: more executions are open than could be counted."""

    at: datetime
    stages: tuple[StageNow, ...]
    running: int
    more_running: bool
    per_minute: Rates
    failures: tuple[Failure, ...] = ()
    paused: str | None = None
    """A sentence that says why no new runs start, if the starter is paused."""

    @property
    def waiting(self) -> int:
        return sum(stage.waiting for stage in self.stages)

    @property
    def working(self) -> int:
        return sum(stage.working for stage in self.stages)

    @property
    def parked(self) -> int:
        return sum(stage.parked for stage in self.stages)


def look(target: Target) -> Snapshot:
    """Take a snapshot. Raises OperationError."""
    addresses = target.addresses
    for name in ("sqs", "stepfunctions"):
        target.client(name)  # made here: the threads share them
    works = {service: addresses.queue_url(service) for service in SERVICES if service in addresses.services}
    parks = [(queue.service, queue.url) for queue in find_queues(target)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        latest = pool.submit(_executions, target)
        running = pool.submit(_executions, target, "RUNNING")
        failed = pool.submit(_executions, target, "FAILED")
        at_work = dict(zip(works, pool.map(lambda url: _counts(target, url), works.values()), strict=True))
        parked = list(pool.map(lambda item: (item[0], sum(_counts(target, item[1]))), parks))
    now = datetime.now(UTC)
    pages = Pages(latest=latest.result(), running=running.result(), failed=failed.result())
    pipelines = pipelines_of(target, [execution["name"] for execution in _latest_failed(pages)])
    failures = latest_failures(pages, pipelines)
    records = read_records(
        target, [failure.pipeline_id for failure in failures], fields=("stage", "error", "cause", "status")
    )
    return Snapshot(
        at=now,
        stages=tuple(
            StageNow(
                stage=BY_SERVICE[service].key if service in BY_SERVICE else START,
                service=service,
                waiting=waiting,
                working=working,
                parked=sum(count for owner, count in parked if owner == service),
            )
            for service, (waiting, working) in at_work.items()
        ),
        running=len(pages.running["executions"]),
        more_running=bool(pages.running.get("nextToken")),
        per_minute=rates(pages, now),
        failures=tuple(
            _with_record(failure, records.get(failure.pipeline_id, Record())) for failure in failures
        ),
        paused=notice(target),
    )


def _counts(target: Target, url: str) -> tuple[int, int]:
    names = [_COUNT, f"{_COUNT}NotVisible", f"{_COUNT}Delayed"]
    with translated("read the queues"):
        counts = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(counts[_COUNT]) + int(counts.get(f"{_COUNT}Delayed", 0)), int(counts[f"{_COUNT}NotVisible"])


def _executions(target: Target, status: str | None = None) -> Page:
    """List one page of executions, the newest first."""
    with translated("list the runs"):
        page: Page = target.client("stepfunctions").list_executions(
            stateMachineArn=target.addresses.state_machine_arn,
            maxResults=PAGE,
            **({"statusFilter": status} if status else {}),
        )
    return page


# --- pure --------------------------------------------------------------------------------------------------


def rates(pages: Pages, now: datetime) -> Rates:
    after = now - WINDOW
    known = pages.known
    ended = [execution for execution in known if (execution.get("stopDate") or after) > after]
    cut = {
        "started": _is_cut(pages.latest, after),
        "finished": _is_cut(pages.latest, after - OPEN_FOR),
        "failed": _is_cut(pages.failed, after - OPEN_FOR),
        "stopped": _is_cut(pages.latest, after - OPEN_FOR),
    }
    return Rates(
        started=sum(execution["startDate"] > after for execution in known),
        finished=len(ended),
        failed=sum(execution["status"] in BROKEN for execution in ended),
        stopped=sum(execution["status"] == STOPPED for execution in ended),
        at_least=tuple(name for name, is_cut in cut.items() if is_cut),
    )


def _is_cut(page: Page, after: datetime) -> bool:
    """Return whether executions that started later than `after` may be missing from the page."""
    return bool(page.get("nextToken")) and all(
        execution["startDate"] > after for execution in page["executions"]
    )


def latest_failures(pages: Pages, pipelines: Mapping[str, str] | None = None) -> list[Failure]:
    """Return the latest failed executions, the newest first, without those that were stopped.

    `pipelines` are the pipeline ids by the executions' names, where names may mislead.
    """
    known = pipelines or {}
    return [
        Failure(
            pipeline_id=known.get(execution["name"]) or pipeline_of(execution["name"]),
            status=execution["status"],
            ended_at=execution["stopDate"],
        )
        for execution in _latest_failed(pages)
    ]


def _latest_failed(pages: Pages) -> list[Any]:
    failed = [
        execution for execution in pages.known if execution["status"] in BROKEN and execution.get("stopDate")
    ]
    failed.sort(key=lambda execution: execution["stopDate"], reverse=True)
    return failed[:FAILURES]


def _with_record(failure: Failure, record: Record) -> Failure:
    """Add the record's stage, error and cause, unless the record is of a later success."""
    if record.get("status") != "FAILED":
        return failure
    return Failure(
        pipeline_id=failure.pipeline_id,
        status=failure.status,
        ended_at=failure.ended_at,
        stage=record.get("stage"),
        error=record.get("error"),
        cause=record.get("cause"),
    )


def watch(target: Target, *, interval: float, stop: Stop) -> Iterator[Snapshot | OperationError]:
    """Yield a snapshot every `interval` seconds until asked to stop, or the error of a snapshot that failed.

    Raises the error of the first snapshot, and the last of five consecutive errors.
    """
    troubles = TROUBLES - 1
    while not stop.requested:
        began = datetime.now(UTC)
        try:
            yield look(target)
            troubles = 0
        except OperationError as error:
            troubles += 1
            if troubles >= TROUBLES:
                raise
            yield error
        stop.wait(interval - (datetime.now(UTC) - began).total_seconds())
