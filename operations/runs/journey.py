"""The journey of a run: its status, its stages and its answer, now and until its end.

For a finished run the record suffices. While a run goes on, and where it failed, the execution's history says more.
"""

import re
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from operations.aws_errors import translated
from operations.errors import DeniedError, NotFoundError
from operations.runs import history as histories
from operations.runs.executions import UNKNOWN_EXECUTION
from operations.runs.history import History
from operations.runs.records import read_record
from operations.runs.stage_views import StageView, views_of_stages
from operations.stop import Stop
from operations.target import Target
from shared.contracts import limits
from shared.contracts.record import FINAL, Record, expanded, results_in
from shared.contracts.stages import ANSWERING, BY_KEY
from shared.contracts.v1 import FailedModel

GRACE_SECONDS = 10.0
"""How long the record may lag behind an execution that has ended."""

LAST_STATE_SECONDS = 1.0
"""How long the execution may lag behind its record, which the last state writes before it ends."""

_PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)


class Journey(Struct, frozen=True, kw_only=True):
    """A run as a reader sees it. If it is `finished`, nothing will change any more.

    `status` is the record's, but RUNNING instead of ACCEPTED as soon as there is an execution.
    """

    pipeline_id: str
    status: str
    finished: bool
    stages: tuple[StageView, ...]
    user_message: str | None = None
    final_response: str | None = None
    execution_time_ms: int | None = None
    degraded: tuple[str, ...] = ()
    ended_by: str | UnsetType = UNSET
    """The key of the stage that ended the run early, with `final_response` as its own answer."""
    end_reason: str | UnsetType = UNSET
    accepted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    cause: str | None = None
    failed_stage: str | None = None
    stage_is_gone: bool | UnsetType = UNSET
    """Whether the stage at which it failed is not deployed any more; absent if it is, or nothing failed."""
    instead: Mapping[str, str] = {}
    """What the caller got instead of each degraded stage, by stage key."""
    results: Mapping[str, Mapping[str, Any] | None] = {}
    """The results of the stages by the stage's key, without the answer's text; None if a stage gave none."""
    execution_arn: str | None = None
    trace_id: str | None = None
    cost: Mapping[str, Any] | None = None
    """The cost that the logger recorded, in nano-dollars; `pipeline show --cost` prints the ledger."""
    earlier_nano_usd: int = 0
    """The cost of earlier executions of a restarted run."""
    stand_in: str | UnsetType = UNSET
    """What answered in the place of the model that the record names; absent if that model did."""

    @property
    def answered_by(self) -> str:
        """Who gave the answer, by the record and the stand-in; empty if there is none, or no model gave it."""
        model = str((self.chat or {}).get("model_id") or "")
        stands_in = model and self.stand_in and self.stand_in != model
        return f"{self.stand_in} in the place of {model}" if stands_in else model

    @property
    def early_end(self) -> str:
        """How the run ended early, e.g. "ended by moderation; the model was not asked"; empty if it did not."""
        return early_end(self.ended_by or None, asked=bool(self.chat))

    @property
    def chat(self) -> Mapping[str, Any]:
        """What the stage that answers says of its answer; empty if there is none."""
        return self.results.get(ANSWERING.key) or {}


def early_end(ended_by: str | None, *, asked: bool) -> str:
    """Return how a run ended early, as the end of a sentence; empty if no stage ended it."""
    if not ended_by:
        return ""
    return f"ended by {ended_by}" + ("" if asked else "; the model was not asked")


def told(journey: Journey) -> dict[str, Any]:
    """Return a journey as it is told in JSON, with each stage's result as a field named by the stage's key."""
    told = {name: value for name, value in msgspec.structs.asdict(journey).items() if value is not UNSET}
    results = told.pop("results")
    return told | {key: result for key, result in results.items() if key not in told}


def read_journey(target: Target, pipeline_id: str) -> Journey:
    """Return the run's journey so far. Raises NotFoundError."""
    journey = _look(target, pipeline_id)
    if journey is None:
        raise NotFoundError(
            f"There is no run {pipeline_id!r} in environment {target.env!r}. `pipeline list` shows the runs."
        )
    return journey


def follow(
    target: Target,
    pipeline_id: str,
    *,
    appears_within: float = 0,
    patience_seconds: float = 1_200,
    stop: Stop | None = None,
) -> Iterator[Journey]:
    """Yield the journey now and after each change, until the run ends or a stop is requested.

    Raises NotFoundError if there is no such run after `appears_within` seconds: a run that was just published is not
    known at once. Gives up after `patience_seconds` without a change. Reads as often as `Target.pace` says.
    """
    stop = stop or Stop()
    began = changed = time.monotonic()
    ended: float | None = None
    last: Journey | None = None
    while True:
        journey = _look(target, pipeline_id)
        now = time.monotonic()
        if journey is None:
            late = now - began >= appears_within
            journey = read_journey(target, pipeline_id) if late else _unknown_yet(pipeline_id)
        if journey.finished and journey.status not in FINAL:  # the record lags behind the execution
            ended = ended or now
            if now - ended < GRACE_SECONDS:
                journey = replace(journey, finished=False)
        elif journey.finished and any(stage.is_ending for stage in journey.stages):
            ended = ended or now
            if now - ended < LAST_STATE_SECONDS:
                journey = replace(journey, finished=False)
        if journey != last:
            yield journey
            last, changed = journey, now
        if journey.finished or stop.requested or now - changed > patience_seconds:
            return
        stop.wait(target.pace.of_run(now - began))
        if stop.requested:
            return


def _look(target: Target, pipeline_id: str) -> Journey | None:
    if not _PIPELINE_ID.fullmatch(pipeline_id):
        return None
    record = read_record(target, pipeline_id)
    if record is None or record.get("status") == "ACCEPTED":
        execution = execution_history(target, target.addresses.execution_arn(pipeline_id))
        if execution is None:
            return assemble(pipeline_id, record, None, stand_in=target.stand_in) if record else None
        return assemble(pipeline_id, record or {}, execution, stand_in=target.stand_in)
    services = target.addresses.services
    arn = record.get("execution_arn") or target.addresses.execution_arn(pipeline_id)
    try:
        execution = execution_history(target, str(arn))
    except DeniedError:
        if record.get("status") not in FINAL:
            raise
        execution = None  # the record says enough to those who may read nothing else
    return assemble(pipeline_id, record, execution, stand_in=target.stand_in, services=services)


def is_gone(stage: str | None, services: Collection[str]) -> bool:
    """Return whether the stage with this key is not among the deployed services.

    A stage that this checkout lacks was made by `pipeline stage new`, which names the service as the stage.
    """
    return stage is not None and (BY_KEY[stage].service if stage in BY_KEY else stage) not in services


def execution_history(target: Target, arn: str) -> History | None:
    """Read an execution's history; None if there is none, or not any more (it is kept for 90 days)."""
    with translated("read the execution's history"):
        client = target.client("stepfunctions")
        try:
            pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
            return histories.read_history(event for page in pages for event in page["events"])
        except ClientError as error:
            if error.response["Error"]["Code"] in UNKNOWN_EXECUTION:
                return None
            raise


def assemble(
    pipeline_id: str,
    stored: Mapping[str, Any],
    execution: History | None,
    *,
    stand_in: str | None = None,
    services: Collection[str] | None = None,
) -> Journey:
    """Make a journey of the record and, if there is one, the history; the record decides the status (pure).

    `services` are those that are deployed, if they are known.
    """
    record = expanded(stored)
    status = str(record.get("status") or "ACCEPTED")
    ended = execution is not None and execution.status != "RUNNING"
    if status == "ACCEPTED" and execution is not None:
        status = "RUNNING"
    failed, is_final = status == "FAILED", status in FINAL
    execution = execution or History()
    return Journey(
        pipeline_id=pipeline_id,
        status=status,
        finished=is_final or ended,
        stages=tuple(views_of_stages(status, record, execution)),
        user_message=record.get("user_message"),
        final_response=record.get("final_response"),
        execution_time_ms=record.get("execution_time_ms") if is_final else None,
        degraded=tuple(record.get("degraded") or ()),
        ended_by=record.get("ended_by", UNSET),
        end_reason=record.get("end_reason", UNSET),
        accepted_at=_time(record.get("accepted_at") or record.get("timestamp")),
        started_at=_started(record, execution),
        finished_at=(_time(record.get("finished_at")) if is_final else None)
        or (execution.finished_at if ended else None),
        error=record.get("error") if failed else execution.error,
        cause=record.get("cause") if failed else execution.cause,
        failed_stage=record.get("stage") if failed else None,
        stage_is_gone=(failed and services is not None and is_gone(record.get("stage"), services)) or UNSET,
        instead=record.get("instead") or {},
        results={
            key: result
            for key, result in results_in(record).items()
            if result is None or isinstance(result, Mapping)
        },
        execution_arn=record.get("execution_arn"),
        trace_id=record.get("trace_id"),
        cost=record.get("cost"),
        earlier_nano_usd=record.get("earlier_nano_usd") or 0,
        stand_in=stand_in or UNSET,
    )


def failed_models(chat: Mapping[str, Any]) -> tuple[FailedModel, ...]:
    """Return the models in whose place another one answered; none if the record does not tell them readably."""
    try:
        return msgspec.convert(chat.get("instead_of") or (), tuple[FailedModel, ...])
    except (msgspec.ValidationError, UnicodeError):
        return ()


def _started(record: Record, execution: History) -> datetime | None:
    """Return when the execution started. Meanwhile, the record of a redriven one has the time of the redrive."""
    meanwhile = execution.redriven and record.get("status") not in FINAL
    recorded = None if meanwhile else _time(record.get("started_at"))
    return recorded or execution.started_at


def _time(text: str | None) -> datetime | None:
    """Return the time in a text, in UTC; None if it has none, so that a damaged record is shown without it."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _unknown_yet(pipeline_id: str) -> Journey:
    return assemble(pipeline_id, {"status": "ACCEPTED"}, None)
