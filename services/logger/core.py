"""Turns the state of an execution into the fields of its record and the event that announces it. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct

from shared.contracts.envelope import Metadata, Outgoing
from shared.contracts.executions import STOPPED, ids_in, pipeline_of, restart_number
from shared.contracts.limits import CAUSE_CHARS, ID_CHARS, PIPELINE_ID_PATTERN, beginning
from shared.contracts.record import METERED_BEFORE, PACKED, WHOLE, Metered, Record, Via, iso, of_stages, via
from shared.contracts.stages import (
    BY_CHOICE,
    BY_KEY,
    BY_STATE,
    EARLY_ANSWER,
    EVERY,
    LAST,
    RECORDED,
    STAGES,
    Stage,
    key_of,
)
from shared.contracts.v1 import (
    EarlyAnswer,
    LogRequested,
    Meter,
    PipelineCompleted,
    PipelineFailed,
    Results,
    Status,
    StoredText,
)
from shared.costs.facts import facts, item_bytes
from shared.costs.ledger import ledger
from shared.costs.prices import Stated
from shared.errors import ABORTED_ERROR, FAILED_ERROR, TIMEOUT_ERROR, PipelineError

REST_OF_RECORD_BYTES = 768
"""Size of a record's other fields, beside those that are set at its end: ids, times, the cost."""


LISTED = Stated()
"""No option states a price: only listed prices count."""


class Whole(Struct, frozen=True, kw_only=True):
    """The whole of a long answer, and its packed form for the record (`shared/texts.py`); None if it is not long."""

    text: str | None = None
    packed: bytes | None = None


NOT_LONG = Whole()


def ended_early(results: Results) -> tuple[str, EarlyAnswer] | None:
    """Return the key of the stage that ended the run early, and its answer; None if none did."""
    for key in reversed(results.__struct_fields__):
        answer = getattr(results.of(key).data, EARLY_ANSWER, None)
        if isinstance(answer, EarlyAnswer):
            return key, answer
    return None


def _answers(results: Results) -> list[tuple[str, StoredText | None]]:
    """Return the answer as each stage left it, with the reference to the whole of a long one; the last one first."""
    found = ((stage.answer, results.of(stage.key).data) for stage in reversed(RECORDED) if stage.answer)
    return [(getattr(data, text), getattr(data, WHOLE, None) or None) for text, data in found if data]


def referred(request: LogRequested) -> StoredText | None:
    """Return the reference to the whole of a long answer: the last one that a stage gave, if none ended the run."""
    if ended_early(request.results):
        return None
    return next((whole for _, whole in _answers(request.results) if whole), None)


class Completed(Struct, frozen=True, kw_only=True):
    """The record's fields of a run that succeeded. `first` is set only where the record lacks it."""

    fields: Record
    first: Record
    execution_time_ms: int
    finished_at: datetime
    degraded: tuple[str, ...]
    ended_by: str | None = None


def milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))


def completed(  # noqa: PLR0913 -- the last two have defaults
    request: LogRequested,
    metadata: Metadata,
    now: datetime,
    meter: Meter,
    *,
    by_day: bool = False,
    stated: Stated = LISTED,
    whole: Whole = NOT_LONG,
) -> Completed:
    """Return the record's fields of a run that succeeded; its answer is that of the stage that ended it early, or
    else the last one that a stage gave.

    Any other run without an answer can't succeed, as the first stage that gives one is critical. `meter` is the
    logger's own meter so far. `by_day`: the record is in the index of days, whose write has a cost. `stated` precedes
    the listed prices. `whole` is the answer if it is a long one.
    """
    results = request.results
    answers = _answers(results)
    answer = answers[0][0] if answers else None
    if whole.text is not None:
        answer = beginning(whole.text)
    early = ended_early(results)
    ending: Record = {}
    if early:
        answer = early[1].text
        ending = {"ended_by": early[0], "end_reason": early[1].reason}
    degraded = tuple(request.errors)
    took = milliseconds(request.started_at, now)
    outcomes = {stage.key: results.of(stage.key) for stage in EVERY[:-1]}
    meters = {name: outcome.meter for name, outcome in outcomes.items() if outcome.meter}
    fields: Record = {
        **of_stages(
            {
                stage.key: _without_text(outcomes[stage.key].data, stage)
                for stage in EVERY[:-1]
                if stage in RECORDED or outcomes[stage.key].data
            }
        ),
        "user_message": request.user_message,
        "final_response": answer,
        **({PACKED: whole.packed} if whole.packed else {}),
        **ending,
        "stages": msgspec.to_builtins(meters),
        "errors": {
            name: {"Error": error.error, "Cause": (error.cause or "")[:CAUSE_CHARS]}
            for name, error in request.errors.items()
        },
        "degraded": list(degraded),
        "instead": {name: BY_KEY[name].without for name in degraded if name in BY_KEY},
        "execution_time_ms": took,
        "execution_arn": metadata.execution_arn,
        "correlation_id": metadata.correlation_id,
        "started_at": iso(request.started_at),
        "finished_at": iso(now),
    }
    metered: Metered = {
        "via": _via(metadata.pipeline_id, metadata.causation_id, metadata.execution_arn),
        "answer_bytes": sum(whole.stored_bytes for _, whole in answers if whole)
        + (len(answers[-1][0].encode()) if answers else 0),
        "log": {
            "attempt": meter.attempt,
            "receives": meter.receives,
            "batch": meter.batch,
            "message_bytes": meter.message_bytes,
        },
    }
    return Completed(
        fields={**fields, **_cost("SUCCEEDED", fields, metered, by_day=by_day, stated=stated)},
        first={
            "timestamp": iso(request.accepted_at),
            "accepted_at": iso(request.accepted_at),
        },
        execution_time_ms=took,
        finished_at=now,
        degraded=degraded,
        ended_by=early[0] if early else None,
    )


def _via(pipeline_id: str, causation_id: str | None, execution_arn: str | None) -> Via:
    name = (execution_arn or "").rpartition(":")[2]
    return via(pipeline_id, causation_id, restarts=restart_number(name, pipeline_id))


def _cost(status: Status, fields: Record, metered: Metered, *, by_day: bool, stated: Stated) -> Record:
    """Return the fields `metered`, which holds the ledger's further facts, and `cost`, the ledger's summary."""
    metered = {**metered, "record_bytes": item_bytes(fields) + REST_OF_RECORD_BYTES}
    if by_day:
        metered["by_day"] = True
    if stated != LISTED:
        metered["stated"] = msgspec.to_builtins(stated)
    cost_fields: Record = {"metered": metered}
    if run := facts({**fields, **cost_fields, "status": status}):
        cost_fields["cost"] = ledger(run).summary()
    return cost_fields


def _without_text(result: Struct | None, stage: Stage) -> dict[str, Any] | None:
    """Return a stage's result without the answer's text, which the record has once."""
    left_out = (stage.answer, WHOLE, EARLY_ANSWER) if stage.answer or stage.may_end else ()
    if result is None:
        return None
    return {key: inner for key, inner in msgspec.to_builtins(result).items() if key not in left_out}


def completed_event(metadata: Metadata, run: Completed) -> Outgoing:
    """Return the event that announces a run's success; a repeated announcement has the same event id."""
    return Outgoing(
        data=PipelineCompleted(
            execution_time_ms=run.execution_time_ms, degraded=run.degraded, ended_by=run.ended_by or UNSET
        ),
        pipeline_id=metadata.pipeline_id,
        event_id=f"{metadata.pipeline_id}-completed",
        correlation_id=metadata.correlation_id,
        causation_id=metadata.event_id,
        execution_arn=metadata.execution_arn,
        traceparent=metadata.traceparent,
    )


class Failure(Struct, frozen=True, kw_only=True):
    """Step Functions' report of an execution that ended without an answer.

    `is_doubtful`: the report lacks the execution's input, and the name may be a run's id or that of another run's
    restart. `had_others`: its workflow had stages that this release lacks, because they were removed meanwhile.
    """

    pipeline_id: str
    correlation_id: str
    causation_id: str | None
    traceparent: str | None
    execution_arn: str
    status: str
    error: str
    cause: str
    started_at: datetime
    stopped_at: datetime
    accepted_at: str | None
    user_message: str | None
    is_doubtful: bool = False
    had_others: bool = False


class _Input(Struct):
    metadata: dict[str, Any] = {}
    request: dict[str, Any] = {}
    results: Any = None


_PIPELINE_ID = re.compile(PIPELINE_ID_PATTERN)

Moment = Annotated[int, Meta(ge=0, le=253_402_300_799_999, description="Milliseconds since 1970.")]


class _StatusChange(Struct, rename="camel"):
    execution_arn: Annotated[str, Meta(min_length=1, max_length=256)]
    name: Annotated[str, Meta(pattern=r"^\S{1,80}\Z")]
    status: str
    start_date: Moment
    stop_date: Moment | None = None
    input: str | None = None
    error: str | None = None
    cause: str | None = None


DETAIL_TYPE = "Step Functions Execution Status Change"
SOURCE = "aws.states"

_DEFAULT_ERRORS: Mapping[str, str] = {"TIMED_OUT": TIMEOUT_ERROR, STOPPED: ABORTED_ERROR}


def failure(detail: bytes) -> Failure:
    """Return the failure in the detail of an Execution Status Change event.

    Raises msgspec.ValidationError for a detail of another shape. Step Functions leaves out an input that is too
    large; name and times are always included.
    """
    change = msgspec.json.decode(detail, type=_StatusChange)
    try:
        state = msgspec.json.decode(change.input or "{}", type=_Input)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        state = _Input()
    own_id = _text(state.metadata, "pipeline_id") or ""
    pipeline_id = own_id if _PIPELINE_ID.fullmatch(own_id) else pipeline_of(change.name)
    started = datetime.fromtimestamp(change.start_date / 1000, UTC)
    return Failure(
        pipeline_id=pipeline_id,
        correlation_id=_id(state.metadata, "correlation_id") or pipeline_id,
        causation_id=_id(state.metadata, "causation_id"),
        traceparent=_text(state.metadata, "traceparent"),
        execution_arn=change.execution_arn,
        status=change.status,
        error=change.error or _DEFAULT_ERRORS.get(change.status, FAILED_ERROR),
        cause=(change.cause or "")[:CAUSE_CHARS],
        started_at=started,
        stopped_at=datetime.fromtimestamp(change.stop_date / 1000, UTC) if change.stop_date else started,
        accepted_at=_text(state.metadata, "accepted_at"),
        user_message=_text(state.request, "user_message"),
        is_doubtful=change.input is None and len(ids_in(change.execution_arn.rpartition(":")[2])) > 1,
        had_others=had_others(state.results),
    )


def had_others(results: Any) -> bool:
    """Return whether an execution's workflow had stages that this release lacks. `results` are those in its input,
    which has an empty one for each stage.
    """
    return isinstance(results, dict) and not results.keys() <= BY_KEY.keys()


def with_input(detail: bytes, state: str) -> bytes:
    """Return the detail of a status change with the execution's input, which it lacked."""
    return msgspec.json.encode({**msgspec.json.decode(detail), "input": state})


def described(execution: Mapping[str, Any]) -> bytes:
    """Return the detail of the event that announces an execution's end, made of DescribeExecution's answer."""
    dates = {name: round(execution[name].timestamp() * 1000) for name in ("startDate", "stopDate")}
    texts = {
        name: execution.get(name) for name in ("executionArn", "name", "status", "input", "error", "cause")
    }
    return msgspec.json.encode({**texts, **dates})


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a text field of an execution's input, which has any shape if the execution was started by hand."""
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def _id(fields: Mapping[str, Any], name: str) -> str | None:
    """Return an id that an event may have."""
    value = _text(fields, name)
    return value if value and len(value) <= ID_CHARS else None


def with_reason(run: Failure, events: Sequence[Mapping[str, Any]]) -> Failure:
    """Return `run` with the error and cause with which it was stopped: if the status event lacks them, the history
    has them.

    `events` are newest first. The end need not be the first of them: a stage's report may have come after it.
    """
    ends = (
        event["executionAbortedEventDetails"] for event in events if "executionAbortedEventDetails" in event
    )
    stopped: Mapping[str, Any] = next(ends, {})
    if run.status != STOPPED or run.error != ABORTED_ERROR or not stopped.get("error"):
        return run
    cause = str(stopped.get("cause") or run.cause)[:CAUSE_CHARS]
    return msgspec.structs.replace(run, error=str(stopped["error"]), cause=cause)


def failed_stage(status: str, error: str, *, any_optional: bool = False, others: bool = False) -> str | None:
    """Return the key of the stage at which an execution failed if its error identifies the stage, else None.

    In an execution that FAILED (a cancelled one is ABORTED), `Pipeline` errors come from workers only, and only a
    critical stage's failure ends the run. With `any_optional`, optional stages are switched on; with `others`, the
    execution had stages that this release lacks (`had_others`).
    """
    by_worker = status == "FAILED" and error.startswith(f"{PipelineError.NAME.partition('.')[0]}.")
    critical = [stage.key for stage in (EVERY if any_optional else STAGES) if stage.critical]
    return critical[0] if by_worker and len(critical) == 1 and not others else None


_AFTER_LAST = ("StoreAnswer", "WhichAnswer", "AnswerAlreadyStored")
"""How the names of the states begin that follow the last stage if it fails."""


def last_stage(events: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the key of the stage that was entered last, None if there is none.

    `events` are an execution's history, newest first. The choice behind a stage counts as that stage, a state that
    stores an answer as the last one. Any other state is that of a stage which was removed while the run was open.
    """
    for event in events:
        name = event.get("stateEnteredEventDetails", {}).get("name")
        if not name:
            continue
        if stage := BY_STATE.get(name) or BY_CHOICE.get(name):
            return stage.key
        if name.startswith(_AFTER_LAST):
            return LAST.key
        if not name.startswith("After"):  # the choice behind a removed stage: that stage was entered before
            return key_of(name)
    return None


def failed_fields(
    run: Failure, stage: str | None, *, by_day: bool = False, stated: Stated = LISTED
) -> tuple[Record, Record]:
    """Return the fields to set, and those to set only if the record lacks them. `stage` is None if unknown."""
    fields: Record = {
        "error": run.error,
        "cause": run.cause,
        "stage": stage,
        "execution_status": run.status,
        "execution_arn": run.execution_arn,
        "execution_time_ms": milliseconds(run.started_at, run.stopped_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.stopped_at),
    }
    accepted_at = run.accepted_at or iso(run.started_at)
    first: Record = {"timestamp": accepted_at, "accepted_at": accepted_at}
    if run.user_message is not None:
        first["user_message"] = run.user_message
    metered: Metered = {"via": _via(run.pipeline_id, run.causation_id, run.execution_arn)}
    if (keys := [one.key for one in EVERY if one in STAGES or one.key == stage]) != [
        *METERED_BEFORE,
        LAST.key,
    ]:
        metered["passes"] = keys
    cost = _cost("FAILED", {**first, **fields}, metered, by_day=by_day, stated=stated)
    return {**fields, **cost}, first


def failed_event(run: Failure, stage: str | None) -> Outgoing:
    """Return the event that announces a failed end; a repeated announcement has the same event id.

    Its id names the execution and its end, as an execution that is redriven may fail again under the same name.
    """
    return Outgoing(
        data=PipelineFailed(error=run.error, cause=run.cause, stage=stage),
        pipeline_id=run.pipeline_id,
        event_id=f"{run.execution_arn.rpartition(':')[2]}.{round(run.stopped_at.timestamp() * 1000)}-failed",
        correlation_id=run.correlation_id,
        execution_arn=run.execution_arn,
        traceparent=run.traceparent,
    )
