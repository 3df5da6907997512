"""The deployed workflow definition in moto, with bus, rules, queues and table, and results of all stages."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import msgspec

from contracts.examples import outcome_of
from infra.definition import definition
from services.trigger.starter.core import execution_input
from shared.contracts import v1, v2
from shared.contracts.envelope import SOURCE, Metadata
from shared.contracts.stages import STAGES, Stage
from shared.records import Records
from shared.tests.fakes import until
from shared.tests.samples import ANALYSIS, CHAT, ENHANCEMENT
from tests.integration.workers import Workers

BUS = "bus"
TABLE = "PipelineLogs"
ACCOUNT = "123456789012"
REGION = "us-east-1"
METADATA = Metadata(
    event_id="event-1",
    pipeline_id="p-1",
    schema="pipeline.requested",
    schema_version=1,
    occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
    correlation_id="correlation-1",
)
RECEIPT = v1.LogReceipt(status="SUCCEEDED", execution_time_ms=5)
TURNS = (
    v1.Turn(role="user", text="Who are you?"),
    v1.Turn(role="assistant", text="A pipeline."),
)
ASKED = v2.PipelineRequested(messages=(v1.Turn(role="user", text="Hi 👋"),))
FOLLOW_UP = v2.PipelineRequested(messages=(*TURNS, v1.Turn(role="user", text="Since when?")))
METER = v1.Meter(queue_wait_ms=1, work_ms=1, attempt=0, receives=1)


def result(data: Any) -> str:
    """Return the callback output that the worker sends for a stage's result."""
    return msgspec.json.encode({"data": data, "meter": METER}).decode()


ALL_WELL = {
    **{stage.service: [result(outcome_of(stage)["data"])] for stage in STAGES},
    "analyzer": [result(ANALYSIS)],
    "chatbot": [result(CHAT)],
    "enhancer": [result(ENHANCEMENT)],
    "logger": [result(RECEIPT)],
}


class Workflow:
    """Bus, rules, queues, table and state machine, as the stacks create them."""

    def __init__(self, stages: Sequence[Stage] = STAGES) -> None:
        self.stages = stages
        self.clients = {name: boto3.client(name) for name in ("sqs", "stepfunctions", "events", "dynamodb")}
        events, sqs = self.clients["events"], self.clients["sqs"]
        events.create_event_bus(Name=BUS)
        self.queue_urls = {
            stage.service: sqs.create_queue(QueueName=stage.service)["QueueUrl"] for stage in stages
        }
        for stage in stages:
            if stage.via == "bus":
                pattern = {"source": [SOURCE], "detail-type": [stage.request.detail_type()]}
                events.put_rule(Name=stage.service, EventBusName=BUS, EventPattern=json.dumps(pattern))
                target = {"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{stage.service}"}
                events.put_targets(Rule=stage.service, EventBusName=BUS, Targets=[target])
        self.clients["dynamodb"].create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pipeline_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pipeline_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.records = Records(self.clients["dynamodb"], TABLE)
        self.arn = self.clients["stepfunctions"].create_state_machine(
            name="pipeline",
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/workflow",
            definition=json.dumps(
                definition(bus_name=BUS, queue_urls=self.queue_urls, table_name=TABLE, stages=stages)
            ),
        )["stateMachineArn"]

    def run(self, state: str | None = None, **outcomes: list[Any]) -> "Run":
        """Run one execution from the starter's input (or `state`). `outcomes` are by service; others succeed."""
        with Workers(self.clients, self.queue_urls, {**ALL_WELL, **outcomes}, self.stages) as workers:
            client = self.clients["stepfunctions"]
            started = client.start_execution(
                stateMachineArn=self.arn,
                name="p-1",
                input=state or execution_input(ASKED, METADATA),
            )

            def ended() -> dict[str, Any] | None:
                assert workers.requests is not None  # raises the error of a worker
                execution = client.describe_execution(executionArn=started["executionArn"])
                return dict(execution) if execution["status"] != "RUNNING" else None

            return Run(until(ended), workers, client)


class Run:
    def __init__(self, execution: dict[str, Any], workers: Workers, client: Any) -> None:
        self.status = execution["status"]
        self.output = json.loads(execution.get("output") or "{}")
        self.requests = workers.requests
        events = client.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)[
            "events"
        ]
        entered = (event.get("stateEnteredEventDetails") for event in events)
        self.states = [details["name"] for details in entered if details]
        self.error = execution.get("error") or next(
            (
                e["executionFailedEventDetails"].get("error")
                for e in events
                if "executionFailedEventDetails" in e
            ),
            None,
        )
