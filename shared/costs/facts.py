"""What is known of one run, read from its record: the only thing a ledger is made of.

The logger makes the facts from the fields it is about to write, a reader from the fields it finds: the same facts,
the same ledger.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from shared.contracts.record import FINAL, Metered, Record, StageFailure, StageMeter, Via, expanded
from shared.contracts.stages import LAST, RECEIVES_BEFORE_LOST, RETRY, STAGES, Stage
from shared.errors import NEVER_RETRIED, TASK_ERROR, PermanentError, TransientError, WorkerLost

REPORTED = (*NEVER_RETRIED, TransientError.NAME)
"""Errors that a worker reports, after it has parked the message for good."""


class StageFacts(Struct, frozen=True, kw_only=True):
    """One stage that was entered. None is: not metered. `tries` counts the first as well."""

    key: str
    tries: int | None = 1
    receives: int = 1
    batch: int = 1
    message_bytes: int | None = None
    memory_mb: int | None = None
    architecture: str | None = None
    work_ms: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    model_id: str | None = None
    recalled: bool = False
    error: str | None = None
    """Set where the stage failed for good."""
    outcome: Literal["done", "failed", "unknown"] = "done"

    @property
    def parked(self) -> bool:
        return self.error in REPORTED


class RunFacts(Struct, frozen=True, kw_only=True):
    """One execution. Sizes are in bytes; None is: not known."""

    region: str
    day: str
    via: Via | None
    outcome: Literal["SUCCEEDED", "FAILED"]
    stages: tuple[StageFacts, ...]
    message_bytes: int | None = None
    record_bytes: int | None = None
    answer_bytes: int | None = None
    tokens_reported: bool = True
    stored_by_workflow: bool = False
    by_day: bool = False
    """The record is in the index of days, for a budget."""


def facts(stored: Mapping[str, Any]) -> RunFacts | None:
    """None for a run that is not over, or that was recorded before anything was metered."""
    record = expanded(stored)
    if record.get("status") not in FINAL or not record.get("execution_arn"):
        return None
    failed = record["status"] == "FAILED"
    if not failed and not record.get("stages"):
        return None
    metered: Metered = record.get("metered") or {}
    message, answer = record.get("user_message"), record.get("final_response")
    by_workflow = not failed and LAST.key in (record.get("errors") or {})
    chat = record.get("chat")
    return RunFacts(
        region=_region(str(record["execution_arn"])),
        day=str(record.get("finished_at") or record.get("timestamp") or ""),
        via=metered.get("via"),
        outcome="FAILED" if failed else "SUCCEEDED",
        stages=tuple(_failed_run(record) if failed else _finished_run(record, metered)),
        message_bytes=len(message.encode()) if isinstance(message, str) else None,
        record_bytes=metered.get("record_bytes") or item_bytes(record),
        answer_bytes=metered.get("answer_bytes") or (len(answer.encode()) if answer else None),
        tokens_reported=chat is None or chat.get("usage") is not None,
        stored_by_workflow=by_workflow,
        by_day=bool(metered.get("by_day")),
    )


def _region(arn: str) -> str:
    return (arn.split(":") + [""] * 4)[3]


def _finished_run(record: Record, metered: Metered) -> list[StageFacts]:
    """Every stage was entered; each has a meter, or the error it was left with. The last stage's meter stands apart:
    its own work is not over when it is written.
    """
    meters = {**record["stages"], **({LAST.key: metered["log"]} if "log" in metered else {})}
    errors = record.get("errors") or {}
    return [_stage(stage, meters.get(stage.key), errors.get(stage.key)) for stage in STAGES]


def _stage(stage: Stage, meter: StageMeter | None, error: StageFailure | None) -> StageFacts:
    if error is not None:
        return _given_up(stage.key, str(error.get("Error") or TASK_ERROR))
    if meter is None:
        return StageFacts(key=stage.key, tries=None, outcome="unknown")
    rest: dict[str, Any] = {
        name: value for name, value in meter.items() if name in _OPTIONAL and value is not None
    }
    return StageFacts(
        key=stage.key,
        tries=meter["attempt"] + 1,
        receives=meter["receives"],
        **rest,
    )


_OPTIONAL = (
    "batch",
    "message_bytes",
    "memory_mb",
    "architecture",
    "work_ms",
    "input_tokens",
    "output_tokens",
    "model_id",
    "recalled",
)


def _given_up(key: str, error: str) -> StageFacts:
    """A transient error is final after all tries only. Which try of a permanent one it was, nobody wrote down."""
    return StageFacts(
        key=key,
        tries=1 + RETRY.max_attempts if error == TransientError.NAME else None,
        receives=RECEIVES_BEFORE_LOST if error == WorkerLost.NAME else 1,
        error=error,
        outcome="failed",
    )


def _failed_run(record: Record) -> list[StageFacts]:
    """The stages up to the failed one. Of those before it the record knows only that they were entered."""
    keys = [stage.key for stage in STAGES]
    reached = record.get("stage")
    if reached not in keys:
        return []
    before = [StageFacts(key=key, tries=None, outcome="unknown") for key in keys[: keys.index(str(reached))]]
    return [*before, _given_up(str(reached), str(record.get("error") or PermanentError.NAME))]


def item_bytes(record: Mapping[str, Any]) -> int:
    """What DynamoDB counts as the item's size: names and values as UTF-8, three bytes for each list or map."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in record.items())


def _value_bytes(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case int():
            return len(str(abs(value))) // 2 + 2
        case str():
            return len(value.encode())
        case Mapping():
            return 3 + item_bytes(value) + len(value)
        case list() | tuple():
            return 3 + sum(_value_bytes(inner) + 1 for inner in value)
    raise TypeError(f"a record holds no {type(value).__name__}")
