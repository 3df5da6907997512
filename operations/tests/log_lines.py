"""Log lines of a run, written into moto's log groups."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from operations.runs.logs import log_group
from operations.tests.world import client
from shared.contracts.envelope import trace_id

NOW = datetime.now(UTC).replace(microsecond=0)


ACCEPTED = NOW - timedelta(minutes=10)


def written(at: datetime) -> str:
    """As Powertools writes the time."""
    return f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1_000:03d}+0000"


def write(function: str, *lines: Any, at: datetime = ACCEPTED) -> None:
    """One invocation's lines, which all have the same time for CloudWatch, as on the engine."""
    group, stream = log_group("local", function), uuid.uuid4().hex
    api = client("logs")
    if not api.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        api.create_log_group(logGroupName=group)
    api.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [
        {
            "timestamp": int(at.timestamp() * 1_000),
            "message": one if isinstance(one, str) else json.dumps(one),
        }
        for one in lines
    ]
    api.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def line(pipeline_id: str, seconds: float = 0, **fields: Any) -> dict[str, Any]:
    return {
        "level": "INFO",
        "message": "done",
        "timestamp": written(ACCEPTED + timedelta(seconds=seconds)),
        "pipeline_id": pipeline_id,
        "trace_id": trace_id(None, pipeline_id),
        "outcome": "Succeeded",
        **fields,
    }
