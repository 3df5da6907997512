"""The deployment under test, on the campaign's own engine: ways to change it and to read its state."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from infra.functions import FUNCTIONS
from local import process
from local.engine import Engine, Running
from local.targets import local_target
from local.testing import PREFIX, denied
from operations.dlq.queues import COUNTS
from operations.runs.records import record_of
from operations.target import Target
from shared.contracts.record import Record

FUNCTION_NAMES = tuple(function.name for function in FUNCTIONS)


class Deployment:
    """The deployment. Its clients are made once and shared by several threads."""

    def __init__(self, engine: Engine, running: Running) -> None:
        self.engine = engine
        self.running = running
        self.target: Target = local_target(running.connection)

    def client(self, service: str) -> Any:
        return self.target.client(service)

    # --- functions ---

    def call_step_functions_at(self, ports: Mapping[str, int]) -> None:
        """Make each function call Step Functions at this loopback port; 0 removes the setting."""
        functions = self.client("lambda")
        for name, port in ports.items():
            configuration = functions.get_function_configuration(FunctionName=f"{PREFIX}-{name}")
            variables = dict(configuration["Environment"]["Variables"])
            variables.pop("AWS_ENDPOINT_URL_SFN", None)
            if port:
                variables["AWS_ENDPOINT_URL_SFN"] = f"http://127.0.0.1:{port}"
            functions.update_function_configuration(
                FunctionName=f"{PREFIX}-{name}", Environment={"Variables": variables}
            )

    def workers(self, function: str) -> list[int]:
        """Return the processes of one function on this engine."""
        return process.group_members(self.running.pid, f"ministack-lambda-{PREFIX}-{function}-")

    def denied(self, function: str, *actions: str) -> AbstractContextManager[None]:
        """Deny `actions` to the function's role inside the context."""
        return denied(self.client, function, *actions)

    # --- queues ---

    def queues(self) -> dict[str, str]:
        """Return the URL of every queue, by `analyzer`, `analyzer dlq`, `analyzer rule-dlq`, …"""
        return {
            path.split("/")[1] + {"queue-url": ""}.get(end := path.split("/")[2], f" {end[:-4]}"): url
            for path, url in self.target.addresses.values.items()
            if path.startswith("services/")
        }

    def waiting(self, names: Iterable[str] | None = None) -> dict[str, tuple[int, int, int]]:
        """Return the numbers of visible, in-flight and delayed messages, by queue."""
        sqs, urls = self.client("sqs"), self.queues()
        waiting = {}
        for name in urls if names is None else names:
            counts = sqs.get_queue_attributes(QueueUrl=urls[name], AttributeNames=list(COUNTS))["Attributes"]
            visible, in_flight, delayed = (int(counts.get(count, 0)) for count in COUNTS)
            waiting[name] = (visible, in_flight, delayed)
        return waiting

    def service_queues(self) -> list[str]:
        return [name for name in self.queues() if " " not in name]

    def visible_after(self, service: str, seconds: int) -> None:
        """Set the seconds after which a dead worker's message is delivered again."""
        self.client("sqs").set_queue_attributes(
            QueueUrl=self.queues()[service], Attributes={"VisibilityTimeout": str(seconds)}
        )

    # --- results ---

    def records(self) -> dict[str, Record]:
        """Return all records of PipelineLogs, by pipeline id."""
        pages = self.client("dynamodb").get_paginator("scan")
        records = {}
        for page in pages.paginate(TableName=self.target.addresses.table_name, ConsistentRead=True):
            for item in page["Items"]:
                record = record_of(item)
                records[record["pipeline_id"]] = record
        return records

    def executions(self, status: str | None = None) -> list[tuple[str, str]]:
        """Return name and status of all executions, or of those with this status."""
        status_filter = {"statusFilter": status} if status else {}
        pages = (
            self.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.target.addresses.state_machine_arn, **status_filter)
        )
        return [(run["name"], run["status"]) for page in pages for run in page["executions"]]
