"""W3C trace context: each run has one trace, in the metadata of all its events and in each of its log lines.

If the publisher gives no trace context, it is derived from the run's id alone, so that a repeated request, a message
moved back, a redrive and a restart have the same trace. A publisher's own trace context is passed on unchanged. No
spans are recorded.
"""

import hashlib
import re

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
