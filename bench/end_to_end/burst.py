"""Publishes a burst of events to one design, waits until all runs have ended, and counts their outcomes."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bench.end_to_end.load import watched
from chaos.deployment import Deployment
from shared.bus import CHUNK_ENTRIES
from shared.contracts.record import Record

MESSAGE = (
    "How does a queue between two services keep a burst from hurting either? ```python\nprint(1)\n``` Why?"
)
POLL_SECONDS = 1.0
"""Polls cost the engine calls, and the end of a burst is read from its executions."""
ALONE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """An execution. Times are in seconds since 1970; `ended` is None while it runs."""

    status: str
    started: float
    ended: float | None


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """How to start a run of a design: the event to publish, and the state machine that it starts."""

    design: str
    source: str
    detail_type: str
    machine_arn: str


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The outcomes of the published events. `once` have exactly one execution and a SUCCEEDED record."""

    published: int
    once: int
    failed: int
    lost: int
    left_in_queues: int


def counts(ids: Sequence[str], records: Mapping[str, Record], runs: Sequence[Run], left: int) -> Counts:
    """Count the outcomes of the events `ids`.

    `records` are by pipeline id; `runs` are the executions of these events only; `left` is the number of messages in
    queues and DLQs.
    """
    records_succeeded = sum(records.get(name, Record()).get("status") == "SUCCEEDED" for name in ids)
    runs_succeeded = sum(run.status == "SUCCEEDED" for run in runs)
    return Counts(
        published=len(ids),
        once=min(records_succeeded, runs_succeeded) - max(0, len(runs) - len(ids)),
        failed=sum(run.status not in ("SUCCEEDED", "RUNNING") for run in runs),
        lost=max(0, len(ids) - len(runs)),
        left_in_queues=left,
    )


def publish(deployment: Deployment, entrance: Entrance, count: int) -> list[str]:
    """Publish the events and return their ids, which are also the ids of their records."""
    client, bus = deployment.client("events"), deployment.target.addresses.bus_name
    entry = {
        "EventBusName": bus,
        "Source": entrance.source,
        "DetailType": entrance.detail_type,
        "Detail": json.dumps({"data": {"user_message": MESSAGE}}),
    }
    ids: list[str] = []
    while len(ids) < count:
        answer = client.put_events(Entries=[entry] * min(CHUNK_ENTRIES, count - len(ids)))
        if answer["FailedEntryCount"]:
            raise SystemExit(f"The bus refused {answer['FailedEntryCount']} events. Run the benchmark again.")
        ids += [entry["EventId"] for entry in answer["Entries"]]
    return ids


def runs_since(deployment: Deployment, machine_arn: str, since: float) -> list[Run]:
    """Return all executions that were started at `since` or later."""
    client = deployment.client("stepfunctions")
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=machine_arn)
    runs = (_run(execution) for page in pages for execution in page["executions"])
    return [run for run in runs if run.started >= since]


def _run(execution: Mapping[str, Any]) -> Run:
    stop: datetime | None = execution.get("stopDate")
    return Run(
        status=execution["status"],
        started=execution["startDate"].timestamp(),
        ended=stop.timestamp() if stop else None,
    )


def burst(
    deployment: Deployment, entrance: Entrance, count: int, *, patience_seconds: float
) -> dict[str, Any]:
    """Measure a burst from the first event's publication to the last execution's end. Return a JSON object."""
    started_at = time.time()
    with watched(deployment.running.pid) as load:
        ids = publish(deployment, entrance, count)
        published = time.time()
        _wait(deployment, entrance, patience_seconds)
    runs = runs_since(deployment, entrance.machine_arn, started_at - 0.001)
    records = deployment.records()
    left = sum(sum(waiting) for waiting in deployment.waiting().values())
    counted = counts(ids, records, runs, left)
    ended_at = max((run.ended or time.time() for run in runs), default=time.time())
    return {
        "design": entrance.design,
        "publish_seconds": published - started_at,
        "drain_seconds": ended_at - started_at,
        "per_second": counted.once / (ended_at - started_at),
        "run_seconds": sorted(
            (run.ended or ended_at) - started_at for run in runs if run.status == "SUCCEEDED"
        ),
        **asdict(counted),
        "engine_mb": load.engine_mb,
        "workers_mb": load.workers_mb,
        "workers": load.workers,
        "engine_cpu_seconds": load.cpu_seconds({deployment.running.pid}),
        "all_cpu_seconds": load.cpu_seconds(),
    }


def _wait(deployment: Deployment, entrance: Entrance, patience_seconds: float) -> None:
    """Wait until two polls in a row find all queues empty and no execution running."""
    until, quiet = time.monotonic() + patience_seconds, 0
    while quiet < 2 and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        quiet = 0 if any(_moving(deployment, entrance)) else quiet + 1


def _moving(deployment: Deployment, entrance: Entrance) -> Iterator[bool]:
    """Yield whether each queue holds messages, and whether an execution is running; each look is a call or more."""
    for service in deployment.service_queues():
        yield any(deployment.waiting([service])[service])
    client = deployment.client("stepfunctions")
    running = client.list_executions(
        stateMachineArn=entrance.machine_arn, statusFilter="RUNNING", maxResults=1
    )
    yield bool(running["executions"])


@dataclass(frozen=True, kw_only=True)
class Alone:
    """A run that was alone on its engine. Times are seconds since its event was published, by the caller's clock."""

    pipeline_id: str
    until_started: float
    until_ended: float


def one_by_one(deployment: Deployment, entrance: Entrance, count: int) -> list[Alone]:
    """Publish events one by one, each when the run before has ended. Raises SystemExit if a run does not end."""
    finished = []
    for _ in range(count):
        started_at = time.time()
        (name,) = publish(deployment, entrance, 1)
        while not (run := _ended(deployment, entrance, started_at)):
            if time.time() - started_at > ALONE_SECONDS:
                raise SystemExit(
                    f"{entrance.design}: the run of event {name} has not ended after {ALONE_SECONDS:g} s. "
                    "Run the benchmark again."
                )
            time.sleep(0.02)
        ended = run.ended or started_at
        finished.append(
            Alone(pipeline_id=name, until_started=run.started - started_at, until_ended=ended - started_at)
        )
    return finished


def _ended(deployment: Deployment, entrance: Entrance, since: float) -> Run | None:
    client = deployment.client("stepfunctions")
    page = client.list_executions(stateMachineArn=entrance.machine_arn, maxResults=1)["executions"]
    runs = [_run(execution) for execution in page]
    return next((run for run in runs if run.started >= since - 0.001 and run.ended), None)
