"""Publishes one request with boto3 and prints the pipeline's id.

python python_boto3.py BUS MESSAGE [PIPELINE_ID]
"""

import json
import sys
from typing import Any

import boto3


def publish(bus: str, message: str, pipeline_id: str | None = None) -> str:
    """The pipeline's id: the one given, or the event's own."""
    detail: dict[str, Any] = {"data": {"user_message": message}}
    if pipeline_id:
        detail["metadata"] = {"pipeline_id": pipeline_id}
    answer = boto3.client("events").put_events(
        Entries=[
            {
                "EventBusName": bus,
                "Source": "ai.pipeline",
                "DetailType": "pipeline.requested.v1",
                "Detail": json.dumps(detail),
            }
        ]
    )
    (entry,) = answer["Entries"]
    if answer["FailedEntryCount"]:  # the call succeeds even where EventBridge does not take the entry
        raise RuntimeError(f"not published: {entry['ErrorCode']}: {entry['ErrorMessage']}")
    return pipeline_id or str(entry["EventId"])


if __name__ == "__main__":
    print(publish(*sys.argv[1:]))
