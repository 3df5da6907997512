"""The record of a run: the fields of one item of PipelineLogs, in every layout that any release has written.

A `Record` is a typed dictionary (TypedDict), not a msgspec Struct: DynamoDB holds, the API shows and the logger
writes dictionaries, in which an absent field differs from a null. The type exists for the type checker only: it adds
one small module to a cold start and no time to a message, and keeps fields that a newer release wrote. mypy finds a
misspelt key in `record["…"]`, and a test finds one in `record.get("…")`, which mypy does not check.

No field is required: a record grows while its run proceeds, and older releases wrote fewer fields. Times are texts in
ISO 8601, UTC, with milliseconds (`2026-11-23T09:30:00.120Z`); amounts of money are whole nano-dollars.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NotRequired, TypedDict, cast, get_args

from shared.contracts.stages import BY_KEY, LAST, OPTIONAL, RECORDED
from shared.contracts.v1 import Status

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""ACCEPTED (set by the API before it publishes), RUNNING (by the starter), SUCCEEDED or FAILED (by the logger).
A restart or redrive sets RUNNING again. If the logger fails, the workflow sets SUCCEEDED."""

FINAL: Final[tuple[Status, ...]] = ("SUCCEEDED", "FAILED")
"""Statuses of a run that has ended. A FAILED run may be redriven or restarted."""

CANCELLED: Final = "cancel_requested_at"
"""The field with the time of the cancel request. A running execution is stopped, a later one as soon as it starts."""


Via = Literal["api", "bus", "restart"]
"""How an execution came about: by a request to the API, by an event on the bus, or as a restart of the run."""


class StageMeter(TypedDict):
    """The meter of one stage: the fields of `v1.Meter`, of which older releases wrote fewer."""

    queue_wait_ms: NotRequired[int]
    """Milliseconds."""
    work_ms: NotRequired[int]
    """Milliseconds."""
    attempt: int
    """Retries by Step Functions before this attempt; 0 is the first attempt."""
    receives: int
    """Deliveries by SQS, this one included."""
    input_tokens: NotRequired[int]
    """Without those read from or written to a cache."""
    output_tokens: NotRequired[int]
    cache_read_tokens: NotRequired[int]
    cache_write_tokens: NotRequired[int]
    model_id: NotRequired[str | None]
    recalled: NotRequired[bool]
    """Whether an earlier delivery, attempt or execution paid for the answer."""
    batch: NotRequired[int]
    """Messages in the same invocation."""
    message_bytes: NotRequired[int | None]
    memory_mb: NotRequired[int | None]
    architecture: NotRequired[str | None]
    revision: NotRequired[str]
    """A hash of the code that the function ran."""


class StageFailure(TypedDict, total=False):
    """The error of a stage that degraded its run, with keys as Step Functions spells them."""

    Error: str | None
    Cause: str | None


class Metered(TypedDict, total=False):
    """The facts that the ledger needs and that no other field holds."""

    via: Via | None
    answer_bytes: int
    """UTF-8 bytes of the chatbot's answer before its enhancement."""
    record_bytes: int
    """Bytes of the whole record, as DynamoDB counts them."""
    log: StageMeter
    """The logger's own meter, as far as it is known when the record is written."""
    passes: list[str]
    """The keys of the workflow's stages, in the record of a failed run; absent if they are those of release 0.2.0."""
    by_day: bool
    """Whether the record is in the index of days, which the daily budget reads."""
    stated: dict[str, Any]
    """The fields of `costs.prices.Stated`: the prices that an option states; absent if there are none."""


class Cost(TypedDict):
    """The summary of a run's ledger (`Ledger.summary`)."""

    nano_usd: int | None
    """The total; null if no price is known."""
    waste_nano_usd: NotRequired[int]
    """The part of the total that failed attempts and repeated deliveries cost."""
    stages: NotRequired[dict[str, int]]
    """Nano-dollars by the stage's key; `start` is what precedes the first stage."""
    services: NotRequired[dict[str, int]]
    """Nano-dollars by AWS service."""
    unknown: NotRequired[list[str]]
    """Prices that are not listed and therefore missing from the total."""
    unmetered: NotRequired[list[str]]
    """Usage that was not measured and is therefore missing from the total."""
    prices: NotRequired[str | None]
    """Region and date of the price list, and what an option states instead."""


class Record(TypedDict, total=False):
    """All fields that a run's record may have. Fields of other names are kept unchanged.

    The result of each recorded stage is a field named by the stage's key (`results_in`), with the fields of its type
    except the answer's text. Here are those of the stages that every release has had.
    """

    pipeline_id: str
    """The table's key."""
    status: Status
    timestamp: str
    """The same time as `accepted_at`, under the name that the first release used."""
    accepted_at: str
    user_message: str
    request_hash: str
    """A hash of message and history, which distinguishes a repeated request from a different one with the same id."""
    trace_id: str
    correlation_id: str

    owner: str
    """A hash of the caller, `#` and a partition of the index `by-owner`; absent if the request came from the bus."""
    listed_at: str
    """`accepted_at`, `#`, `pipeline_id`: the order within the index."""
    excerpt: str
    """The beginning of the message."""
    cancel_requested_at: str

    execution_arn: str | None
    """The latest execution."""
    started_at: str
    finished_at: str
    reopened_after: str
    """When the execution ended that the run's latest restart or redrive followed. A failed end that is not later
    changes nothing."""
    expected_arn: str
    """The execution that an operator starts although the run has succeeded. Its result replaces the present one."""
    execution_time_ms: int
    """Milliseconds."""
    earlier_nano_usd: int
    """The cost of the run before its latest restart or redrive, as far as `cost` does not include it."""

    final_response: str | None
    final_response_packed: bytes
    """The whole of a long answer, compressed (`shared/texts.py`), of which the stored `final_response` is the
    beginning; readers get the whole as `final_response`."""
    analysis: dict[str, Any] | None
    """The fields of `v1.Analysis`."""
    chat: dict[str, Any] | None
    """The fields of `v1.ChatAnswer` except the text."""
    enhancement: dict[str, Any] | None
    """The fields of `v1.Enhancement` except the response."""
    stages: dict[str, StageMeter]
    """The meter of each stage that succeeded, by the stage's key; the logger's own is in `metered`."""
    errors: dict[str, StageFailure]
    """The error of each stage that failed and was not critical, by the stage's key."""
    degraded: list[str]
    """The keys of the stages that failed without failing the run."""
    ended_by: str
    """The key of the stage that ended the run early; absent if none did. `final_response` is its answer."""
    end_reason: str
    """The reason of that stage."""
    instead: dict[str, str]
    """For each of the degraded stages, by its key: how the answer differs without it."""

    error: str
    """The error's name, in the record of a FAILED run."""
    cause: str
    stage: str | None
    """The key of the stage at which the run failed; null if it reached none."""
    execution_status: str
    """The final status of the execution in Step Functions."""

    metered: Metered
    cost: Cost | None

    expires_at: int
    """The time, in epoch seconds, after which DynamoDB deletes the record; absent if records are kept for ever."""

    spent_on: str
    """The day (UTC) whose budget the run counts for, and the number of a partition of the index `by-day`."""
    spent_at: str
    """The time when the run's end was recorded."""
    spent_nano_usd: int
    spent_unknown: bool
    """Whether a price is unknown, so that the run cost more than `spent_nano_usd`."""


# --- what the workflow itself writes -----------------------------------------------------------------------

METERS_JSON: Final = "meters_json"
ERRORS_JSON: Final = "errors_json"
METERS_OF: Final = "meters_of"
"""The attributes that the state StoreAnswer writes instead of `stages` and `errors` if the logger fails: a workflow
can write a structure only as JSON text. The meters are a list, with null for a stage that failed; `meters_of` are the
stages' keys in the same order. Releases up to 0.2.0 wrote no such keys, as all had the same stages."""
METERED_BEFORE: Final = ("analysis", "chat", "enhancement")
"""The recorded stages of these releases."""


def as_json(key: str) -> str:
    """Return the name of the attribute in which StoreAnswer writes a stage's result instead of `key`."""
    return f"{key}_json"


PACKED: Final = "final_response_packed"
RESERVED: Final = frozenset({*Record.__annotations__, "meters", "start"}) - {*METERED_BEFORE}
"""Names that no stage can have as its key: other fields of the record, and what a cost's part is called."""
WHOLE: Final = "whole"
"""The field of a stage's result that refers to the whole of a long answer; the record has that answer instead."""


def of_stages(results: Mapping[str, Any]) -> Record:
    """Return the fields of a record with these results of stages, by the stage's key."""
    return cast("Record", dict(results))


def results_in(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results of stages in a record, by the stage's key: also those of stages that this release lacks.

    A stage that this release lacks, because it was removed or is newer, is known by its meter. Null stands for a
    result that a stage of this release did not give.
    """
    known = {stage.key: record.get(stage.key) for stage in RECORDED}
    known |= {stage.key: record[stage.key] for stage in OPTIONAL if stage.key in record}
    return known | {key: record[key] for key in unknown_stages(record) if key in record}


def passed(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the stages that a run which succeeded has passed, in order.

    A stage that this release added is not among those of a run that began before; one that this release lacks is.
    """
    told = {key for name in ("stages", "errors", "degraded") for key in (record.get(name) or ())}
    always = {*METERED_BEFORE, LAST.key}
    stages = (*RECORDED, *OPTIONAL)
    known = [stage.key for stage in stages if stage.key in told or stage.key in always]
    if (ended_by := record.get("ended_by")) in known:  # those that would have followed were skipped
        known = known[: known.index(str(ended_by)) + 1]
    elif ended_by:  # its place is not known: a stage was entered if the record tells of it
        known = [key for key in known if key in told]
    return (*known, *unknown_stages(record), LAST.key)


def unknown_stages(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the stages that a record tells of and that this release lacks."""
    told = [key for name in ("stages", "errors") for key in (record.get(name) or ())]
    told += [failed] if isinstance(failed := record.get("stage"), str) else []
    return tuple(key for key in dict.fromkeys(told) if key not in BY_KEY and key not in RESERVED)


def _unpacked(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a stored record with its whole answer, unless its beginning was written for another answer since."""
    from shared.contracts.packing import unpack  # noqa: PLC0415 -- only long answers need it

    rest = {name: value for name, value in stored.items() if name != PACKED}
    try:
        text = unpack(stored[PACKED])
    except (TypeError, ValueError):
        return rest
    return {**rest, "final_response": text} if text.startswith(str(rest.get("final_response"))) else rest


def expanded(stored: Mapping[str, Any]) -> Record:
    """Return a stored record in the layout of its type, whether the logger or the workflow wrote it: with its whole
    answer, and without JSON text.

    JSON text that can't be decoded counts as absent.
    """
    if PACKED in stored:
        stored = _unpacked(stored)
    if METERS_JSON not in stored:
        return cast("Record", stored)
    whole = {
        name: value for name, value in stored.items() if not name.endswith(as_json("")) and name != METERS_OF
    }
    meters = zip(
        _keys(stored.get(METERS_OF)) or METERED_BEFORE, _decoded(stored[METERS_JSON], list), strict=False
    )
    errors = _decoded(stored.get(ERRORS_JSON), dict)
    results = {
        name.removesuffix(as_json("")): _decoded(text, dict) or None
        for name, text in stored.items()
        if name.endswith(as_json("")) and name not in (METERS_JSON, ERRORS_JSON)
    }
    degraded = list(dict.fromkeys([*errors, *_keys(stored.get("degraded"))]))
    return cast(
        "Record",
        {
            **whole,
            "degraded": degraded,
            "instead": {name: BY_KEY[name].without for name in degraded if name in BY_KEY},
            **results,
            "stages": {key: meter for key, meter in meters if meter},
            "errors": errors,
        },
    )


def _keys(listed: Any) -> list[str]:
    return [key for key in listed if isinstance(key, str)] if isinstance(listed, list) else []


def _decoded(text: Any, kind: type[Any]) -> Any:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else kind()


def iso(moment: datetime) -> str:
    """Return `moment` in UTC with milliseconds, e.g. `2026-11-22T10:00:00.000Z`; such texts sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def accepted_event_id(pipeline_id: str) -> str:
    """Return the id of the event that the API publishes for a run; a repeated request publishes the same id."""
    return f"{pipeline_id}-accepted"


def via(pipeline_id: str, causation_id: str | None, *, restarts: int = 0) -> Via:
    """Return how an execution came about. `restarts` is the number in its name, 0 for a run's first execution."""
    if restarts:
        return "restart"
    return "api" if causation_id == accepted_event_id(pipeline_id) else "bus"
