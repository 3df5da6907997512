"""The envelope of every event: `detail` holds metadata, data and, in a stage request, a task token.

The token is beside the metadata, not in it: metadata is logged, copied and recorded, the token never is.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Raw, Struct, field

from shared.contracts.limits import ID_CHARS, PIPELINE_ID_PATTERN

SOURCE = "ai.pipeline"

INBOUND_EVENT = "pipeline.requested"
"""The only event that outside publishers may send; its metadata may be left out."""

PipelineId = Annotated[
    str,
    Meta(
        pattern=PIPELINE_ID_PATTERN,
        description="The pipeline's id, which is also the name of its first execution.",
    ),
]


class Event(Struct, frozen=True, kw_only=True):
    """Base of all event data. `NAME` and `VERSION` form the detail-type, e.g. `analysis.requested.v1`."""

    NAME: ClassVar[str]
    VERSION: ClassVar[int]

    @classmethod
    def detail_type(cls) -> str:
        return f"{cls.NAME}.v{cls.VERSION}"


def _check_ids_and_time(metadata: "Metadata | PartialMetadata") -> None:
    """Check what a type can't state. Raises ValueError with a sentence that says which rule is broken."""
    # A pattern's `$` also matches before a line break at the end.
    if metadata.pipeline_id and metadata.pipeline_id.endswith("\n"):
        raise ValueError("`pipeline_id` must not end with a line break")
    for name in ("event_id", "correlation_id", "causation_id"):
        if len(getattr(metadata, name) or "") > ID_CHARS:
            raise ValueError(f"`{name}` must be at most {ID_CHARS} characters")
    if metadata.occurred_at is not None:
        check_time("occurred_at", metadata.occurred_at)


def check_time(name: str, moment: datetime) -> None:
    """Raise ValueError for a time that has no date in UTC."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"`{name}` must be in the years 1 to 9999 in UTC, too") from None


class Metadata(Struct, frozen=True, kw_only=True):
    """An event's ids, schema, time and cause. Holds no message text and no token, so it may be logged."""

    event_id: str
    pipeline_id: PipelineId
    schema: str
    schema_version: int
    occurred_at: Annotated[datetime, Meta(tz=True, description="The time of the event, in UTC.")]
    correlation_id: str
    causation_id: str | None = None
    execution_arn: str | None = None
    attempt: Annotated[
        int,
        Meta(ge=0, description="The number of retries before this attempt (Step Functions' RetryCount)."),
    ] = 0
    traceparent: Annotated[str, Meta(description="The event's W3C trace context.")] | None = None

    def __post_init__(self) -> None:
        _check_ids_and_time(self)


class PartialMetadata(Struct, frozen=True, kw_only=True):
    """The metadata that an outside publisher may give with its event; every field is optional."""

    event_id: str | None = None
    pipeline_id: PipelineId | None = None
    schema: str | None = None
    schema_version: int | None = None
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    execution_arn: str | None = None
    attempt: int = 0
    traceparent: str | None = None

    def __post_init__(self) -> None:
        _check_ids_and_time(self)


class Detail(Struct, frozen=True, kw_only=True):
    """An event's `detail` before its data and metadata are decoded."""

    data: Raw
    metadata: Raw = Raw(b"null")
    task_token: str | None = None


class Delivery(Struct, frozen=True, kw_only=True, rename={"detail_type": "detail-type"}):
    """The body of an SQS message, from EventBridge or sent by the state machine straight to a queue."""

    source: str
    detail_type: str
    detail: Raw
    id: str | None = None
    time: datetime | None = None


class Outgoing(Struct, frozen=True, kw_only=True):
    """An event ready to be published."""

    data: Event
    pipeline_id: str
    event_id: str
    correlation_id: str
    causation_id: str | None = None
    execution_arn: str | None = None
    traceparent: str | None = None
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def detail(self) -> dict[str, Any]:
        metadata = Metadata(
            event_id=self.event_id,
            pipeline_id=self.pipeline_id,
            schema=self.data.NAME,
            schema_version=self.data.VERSION,
            occurred_at=self.occurred_at,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            execution_arn=self.execution_arn,
            traceparent=self.traceparent,
        )
        return {"metadata": metadata, "data": self.data}


# W3C trace context: each run has one trace, in the metadata of all its events and in each of its log lines. If the
# publisher gives no trace context, it is derived from the run's id alone, so that a repeated request, a message moved
# back, a redrive and a restart have the same trace. A publisher's own trace context is passed on unchanged. No spans
# are recorded.

TRACEPARENT_PATTERN = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"

_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}")
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SAMPLED = "01"
"""The flag that marks a trace as sampled: every run's log lines are written."""


def well_formed(value: object) -> str | None:
    """Return `value` if it is a valid traceparent, else None; never raises."""
    match = _TRACEPARENT.fullmatch(value) if isinstance(value, str) else None
    return match[0] if match and match["trace"].strip("0") and match["span"].strip("0") else None


def traceparent_of(pipeline_id: str) -> str:
    """Return the trace context of a run whose publisher gave none."""
    digest = hashlib.sha256(b"traceparent\n" + pipeline_id.encode()).hexdigest()
    is_uuid = _UUID.fullmatch(pipeline_id) and pipeline_id.strip("0-")
    trace_id = pipeline_id.replace("-", "") if is_uuid else digest[:32]
    return f"00-{trace_id}-{digest[-16:]}-{_SAMPLED}"


def trace_id(traceparent: str | None, pipeline_id: str) -> str:
    """Return the id of a run's trace; works for events without a traceparent, as older releases published them."""
    return (well_formed(traceparent) or traceparent_of(pipeline_id))[3:35]


def named_alike(trace_id: str) -> tuple[str, ...]:
    """Return the pipeline ids from which this trace id may be derived: a UUID without and with hyphens."""
    parts = (trace_id[:8], trace_id[8:12], trace_id[12:16], trace_id[16:20], trace_id[20:])
    return trace_id, "-".join(parts)
