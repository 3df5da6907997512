"""Redrive of failed runs without a parked message: they continue where they failed, or are restarted."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from operations.aws_errors import translated
from operations.dlq.journal import Entry, Journal
from operations.dlq.plan import Action, Decision
from operations.dlq.queues import find_queues, read_all
from operations.dlq.replay import Outcome, Result
from operations.errors import OperationError
from operations.runs import executions
from operations.runs.executions import Execution
from operations.runs.history import read_history
from operations.runs.journey import is_gone
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts.executions import FAILED, ids_in
from shared.contracts.record import CANCELLED, Record, iso
from shared.contracts.stages import key_of

PAGE = 1_000
HAS_MESSAGE = "The run has a parked message; `pipeline dlq replay` runs it again."
_FIELDS = ("status", "stage", "error", "cause", "execution_arn", CANCELLED)


class FailedRun(Struct, frozen=True, kw_only=True):
    """A run that ended without an answer, and the decision on it. `stage` is null if no stage was reached."""

    pipeline_id: str
    execution: Execution
    stage: str | None
    decision: Decision
    restart_name: str | None = None


def find(
    target: Target,
    *,
    since: timedelta,
    stage: str | None = None,
    statuses: Sequence[str] = FAILED,
    limit: int | None = None,
) -> list[FailedRun]:
    """Return the failed runs that ended within `since`, oldest first.

    Runs that were restarted, have succeeded since or were cancelled are left out. A run with a parked message is
    included with the decision to leave it to `dlq replay`; `limit` does not count such runs.
    """
    found: list[FailedRun] = []
    parked = parked_runs(target)
    after = datetime.now(UTC) - since
    names = [name for status in statuses for name in _ended(target, status, after)]
    names.sort(key=lambda item: item[1])
    records = read_records(
        target,
        {pipeline_id for name, _ in names for pipeline_id in ids_in(name)},
        fields=_FIELDS,
    )
    for name, _ in names:
        run = _judged(target, target.addresses.execution_arn(name), records, parked)
        if run is None or (stage is not None and run.stage != stage):
            continue
        found.append(run)
        if limit and sum(run.decision.action is not Action.LEAVE for run in found) >= limit:
            break
    return found


def parked_runs(target: Target) -> set[str]:
    """Return the pipeline ids of all parked messages."""
    messages = (message for queue in find_queues(target) for message in read_all(target, queue))
    return {message.pipeline_id for message in messages if message.pipeline_id}


def find_chosen(
    target: Target, pipeline_ids: Sequence[str], parked: Collection[str]
) -> dict[str, FailedRun | str]:
    """Return for each run what would be done with it, or why nothing can be."""
    records = read_records(target, pipeline_ids, fields=_FIELDS)
    chosen: dict[str, FailedRun | str] = {}
    for pipeline_id in pipeline_ids:
        record = records.get(pipeline_id, Record())
        arn = record.get("execution_arn") or target.addresses.execution_arn(pipeline_id)
        run = _judged(target, arn, records, parked)
        chosen[pipeline_id] = run if run and run.pipeline_id == pipeline_id else _why_not(record)
    return chosen


def _why_not(record: Record) -> str:
    if CANCELLED in record:
        return "The run was cancelled by its caller."
    match record.get("status"):
        case "SUCCEEDED":
            return "The run has succeeded."
        case "FAILED":
            return "A later execution of the run was started, or its execution is not known any more."
    return "The run goes on, or waits to be started."


def _judged(
    target: Target, arn: str, records: Mapping[str, Record], parked: Collection[str]
) -> FailedRun | None:
    """Return the run of an execution with the decision on it; None if it is not to be run again."""
    execution = executions.describe(target, arn)
    if execution is None or not execution.failed:
        return None
    record = records.get(execution.pipeline_id, Record())
    if record.get("status") == "SUCCEEDED" or CANCELLED in record:
        return None
    restart_name, successor = executions.restarts(target, execution)
    restart_arn = target.addresses.execution_arn(restart_name)
    # A restart that is in the record and was never started was interrupted: earlier releases recorded it first.
    if successor is not None or record.get("execution_arn") not in (None, execution.arn, restart_arn):
        return None
    stage = record.get("stage") if "stage" in record else _stage(target, execution.arn)
    gone = stage if is_gone(stage, target.addresses.services) else None
    return FailedRun(
        pipeline_id=execution.pipeline_id,
        execution=execution,
        stage=stage,
        decision=_decide(execution, has_message=execution.pipeline_id in parked, gone=gone),
        restart_name=restart_name,
    )


def _decide(execution: Execution, *, has_message: bool, gone: str | None) -> Decision:
    """Decide on a failed execution. `gone` is the stage at which it failed, if that is not deployed any more."""
    if has_message:
        return Decision(action=Action.LEAVE, reason=HAS_MESSAGE)
    if gone:
        return Decision(
            action=Action.RESTART,
            reason=f"The stage {gone}, at which the run failed, is no longer part of the pipeline, so the run is "
            "restarted from the beginning.",
        )
    if execution.redrivable:
        return Decision(
            action=Action.REDRIVE, reason=f"The run ended as {execution.status} and can continue there."
        )
    return Decision(
        action=Action.RESTART,
        reason=f"The run ended as {execution.status} and can't be redriven, so it is restarted from the beginning.",
    )


def _ended(target: Target, status: str, after: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield the names and end times of the executions that ended with `status`, not before `after`."""
    with translated("list the failed runs"):
        pages = (
            target.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(
                stateMachineArn=target.addresses.state_machine_arn,
                statusFilter=status,
                PaginationConfig={"PageSize": PAGE},
            )
        )
        for page in pages:
            for execution in page["executions"]:
                ended = execution.get("stopDate") or execution["startDate"]
                if ended >= after:
                    yield execution["name"], ended


def _stage(target: Target, arn: str) -> str | None:
    with translated("read the execution's history"):
        pages = (
            target.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        )
        history = read_history(event for page in pages for event in page["events"])
    last = next(reversed(history.stages), None)
    return last and key_of(last)


def run_again(
    target: Target,
    runs: Sequence[FailedRun],
    *,
    who: str,
    rate: float | None = None,
    stop: Stop | None = None,
) -> Iterator[Result]:
    """Carry out the decisions and yield a result for each run; stop between two runs when asked to.

    Carrying out the same decisions twice starts each run once.
    """
    stop = stop or Stop()
    journal = Journal(target, who)
    after = 0.0
    for run in runs:
        if run.decision.action is Action.LEAVE:
            yield _result(run, run.decision, "left")
            continue
        stop.wait(after - time.monotonic())
        after = time.monotonic() + (1 / rate if rate else 0)
        if stop.requested:
            return
        yield _one(target, journal, run)


def _one(target: Target, journal: Journal, run: FailedRun) -> Result:
    decision, arn = run.decision, run.execution.arn
    try:
        if decision.action is Action.REDRIVE:
            try:
                executions.redrive(target, run.execution)
            except executions.NotRedrivableError as error:
                decision = Decision(
                    action=Action.RESTART, reason=f"{error} It is restarted from the beginning."
                )
        if decision.action is Action.RESTART:
            arn = executions.restart(target, run.execution, str(run.restart_name))
    except OperationError as error:
        return _result(run, decision, "failed", problem=str(error))
    try:
        journal.note(
            Entry(
                pipeline_id=run.pipeline_id,
                at=iso(datetime.now(UTC)),
                who=journal.who,
                what=str(decision.action),
                why=decision.reason,
                outcome="done",
                execution_arn=run.execution.arn,
                started_arn=arn,
            )
        )
    except OperationError as error:
        problem = f"The run was started, but its audit line is missing: {error}"
        return _result(run, decision, "failed", problem=problem, execution_arn=arn)
    return _result(run, decision, "done", execution_arn=arn)


def _result(run: FailedRun, decision: Decision, outcome: Outcome, **more: str) -> Result:
    """Return a result whose message is the run itself."""
    return Result(
        message_id=run.pipeline_id,
        service=run.stage or "",
        pipeline_id=run.pipeline_id,
        action=decision.action,
        reason=decision.reason,
        outcome=outcome,
        **more,
    )
