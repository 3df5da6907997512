"""Makes the input of an execution, and reads the request in an execution's input. Pure."""

from datetime import UTC

import msgspec
from msgspec import Struct

from shared.contracts import v1, v2
from shared.contracts.envelope import Metadata
from shared.contracts.message import request_hash


class _Request(Struct):
    user_message: str
    history: tuple[v1.Turn, ...] = ()


class _State(Struct):
    request: _Request


def asked_hash(state: str) -> str:
    """Return the `request_hash` of the request in an execution's input; empty for an input of another shape."""
    try:
        request = msgspec.json.decode(state, type=_State).request
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    return request_hash(request.user_message, request.history)


_NO_RESULTS = msgspec.to_builtins(v1.Results())


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
