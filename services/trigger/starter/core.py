"""Makes the input of an execution, and reads the request in an execution's input. Pure."""

from datetime import UTC

import msgspec
from msgspec import Struct

from shared.contracts import v1, v2
from shared.contracts.envelope import Metadata
from shared.contracts.message import request_hash
from shared.contracts.record import accepted_event_id
from shared.contracts.stages import Results


class _Request(Struct):
    user_message: str
    history: tuple[v1.Turn, ...] = ()


class _Owner(Struct, frozen=True):
    pipeline_id: str | None = None


class _State(Struct):
    request: _Request
    metadata: _Owner = _Owner()


def asked_hash(state: str, pipeline_id: str) -> str:
    """Return the `request_hash` of the request in an execution's input.

    Empty for an input of another shape, and for that of another run: the id may be the name of its restart.
    """
    try:
        of_run = msgspec.json.decode(state, type=_State)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    if of_run.metadata.pipeline_id not in (None, pipeline_id):
        return ""
    return request_hash(of_run.request.user_message, of_run.request.history)


def may_be_old(metadata: Metadata) -> bool:
    """Return whether the pipeline's id may have been used longer ago than Step Functions remembers names (90 days).

    An id of EventBridge is new, and one of the API was new when its record was written.
    """
    return metadata.event_id not in (metadata.pipeline_id, accepted_event_id(metadata.pipeline_id))


_NO_RESULTS = msgspec.to_builtins(Results())


def execution_input(request: v2.PipelineRequested, metadata: Metadata) -> str:
    """Return the input of an execution, as JSON that is not ASCII-escaped.

    The input already holds all defaults (`results`, `errors`), so that no state of the workflow has to add them. It
    depends on the event alone: StartExecution recognises the input of a repeated event as the same.
    """
    return msgspec.json.encode(
        {
            "metadata": {
                "pipeline_id": metadata.pipeline_id,
                "correlation_id": metadata.correlation_id,
                "causation_id": metadata.event_id,
                "accepted_at": metadata.occurred_at.astimezone(UTC),
                "traceparent": metadata.traceparent,
            },
            "request": {"user_message": request.user_message, "history": request.history},
            "results": _NO_RESULTS,
            "errors": {},
        }
    ).decode()
