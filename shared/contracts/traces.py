"""W3C trace context: one trace for a run, in the metadata of all its events and in every line of its logs.

A run whose publisher gives none has one that follows from its id alone, so that a repeated request, a moved-back
message, a redrive and a restart are in the same trace. No span is recorded anywhere; what a publisher gives is
handed on unchanged.
"""

import hashlib
import re

TRACEPARENT_PATTERN = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"

_TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}")
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SAMPLED = "01"
"""A run's log lines are always there."""


def well_formed(given: object) -> str | None:
    """`given` if it is a valid traceparent; None for anything else, which is never an error."""
    found = _TRACEPARENT.fullmatch(given) if isinstance(given, str) else None
    return found[0] if found and found["trace"].strip("0") and found["span"].strip("0") else None


def traceparent_of(pipeline_id: str) -> str:
    """The trace of a run whose publisher gave none."""
    digest = hashlib.sha256(b"traceparent\n" + pipeline_id.encode()).hexdigest()
    is_uuid = _UUID.fullmatch(pipeline_id) and pipeline_id.strip("0-")
    trace_id = pipeline_id.replace("-", "") if is_uuid else digest[:32]
    return f"00-{trace_id}-{digest[-16:]}-{_SAMPLED}"


def trace_id(traceparent: str | None, pipeline_id: str) -> str:
    """The id of a run's trace; also for events from before every run had one."""
    return (well_formed(traceparent) or traceparent_of(pipeline_id))[3:35]


def named_alike(trace_id: str) -> tuple[str, ...]:
    """Ids of the pipelines whose own trace has this id: most pipelines' ids are UUIDs, with or without hyphens."""
    parts = (trace_id[:8], trace_id[8:12], trace_id[12:16], trace_id[16:20], trace_id[20:])
    return trace_id, "-".join(parts)
