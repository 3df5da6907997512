"""Snapshots of a deployment: messages that wait and are worked on in each stage, and runs that start, end and fail.

A snapshot takes a fixed number of calls, however many runs there are: three for each service's queues, three lists of
executions, one read of the latest failures' records and, if there is a daily budget, one of its state; one more, if
people approve answers. Only a restart among the failures whose run its name does not tell takes one more, once.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from operations.approvals import TABLE, Inbox, read_inbox
from operations.aws_errors import translated
from operations.dlq.queues import COUNTS, DELAYED, HELD, VISIBLE, find_queues
from operations.errors import OperationError
from operations.health.failures import FIELDS, Failure, FailureGroup, failures, latest_failed
from operations.money.budget import notice
from operations.runs.executions import pipelines_of
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import AT_ONCE, Target
from operations.wording import duration
from shared.contracts.executions import BROKEN, STOPPED
from shared.contracts.stages import BY_SERVICE, LEAST_TASK_SECONDS, SERVICES

PAGE = 1_000
"""Executions in one answer, at most."""
WINDOW = timedelta(minutes=1)
MINUTES = 30
"""Minutes of which a snapshot tells how many runs ended."""
OPEN_FOR = timedelta(seconds=LEAST_TASK_SECONDS)
"""The usual timeout of one task. A run that was open for longer may be missing from the rates, unmarked."""
TROUBLES = 5
"""The number of consecutive failed snapshots after which watching ends."""
START = "start"


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


class LastMinutes(Struct, frozen=True, kw_only=True):
    """Runs that ended, in each of the last 30 minutes, the oldest first; `failed` is a part of `finished`.

    `at_least`: the lists of executions do not reach back that far, so that earlier numbers may be too low.
    """

    finished: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    at_least: bool = False


class Snapshot(Struct, frozen=True, kw_only=True):
    """The state of a deployment at one moment. `more_running`: more executions are open than could be counted.

    `failures` are the latest failed runs, `failing` the causes of these and of more. A run that was mended by a later
    execution is in neither; `mended` counts those. `at_least`: more runs failed in ten minutes than were looked at.
    """

    at: datetime
    stages: tuple[StageNow, ...]
    running: int
    more_running: bool
    per_minute: Rates
    last_minutes: LastMinutes = LastMinutes()
    failures: tuple[Failure, ...] = ()
    failing: tuple[FailureGroup, ...] = ()
    mended: int = 0
    at_least: bool = False
    paused: str | None = None
    """A sentence that says why no new runs start, if the starter is paused."""
    inbox: Inbox | None = None
    """The open runs that wait for a person, if people approve answers and the caller may list them."""

    @property
    def waits_for_person(self) -> str:
        """How many of the open runs wait for a person, as they should, and for how long; empty if none does."""
        inbox = self.inbox
        if inbox is None or inbox.oldest_at is None:
            return ""
        count = f"{inbox.waiting:,}{'+' if inbox.more else ''}"
        verb = "waits" if count == "1" else "wait"
        oldest = duration(max(0.0, (self.at - inbox.oldest_at).total_seconds() * 1_000))
        return f"{count} of the open runs {verb} for approval, the oldest for {oldest}"

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
    for name in ("sqs", "stepfunctions", *(("dynamodb",) if TABLE in addresses.values else ())):
        target.client(name)  # made here: the threads share them
    works = {service: addresses.queue_url(service) for service in SERVICES if service in addresses.services}
    parks = [(queue.service, queue.url) for queue in find_queues(target)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        latest = pool.submit(_executions, target)
        running = pool.submit(_executions, target, "RUNNING")
        failed = pool.submit(_executions, target, "FAILED")
        inbox = pool.submit(read_inbox, target)
        at_work = dict(zip(works, pool.map(lambda url: _counts(target, url), works.values()), strict=True))
        parked = list(pool.map(lambda item: (item[0], sum(_counts(target, item[1]))), parks))
    now = datetime.now(UTC)
    pages = Pages(latest=latest.result(), running=running.result(), failed=failed.result())
    failed_now = latest_failed(pages.known, now)
    names = [execution["name"] for execution in failed_now]
    pipelines = pipelines_of(target, names)
    known = failures(
        failed_now,
        pipelines,
        read_records(target, pipelines.values(), fields=FIELDS),
        {name: addresses.execution_arn(name) for name in names},
        now,
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
        last_minutes=last_minutes(pages, now),
        failures=known.latest,
        failing=known.groups,
        mended=known.mended,
        at_least=known.at_least,
        paused=notice(target),
        inbox=inbox.result(),
    )


def _counts(target: Target, url: str) -> tuple[int, int]:
    with translated("read the queues"):
        answer = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[*COUNTS])
    counts = answer["Attributes"]
    return int(counts[VISIBLE]) + int(counts.get(DELAYED, 0)), int(counts[HELD])


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


def last_minutes(pages: Pages, now: datetime) -> LastMinutes:
    """Return how many of the listed executions ended in each minute, whether or not anybody looked then."""
    finished, failed = [0] * MINUTES, [0] * MINUTES
    for execution in pages.known:
        ended = execution.get("stopDate")
        minute = MINUTES - 1 - (now - ended) // WINDOW if ended else -1
        if 0 <= minute < MINUTES:
            finished[minute] += 1
            failed[minute] += execution["status"] in BROKEN
    cut = _is_cut(pages.latest, now - MINUTES * WINDOW - OPEN_FOR)
    return LastMinutes(finished=tuple(finished), failed=tuple(failed), at_least=cut)


def _is_cut(page: Page, after: datetime) -> bool:
    """Return whether executions that started later than `after` may be missing from the page."""
    return bool(page.get("nextToken")) and all(
        execution["startDate"] > after for execution in page["executions"]
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
