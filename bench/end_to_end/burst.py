"""Publishes a number of events at once to one design, waits until all is over, and counts what became of them."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.end_to_end.load import watched
from chaos.deployment import Deployment
from shared.bus import CHUNK_ENTRIES
from shared.contracts.record import Record

MESSAGE = (
    "How does a queue between two services keep a burst from hurting either? ```python\nprint(1)\n``` Why?"
)
LOOK_SECONDS = 0.5
ALONE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution, in seconds since 1970; `ended` is None while it runs."""

    status: str
    started: float
    ended: float | None


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """How a design is asked: the event that starts it, and the state machine that runs it."""

    design: str
    source: str
    detail_type: str
    machine_arn: str


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of the published events. `once`: exactly one execution each, and a record that says SUCCEEDED."""

    published: int
    once: int
    failed: int
    lost: int
    left_in_queues: int

    @property
    def all_done(self) -> bool:
        return self.once == self.published and not self.left_in_queues


def counts(ids: Sequence[str], records: Mapping[str, Record], runs: Sequence[Run], left: int) -> Counts:
    """`records` by pipeline id, `runs` of these events alone, `left` messages in queues and DLQs."""
    succeeded = sum(records.get(name, Record()).get("status") == "SUCCEEDED" for name in ids)
    done = sum(run.status == "SUCCEEDED" for run in runs)
    return Counts(
        published=len(ids),
        once=min(succeeded, done) - max(0, len(runs) - len(ids)),
        failed=sum(run.status not in ("SUCCEEDED", "RUNNING") for run in runs),
        lost=max(0, len(ids) - len(runs)),
        left_in_queues=left,
    )


def publish(deployment: Deployment, entrance: Entrance, number: int) -> list[str]:
    """The ids of the events, which are those of their records."""
    client, bus = deployment.client("events"), deployment.target.addresses.bus_name
    entry = {
        "EventBusName": bus,
        "Source": entrance.source,
        "DetailType": entrance.detail_type,
        "Detail": json.dumps({"data": {"user_message": MESSAGE}}),
    }
    ids: list[str] = []
    while len(ids) < number:
        answer = client.put_events(Entries=[entry] * min(CHUNK_ENTRIES, number - len(ids)))
        if answer["FailedEntryCount"]:
            raise SystemExit(f"the bus refused {answer['FailedEntryCount']} events")
        ids += [entry["EventId"] for entry in answer["Entries"]]
    return ids


def runs_since(deployment: Deployment, machine_arn: str, since: float) -> list[Run]:
    """All executions that began after a moment."""
    client = deployment.client("stepfunctions")
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine_arn)
    found = (_run(one) for page in pages for one in page["executions"])
    return [run for run in found if run.started >= since]


def _run(execution: Mapping[str, Any]) -> Run:
    stop: datetime | None = execution.get("stopDate")
    return Run(
        status=execution["status"],
        started=execution["startDate"].timestamp(),
        ended=stop.timestamp() if stop else None,
    )


def burst(
    deployment: Deployment, entrance: Entrance, number: int, *, patience_seconds: float
) -> dict[str, Any]:
    """One burst, from the first event's publication to the last execution's end, as a JSON object."""
    began = time.time()
    with watched(deployment.running.pid) as load:
        ids = publish(deployment, entrance, number)
        published = time.time()
        _wait(deployment, entrance, patience_seconds)
    runs = runs_since(deployment, entrance.machine_arn, began - 0.001)
    records = deployment.records()
    left = sum(sum(waiting) for waiting in deployment.waiting().values())
    counted = counts(ids, records, runs, left)
    over = max((run.ended or time.time() for run in runs), default=time.time())
    return {
        "design": entrance.design,
        "published": number,
        "publish_seconds": published - began,
        "drain_seconds": over - began,
        "per_second": counted.once / (over - began),
        "run_seconds": sorted((run.ended or over) - began for run in runs if run.status == "SUCCEEDED"),
        "once": counted.once,
        "failed": counted.failed,
        "lost": counted.lost,
        "left_in_queues": counted.left_in_queues,
        "engine_mb": load.engine_mb,
        "workers_mb": load.workers_mb,
        "workers": load.workers,
        "engine_cpu_seconds": load.cpu_seconds({deployment.running.pid}),
        "all_cpu_seconds": load.cpu_seconds(),
    }


def _wait(deployment: Deployment, entrance: Entrance, patience_seconds: float) -> None:
    """Until no queue holds anything and nothing runs, seen twice; cheap looks first."""
    until, quiet = time.monotonic() + patience_seconds, 0
    while quiet < 2 and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        quiet = 0 if any(_moving(deployment, entrance)) else quiet + 1


def _moving(deployment: Deployment, entrance: Entrance) -> Iterator[bool]:
    services = deployment.service_queues()
    yield from (any(counts) for counts in deployment.waiting(services).values())
    client = deployment.client("stepfunctions")
    running = client.list_executions(
        stateMachineArn=entrance.machine_arn, statusFilter="RUNNING", maxResults=1
    )
    yield bool(running["executions"])


@dataclass(frozen=True, kw_only=True)
class Alone:
    """One event that had the design to itself. Seconds from its publication, by the caller's clock."""

    pipeline_id: str
    until_started: float
    until_ended: float


def one_by_one(deployment: Deployment, entrance: Entrance, number: int) -> list[Alone]:
    """Publishes one event after the other, each when the one before is over. Raises SystemExit if one never is."""
    found = []
    for _ in range(number):
        began = time.time()
        (name,) = publish(deployment, entrance, 1)
        while not (run := _ended(deployment, entrance, began)):
            if time.time() - began > ALONE_SECONDS:
                raise SystemExit(f"{entrance.design}: event {name} is not over after {ALONE_SECONDS:g} s")
            time.sleep(0.02)
        ended = run.ended or began
        found.append(Alone(pipeline_id=name, until_started=run.started - began, until_ended=ended - began))
    return found


def _ended(deployment: Deployment, entrance: Entrance, since: float) -> Run | None:
    client = deployment.client("stepfunctions")
    page = client.list_executions(stateMachineArn=entrance.machine_arn, maxResults=1)["executions"]
    runs = [_run(one) for one in page]
    return next((run for run in runs if run.started >= since - 0.001 and run.ended), None)
