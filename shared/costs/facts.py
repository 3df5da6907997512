"""The facts about one run, taken from its record, from which its ledger is made.

The logger takes them from the fields it is about to write, a reader from the stored fields: both get the same ledger.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from shared.contracts.record import (
    FINAL,
    METERED_BEFORE,
    Metered,
    Record,
    StageFailure,
    StageMeter,
    Via,
    expanded,
    passed,
    results_in,
    unknown_stages,
)
from shared.contracts.stages import ANSWERING, BY_KEY, CHOOSING_KEYS, LAST, RETRY
from shared.costs.prices import Stated
from shared.errors import NEVER_RETRIED, TASK_ERROR, PermanentError, TransientError, WorkerLost

REPORTED = (*NEVER_RETRIED, TransientError.NAME)
"""The errors that a worker reports as final, after it has parked the message."""


class StageFacts(Struct, frozen=True, kw_only=True):
    """One stage that was entered. None means not metered. `tries` counts the attempts, the first included."""

    key: str
    chooses: bool = False
    """Whether the stage was left through its Choice state."""
    tries: int | None = 1
    receives: int = 1
    batch: int = 1
    message_bytes: int | None = None
    memory_mb: int | None = None
    architecture: str | None = None
    work_ms: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    model_id: str | None = None
    recalled: bool = False
    error: str | None = None
    """The error's name if the stage failed after all retries."""
    outcome: Literal["done", "failed", "unknown"] = "done"

    @property
    def tokens(self) -> dict[str, int]:
        """The numbers of tokens by their kinds in `lines.TOKENS`."""
        return {
            "input": self.input_tokens,
            "output": self.output_tokens,
            "cache_read": self.cache_read_tokens,
            "cache_write": self.cache_write_tokens,
        }

    @property
    def parked(self) -> bool:
        return self.error in REPORTED


class RunFacts(Struct, frozen=True, kw_only=True):
    """One execution. Sizes are in bytes; None means not known."""

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
    """Whether the record is in the index of days, which the daily budget reads."""
    stated: Stated = Stated()


def facts(stored: Mapping[str, Any]) -> RunFacts | None:
    """Return the facts in a stored record; None if the run has not ended, or succeeded without meters."""
    record = expanded(stored)
    if record.get("status") not in FINAL or not record.get("execution_arn"):
        return None
    failed = record["status"] == "FAILED"
    if not failed and not record.get("stages"):
        return None
    metered: Metered = record.get("metered") or {}
    message, answer = record.get("user_message"), record.get("final_response")
    by_workflow = not failed and LAST.key in (record.get("errors") or {})
    answer_of = results_in(record).get(ANSWERING.key)
    return RunFacts(
        region=_region(str(record["execution_arn"])),
        day=str(record.get("finished_at") or record.get("timestamp") or ""),
        via=metered.get("via"),
        outcome="FAILED" if failed else "SUCCEEDED",
        stages=tuple(_failed_run(record, metered) if failed else _finished_run(record, metered)),
        message_bytes=len(message.encode()) if isinstance(message, str) else None,
        record_bytes=metered.get("record_bytes") or item_bytes(record),
        answer_bytes=metered.get("answer_bytes") or (len(answer.encode()) if answer else None),
        tokens_reported=answer_of is None or answer_of.get("usage") is not None,
        stored_by_workflow=by_workflow,
        by_day=bool(metered.get("by_day")),
        stated=_stated(metered),
    )


def _stated(metered: Metered) -> Stated:
    try:
        return msgspec.convert(metered.get("stated") or {}, Stated)
    except msgspec.ValidationError:  # a newer release wrote it
        return Stated()


def _region(arn: str) -> str:
    return (arn.split(":") + [""] * 4)[3]


def _finished_run(record: Record, metered: Metered) -> list[StageFacts]:
    """Return the stages of a run that succeeded: each that was entered has a meter or an error.

    If a stage ended the run early, those between it and the last one were not entered.

    The last stage's meter is in `metered`, as its work is not over when the record is written.
    """
    meters = {**record["stages"], **({LAST.key: metered["log"]} if "log" in metered else {})}
    errors = record.get("errors") or {}
    return [_stage(key, meters.get(key), errors.get(key)) for key in passed(record)]


def _stage(key: str, meter: StageMeter | None, error: StageFailure | None) -> StageFacts:
    if error is not None:
        return _given_up(key, str(error.get("Error") or TASK_ERROR))
    if meter is None:
        return StageFacts(key=key, tries=None, outcome="unknown")
    rest: dict[str, Any] = {
        name: value for name, value in meter.items() if name in _OPTIONAL and value is not None
    }
    return StageFacts(
        key=key,
        chooses=key in CHOOSING_KEYS,
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
    "cache_read_tokens",
    "cache_write_tokens",
    "model_id",
    "recalled",
)


RECEIVES_OF_LOST = 3
"""The least number of deliveries of a message whose workers were lost; release 0.2.0 gave it up at the third."""


def _given_up(key: str, error: str) -> StageFacts:
    """Return a failed stage. A transient error means that all attempts were made; else their number is unknown."""
    return StageFacts(
        key=key,
        tries=1 + RETRY.max_attempts if error == TransientError.NAME else None,
        receives=RECEIVES_OF_LOST if error == WorkerLost.NAME else 1,
        error=error,
        outcome="failed",
    )


def _failed_run(record: Record, metered: Metered) -> list[StageFacts]:
    """Return a run's stages up to the failed one; of earlier stages, a record shows only that they were entered."""
    keys = metered.get("passes") or [*METERED_BEFORE, LAST.key]
    reached = record.get("stage")
    if not isinstance(reached, str) or reached not in {*keys, *BY_KEY, *unknown_stages(record)}:
        return []
    last = _given_up(reached, str(record.get("error") or PermanentError.NAME))
    if reached in BY_KEY:
        last = _with_wasted(last, str(record.get("cause") or ""))
    before = keys[: keys.index(reached)] if reached in keys else []
    return [*(_entered(key) for key in before), last]


def _entered(key: str) -> StageFacts:
    return StageFacts(key=key, chooses=key in CHOOSING_KEYS, tries=None, outcome="unknown")


def _with_wasted(stage: StageFacts, cause: str) -> StageFacts:
    """Return a failed stage with the tokens of its last answer, if it was paid for and could not be used."""
    from shared.contracts.wasted import paid_in  # noqa: PLC0415 -- only failed runs need it

    paid = paid_in(cause) if stage.parked else None
    if paid is None:
        return stage
    model_id, usage = paid
    counts = {name: count or 0 for name, count in msgspec.structs.asdict(usage).items()}
    return msgspec.structs.replace(stage, model_id=model_id, **counts)


def item_bytes(record: Mapping[str, Any]) -> int:
    """Return the item's size as DynamoDB counts it: names and values as UTF-8, three bytes for each list or map."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in record.items())


def _value_bytes(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case int():
            return len(str(abs(value))) // 2 + 2
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case Mapping():
            return 3 + item_bytes(value) + len(value)
        case list() | tuple():
            return 3 + sum(_value_bytes(inner) + 1 for inner in value)
    raise TypeError(f"A record can't hold a value of type {type(value).__name__}.")
