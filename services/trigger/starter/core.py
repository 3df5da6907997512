"""Pure: the input an execution starts with, and what an execution was asked."""

from datetime import UTC

import msgspec
from msgspec import Struct

from shared.contracts import v1, v2
from shared.contracts.envelope import Metadata
from shared.contracts.message import request_hash


class _Asked(Struct):
    user_message: str
    history: tuple[v1.Turn, ...] = ()


class _State(Struct):
    request: _Asked


def asked_hash(state: str) -> str:
    """The `request_hash` of what an execution was asked, by its input; empty for an input of another shape."""
    try:
        asked = msgspec.json.decode(state, type=_State).request
    except msgspec.MsgspecError:
        return ""
    return request_hash(asked.user_message, asked.history)


_NO_RESULTS = msgspec.to_builtins(v1.Results())


def execution_input(request: v2.PipelineRequested, metadata: Metadata) -> str:
    """The state an execution starts with, as JSON that is not ASCII-escaped.

    It already holds every default (`results`, `errors`), so that the workflow needs no state to make them. It
    depends on the event alone: the same event gives the same input, which StartExecution recognises.
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
