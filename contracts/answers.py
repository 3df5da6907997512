"""What the API answers, as types: what it accepts with, how it shows a record, how it refuses."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET as ABSENT
from msgspec import Meta, Struct
from msgspec import UnsetType as Absent

from shared.contracts import v1
from shared.contracts.envelope import PipelineId

Moment = Annotated[datetime, Meta(tz=True)]


def _without(kind: type[Struct], left_out: str) -> type[Struct]:
    """`kind` without a field that stands elsewhere in the record."""
    fields: list[Any] = [
        (one.name, one.type) if one.required else (one.name, one.type, msgspec.field(default=one.default))
        for one in msgspec.structs.fields(kind)
        if one.name != left_out
    ]
    return msgspec.defstruct(f"{kind.__name__}InRecord", fields, frozen=True, kw_only=True)


ChatInRecord = _without(v1.ChatAnswer, "text")
EnhancementInRecord = _without(v1.Enhancement, "final_response")


class Accepted(Struct, frozen=True, kw_only=True):
    """The request is recorded and published."""

    pipeline_id: PipelineId
    status: Annotated[v1.Status, Meta(description="ACCEPTED, or how far a repeated request has come")]
    status_url: Annotated[str, Meta(description="GET it for the status and the answer")]


class Listed(Struct, frozen=True, kw_only=True):
    """One of a caller's pipelines."""

    pipeline_id: PipelineId
    status: v1.Status
    accepted_at: Moment
    excerpt: Annotated[str, Meta(description="how its message begins")] | Absent = ABSENT
    started_at: Moment | Absent = ABSENT
    finished_at: Moment | Absent = ABSENT
    execution_time_ms: v1.Milliseconds | Absent = ABSENT
    error: Annotated[str, Meta(description="why the run failed")] | Absent = ABSENT
    cancel_requested_at: Moment | Absent = ABSENT


class Listing(Struct, frozen=True, kw_only=True):
    """A page of them, newest first. It may hold fewer than asked for, even none, and have a next one all the same."""

    pipelines: list[Listed]
    next: (
        Annotated[str, Meta(description="give it as `next` for the next page; absent on the last")] | Absent
    ) = ABSENT


class StageFailure(Struct, frozen=True, kw_only=True, rename="pascal"):
    """Why a stage that is not critical failed, in Step Functions' spelling."""

    error: str
    cause: str | None = None


class Record(Struct, frozen=True, kw_only=True):
    """What is known of a pipeline. Fields appear as the run gets there; with SUCCEEDED, `final_response` is the
    answer. More fields may come.
    """

    pipeline_id: PipelineId
    status: v1.Status
    timestamp: Annotated[datetime, Meta(tz=True, description="when it was accepted")]
    accepted_at: Moment
    user_message: str | Absent = ABSENT
    started_at: Moment | Absent = ABSENT
    finished_at: Moment | Absent = ABSENT
    execution_time_ms: v1.Milliseconds | Absent = ABSENT
    execution_arn: str | Absent | None = ABSENT
    final_response: str | Absent | None = ABSENT
    analysis: v1.Analysis | Absent | None = ABSENT
    chat: ChatInRecord | Absent | None = ABSENT  # type: ignore[valid-type]  # a type made just now
    enhancement: EnhancementInRecord | Absent | None = ABSENT  # type: ignore[valid-type]  # likewise
    stages: Annotated[dict[str, v1.Meter], Meta(description="what each stage's run took")] | Absent = ABSENT
    degraded: Annotated[list[str], Meta(description="stages whose part the answer lacks")] | Absent = ABSENT
    instead: Annotated[dict[str, str], Meta(description="what is there in their place")] | Absent = ABSENT
    errors: Annotated[dict[str, StageFailure], Meta(description="why they failed")] | Absent = ABSENT
    error: Annotated[str, Meta(description="why the run failed")] | Absent = ABSENT
    cause: str | Absent = ABSENT
    stage: Annotated[str | None, Meta(description="the stage it failed at")] | Absent = ABSENT
    cancel_requested_at: Moment | Absent = ABSENT
