"""The types of the API's successful answers: an accepted request, a record, and a page of the list."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET as ABSENT
from msgspec import Meta, Struct
from msgspec import UnsetType as Absent

from shared.contracts import v1
from shared.contracts.envelope import PipelineId
from shared.contracts.record import WHOLE
from shared.contracts.stages import EARLY_ANSWER, EVERY, Stage

Moment = Annotated[datetime, Meta(tz=True)]


def _in_record(stage: Stage) -> type[Struct]:
    """Return the type of a stage's result in a record: without the answer's text, which is `final_response`."""
    kind = stage.result
    if not (stage.answer or stage.may_end):
        return kind
    fields: list[Any] = [
        (item.name, item.type)
        if item.required
        else (item.name, item.type, msgspec.field(default=item.default))
        for item in msgspec.structs.fields(kind)
        if item.name not in {stage.answer, WHOLE, EARLY_ANSWER}
    ]
    return msgspec.defstruct(f"{kind.__name__}InRecord", fields, frozen=True, kw_only=True)


class Accepted(Struct, frozen=True, kw_only=True):
    """The answer to a request that is recorded but whose pipeline has not finished."""

    pipeline_id: PipelineId
    status: Annotated[
        v1.Status, Meta(description="ACCEPTED, or the present status if the request was repeated")
    ]
    status_url: Annotated[str, Meta(description="the URL to GET for the status and the answer")]


class Listed(Struct, frozen=True, kw_only=True):
    """One pipeline in the list of a caller's pipelines."""

    pipeline_id: PipelineId
    status: v1.Status
    accepted_at: Moment
    excerpt: Annotated[str, Meta(description="the beginning of the message")] | Absent = ABSENT
    started_at: Moment | Absent = ABSENT
    finished_at: Moment | Absent = ABSENT
    execution_time_ms: v1.Milliseconds | Absent = ABSENT
    error: Annotated[str, Meta(description="why the run failed")] | Absent = ABSENT
    cancel_requested_at: Moment | Absent = ABSENT


class Listing(Struct, frozen=True, kw_only=True):
    """One page of a caller's pipelines, newest first. A page may be short or empty although another page follows."""

    pipelines: list[Listed]
    next: (
        Annotated[str, Meta(description="the parameter `next` of the next page; absent on the last page")]
        | Absent
    ) = ABSENT


class StageFailure(Struct, frozen=True, kw_only=True, rename="pascal"):
    """Why a stage that is not critical failed, with the field names of Step Functions."""

    error: str
    cause: str | None = None


class _Run(Struct, frozen=True, kw_only=True):
    """The record of one pipeline. Fields are added as it runs; `final_response` is the answer once it succeeded."""

    pipeline_id: PipelineId
    status: v1.Status
    timestamp: Annotated[datetime, Meta(tz=True, description="when the pipeline was accepted")]
    accepted_at: Moment
    user_message: str | Absent = ABSENT
    started_at: Moment | Absent = ABSENT
    finished_at: Moment | Absent = ABSENT
    execution_time_ms: v1.Milliseconds | Absent = ABSENT
    execution_arn: str | Absent | None = ABSENT
    final_response: str | Absent | None = ABSENT
    stages: (
        Annotated[dict[str, v1.Meter], Meta(description="the meter of each stage, by stage key")] | Absent
    ) = ABSENT
    ended_by: (
        Annotated[
            str,
            Meta(description="the stage that ended the pipeline early; `final_response` is its own answer"),
        ]
        | Absent
    ) = ABSENT
    end_reason: Annotated[str, Meta(description="the reason of the stage in `ended_by`")] | Absent = ABSENT
    degraded: (
        Annotated[list[str], Meta(description="the stages that failed without failing the run")] | Absent
    ) = ABSENT
    instead: (
        Annotated[dict[str, str], Meta(description="what the answer has in place of each degraded stage")]
        | Absent
    ) = ABSENT
    errors: (
        Annotated[dict[str, StageFailure], Meta(description="why each degraded stage failed")] | Absent
    ) = ABSENT
    error: Annotated[str, Meta(description="why the run failed")] | Absent = ABSENT
    cause: str | Absent = ABSENT
    stage: Annotated[str | None, Meta(description="the stage at which the run failed")] | Absent = ABSENT
    cancel_requested_at: Moment | Absent = ABSENT


Record = msgspec.defstruct(
    "Record",
    [(stage.key, _in_record(stage) | Absent | None, ABSENT) for stage in EVERY[:-1]],
    bases=(_Run,),
    namespace={"__doc__": _Run.__doc__},
    frozen=True,
    kw_only=True,
)
"""The same with each stage's result, in a field named by the stage's key."""


class Waiting(Struct, frozen=True, kw_only=True):
    """An answer that waits for approval, or the decision on it. In a list the texts are absent."""

    pipeline_id: PipelineId
    state: Annotated[
        str,
        Meta(
            description="waiting, decided (on its way), settled (the pipeline has it), or closed (it ended before)"
        ),
    ]
    asked_at: Moment
    deadline_at: Moment
    execution_arn: str | Absent = ABSENT
    excerpt: Annotated[str, Meta(description="the beginning of the message")] | Absent = ABSENT
    user_message: str | Absent = ABSENT
    answer: str | Absent = ABSENT
    is_cut: Annotated[bool, Meta(description="whether `answer` is only the beginning")] = False
    decision: Annotated[str, Meta(description="approved, rejected, edited or failed")] | Absent = ABSENT
    decided_by: Annotated[str, Meta(description="the caller, or `deadline`")] | Absent = ABSENT
    decided_at: Moment | Absent = ABSENT
    reason: str | Absent = ABSENT
    text: Annotated[str, Meta(description="what the caller gets instead")] | Absent = ABSENT
    reminders: int = 0


class WaitingAnswers(Struct, frozen=True, kw_only=True):
    """The answers that wait for approval, the oldest first."""

    approvals: list[Waiting]
