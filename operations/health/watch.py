"""How the system stands at one moment: what waits and works in each stage, what starts, ends and fails.

One look is a fixed number of calls, whatever runs: three for each service's queues, three lists of executions, one
read of the latest failures' records and, where there is a budget, one of how it stands.
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
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts.executions import BROKEN, STOPPED, pipeline_of
from shared.contracts.record import Record
from shared.contracts.stages import BY_SERVICE, SERVICES, STAGES

PAGE = 1_000
"""Executions in one answer: the most there can be."""
WINDOW = timedelta(minutes=1)
OPEN_FOR = timedelta(seconds=max(stage.timeout_seconds for stage in STAGES))
"""A run that is open for longer waits for more than one try."""
FAILURES = 5
TROUBLES = 5
"""Looks in a row that may fail before watching ends."""
AT_ONCE = 8
START = "start"

_COUNT = "ApproximateNumberOfMessages"

Page = Mapping[str, Any]
"""As ListExecutions answers: the newest by their start."""


class Pages(Struct, frozen=True, kw_only=True):
    """Of all executions, of the open and of the failed ones."""

    latest: Page
    running: Page
    failed: Page

    @property
    def known(self) -> list[Mapping[str, Any]]:
        """Each once, as the last of these answers has it."""
        pages = (self.running, self.latest, self.failed)
        return list({one["name"]: one for page in pages for one in page["executions"]}.values())


class StageNow(Struct, frozen=True, kw_only=True):
    """Messages of one service: in its queue, with a worker, in its two DLQs. `stage` is a stage's key, or `start`."""

    stage: str
    service: str
    waiting: int
    working: int
    parked: int


class Failure(Struct, frozen=True, kw_only=True):
    """The record may not be written yet: then it says nothing more."""

    pipeline_id: str
    status: str
    ended_at: datetime
    stage: str | None = None
    error: str | None = None
    cause: str | None = None


class Rates(Struct, frozen=True, kw_only=True):
    """Executions in the last minute. `stopped`: by their callers, or by hand. `at_least`: of which of these there may
    be more than one answer can hold.
    """

    started: int
    finished: int
    failed: int
    stopped: int
    at_least: tuple[str, ...] = ()


class Snapshot(Struct, frozen=True, kw_only=True):
    """`more_running`: there are more open executions than could be counted."""

    at: datetime
    stages: tuple[StageNow, ...]
    running: int
    more_running: bool
    per_minute: Rates
    failures: tuple[Failure, ...] = ()
    paused: str | None = None
    """A sentence, where a budget keeps the starter from starting."""

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
    """Raises OperationError."""
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
    failures = latest_failures(pages)
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
        told = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(told[_COUNT]) + int(told.get(f"{_COUNT}Delayed", 0)), int(told[f"{_COUNT}NotVisible"])


def _executions(target: Target, status: str | None = None) -> Page:
    """One page, the newest first."""
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
    ended = [one for one in known if (one.get("stopDate") or after) > after]
    cut = {
        "started": _is_cut(pages.latest, after),
        "finished": _is_cut(pages.latest, after - OPEN_FOR),
        "failed": _is_cut(pages.failed, after - OPEN_FOR),
        "stopped": _is_cut(pages.latest, after - OPEN_FOR),
    }
    return Rates(
        started=sum(one["startDate"] > after for one in known),
        finished=len(ended),
        failed=sum(one["status"] in BROKEN for one in ended),
        stopped=sum(one["status"] == STOPPED for one in ended),
        at_least=tuple(name for name, is_cut in cut.items() if is_cut),
    )


def _is_cut(page: Page, after: datetime) -> bool:
    """Whether executions that began after that moment may be missing."""
    return bool(page.get("nextToken")) and all(one["startDate"] > after for one in page["executions"])


def latest_failures(pages: Pages) -> list[Failure]:
    """The newest first, of those that were not stopped."""
    failed = [one for one in pages.known if one["status"] in BROKEN and one.get("stopDate")]
    failed.sort(key=lambda one: one["stopDate"], reverse=True)
    return [
        Failure(pipeline_id=pipeline_of(one["name"]), status=one["status"], ended_at=one["stopDate"])
        for one in failed[:FAILURES]
    ]


def _with_record(failure: Failure, record: Record) -> Failure:
    """A record that tells of a later success says nothing of this failure."""
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
    """A look every `interval` seconds until asked to stop; an error in place of a look that failed.

    Raises the error of the first look, and the last of five in a row.
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
