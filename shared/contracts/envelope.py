"""The envelope of every event: `detail` holds metadata, data and, in a stage request, a task token.

The token is beside the metadata, not in it: metadata is logged, copied and recorded, the token never is.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Raw, Struct, field

from shared.contracts.limits import PIPELINE_ID_PATTERN

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
