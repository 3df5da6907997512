"""The record of a pipeline: the fields of one item of PipelineLogs, in every layout that was ever written.

A `Record` is a plain dictionary with a type (a TypedDict), not a msgspec Struct: what DynamoDB holds is a dictionary,
and what the API shows and the logger writes is one too, where an absent field and a null differ. A type that exists
for the type checker alone adds one small module to a cold start and nothing to a message; it keeps fields that a
newer release writes. mypy finds a mistyped key in `record["…"]`, and a test one in `record.get("…")`, which mypy lets
pass.

No field is required: a record grows while its run proceeds, and older releases wrote fewer fields. Moments are texts
in ISO 8601, UTC, with milliseconds (`2026-11-23T09:30:00.120Z`); amounts of money are whole nano-dollars.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NotRequired, TypedDict, cast, get_args

from shared.contracts.stages import BY_KEY, STAGES
from shared.contracts.v1 import Status

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""ACCEPTED (the API, before it publishes), RUNNING (the starter), SUCCEEDED or FAILED (the logger)."""

FINAL: Final[tuple[Status, ...]] = ("SUCCEEDED", "FAILED")
"""Statuses of a pipeline that has ended. A FAILED one may be started again."""

CANCELLED: Final = "cancel_requested_at"
"""The field with the time of the cancel request. Pending runs are not started and running ones are stopped."""


Via = Literal["api", "bus", "restart"]
"""How a run began."""


class StageMeter(TypedDict):
    """What one stage's run took: the fields of `v1.Meter`, of which older releases wrote fewer."""

    queue_wait_ms: NotRequired[int]
    """Milliseconds."""
    work_ms: NotRequired[int]
    """Milliseconds."""
    attempt: int
    """Retries by Step Functions before this try; 0 is the first."""
    receives: int
    """Deliveries by SQS, this one included."""
    input_tokens: NotRequired[int]
    output_tokens: NotRequired[int]
    model_id: NotRequired[str | None]
    recalled: NotRequired[bool]
    """The answer was paid for by an earlier run."""
    batch: NotRequired[int]
    """Messages in the same invocation."""
    message_bytes: NotRequired[int | None]
    memory_mb: NotRequired[int | None]
    architecture: NotRequired[str | None]


class StageFailure(TypedDict, total=False):
    """Why a stage failed whose part the answer lacks, in Step Functions' spelling."""

    Error: str | None
    Cause: str | None


class Metered(TypedDict, total=False):
    """What the ledger needs to know and no other field tells."""

    via: Via | None
    answer_bytes: int
    """Bytes of the chatbot's own answer, as UTF-8."""
    record_bytes: int
    """Bytes of the whole record, as DynamoDB counts them."""
    log: StageMeter
    """The logger's own meter, as far as it is known when the record is written."""
    by_day: bool
    """The record is in the index of days, for a budget."""


class Cost(TypedDict):
    """The summary of a run's ledger (`Ledger.summary`)."""

    nano_usd: int | None
    """The total; null where no price is known."""
    waste_nano_usd: NotRequired[int]
    """The part of the total that failed tries and repeated deliveries cost."""
    stages: NotRequired[dict[str, int]]
    """Nano-dollars by the stage's key, and of what comes before the first."""
    services: NotRequired[dict[str, int]]
    """Nano-dollars by AWS service."""
    unknown: NotRequired[list[str]]
    """Prices that are missing in the total."""
    unmetered: NotRequired[list[str]]
    """What was not measured and is missing in the total."""
    prices: NotRequired[str | None]
    """Region and date of the price list."""


class Record(TypedDict, total=False):
    """All that may be stored of one pipeline. Fields of other names may be there, too, and are left alone."""

    pipeline_id: str
    """The table's key."""
    status: Status
    timestamp: str
    """As `accepted_at`; the name in the records of the first release."""
    accepted_at: str
    user_message: str
    request_hash: str
    """A digest of message and history, which tells a repeated request from another one under the same id."""
    trace_id: str
    correlation_id: str

    owner: str
    """A digest of the caller, `#` and a partition of the index `by-owner`; absent from what came by the bus."""
    listed_at: str
    """`accepted_at`, `#`, `pipeline_id`: the order within the index."""
    excerpt: str
    """How the message begins."""
    cancel_requested_at: str

    execution_arn: str | None
    """The latest execution."""
    started_at: str
    finished_at: str
    execution_time_ms: int
    """Milliseconds."""
    earlier_nano_usd: int
    """What the pipeline's earlier executions cost."""

    final_response: str | None
    analysis: dict[str, Any] | None
    """The fields of `v1.Analysis`."""
    chat: dict[str, Any] | None
    """The fields of `v1.ChatAnswer` but its text."""
    enhancement: dict[str, Any] | None
    """The fields of `v1.Enhancement` but the response."""
    stages: dict[str, StageMeter]
    """By the key of each stage that succeeded; the logger's own is in `metered`."""
    errors: dict[str, StageFailure]
    """By the key of each stage that failed and was not critical."""
    degraded: list[str]
    """The keys of the stages whose part the answer lacks."""
    instead: dict[str, str]
    """By the same keys: what the caller got in their place."""

    error: str
    """Of a FAILED run: the error's name."""
    cause: str
    stage: str | None
    """The key of the stage it failed at; null if it reached none."""
    execution_status: str
    """How Step Functions says that the execution ended."""

    metered: Metered
    cost: Cost | None

    spent_on: str
    """The day (UTC) for whose budget the run counts, and the number of a partition of the index `by-day`."""
    spent_at: str
    """When the end was recorded."""
    spent_nano_usd: int
    spent_unknown: bool
    """The run cost more than `spent_nano_usd`: a price is not known."""


# --- what the workflow itself writes -----------------------------------------------------------------------

ANALYSIS_JSON: Final = "analysis_json"
METERS_JSON: Final = "meters_json"
ERRORS_JSON: Final = "errors_json"
STORED_AS_JSON: Final = (ANALYSIS_JSON, METERS_JSON, ERRORS_JSON)
"""Attributes that the state StoreAnswer writes in place of `analysis`, `stages` and `errors`, when the logger
fails: a workflow can write a structure only as JSON text. The meters are a list in the stage table's order, null for
a stage that failed."""


def expanded(stored: Mapping[str, Any]) -> Record:
    """The stored attributes in the one layout that readers know: `stored` itself, unless the workflow wrote it.

    JSON text that can't be read counts as absent.
    """
    if METERS_JSON not in stored:
        return cast("Record", stored)
    whole = {name: value for name, value in stored.items() if name not in STORED_AS_JSON}
    meters = zip(STAGES, _decoded(stored[METERS_JSON], list), strict=False)
    errors = _decoded(stored.get(ERRORS_JSON), dict)
    lacking = stored.get("degraded")
    named = [name for name in lacking if isinstance(name, str)] if isinstance(lacking, list) else []
    degraded = list(dict.fromkeys([*errors, *named]))
    return cast(
        "Record",
        {
            **whole,
            "degraded": degraded,
            "instead": {name: BY_KEY[name].without for name in degraded if name in BY_KEY},
            "analysis": _decoded(stored.get(ANALYSIS_JSON), dict) or None,
            "stages": {stage.key: meter for stage, meter in meters if meter},
            "errors": errors,
        },
    )


def _decoded(text: Any, kind: type[Any]) -> Any:
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        value = None
    return value if isinstance(value, kind) else kind()
