"""The evidence on a run that broke an invariant: enough to find the cause without another campaign."""

from typing import Any

from botocore.exceptions import ClientError

from chaos.deployment import Deployment
from chaos.faults import Injection
from chaos.invariants import FinalState, Violation
from local.testing import PREFIX
from shared.contracts.executions import pipeline_of

PIPELINES = 10
LINES = 200


def evidence(
    deployment: Deployment, state: FinalState, broken: list[Violation], injections: list[Injection]
) -> list[dict[str, Any]]:
    """Return record, executions, injected faults and logs of the first PIPELINES runs that broke an invariant."""
    numbers = list(
        dict.fromkeys(violation.pipeline for violation in broken if violation.pipeline is not None)
    )
    return [_evidence_of(deployment, state, number, injections) for number in numbers[:PIPELINES]]


def _evidence_of(
    deployment: Deployment, state: FinalState, number: int, injections: list[Injection]
) -> dict[str, Any]:
    pipeline_id = state.accepted.get(number, "")
    return {
        "pipeline": number,
        "pipeline_id": pipeline_id,
        "record": state.records.get(pipeline_id),
        "delivered": list(state.delivered.get(number, ())),
        "injected": [
            f"{injection.at_seconds} s: {injection.fault} {injection.detail}".rstrip()
            for injection in injections
            if injection.pipeline == number
        ],
        "executions": [
            {"name": name, "status": status, "history": _history(deployment, name)}
            for name, status in state.executions
            if pipeline_of(name) == pipeline_id
        ],
        "log": _log(deployment, pipeline_id),
    }


def _history(deployment: Deployment, name: str) -> list[str]:
    """Return a line for each event of an execution, without task tokens or messages."""
    arn = deployment.target.addresses.execution_arn(name)
    events = deployment.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1_000)[
        "events"
    ]
    return [
        " ".join(
            [
                f"{event['timestamp']:%H:%M:%S.%f}",
                event["type"],
                str(event.get("stateEnteredEventDetails", {}).get("name", "")),
                *(str(value.get("error", "")) for value in event.values() if isinstance(value, dict)),
            ]
        ).rstrip()
        for event in events
    ]


def _log(deployment: Deployment, pipeline_id: str) -> list[str]:
    """Return the first LINES of the functions' log lines that contain the pipeline id, oldest first."""
    logs, lines = deployment.client("logs"), []
    for group in logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{PREFIX}-")["logGroups"]:
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            lines += [
                (event["timestamp"], event["message"].strip())
                for page in pages
                for event in page["events"]
                if pipeline_id in event["message"]
            ]
        except ClientError:
            continue
    return [line for _, line in sorted(lines)[:LINES]]
