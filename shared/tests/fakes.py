"""Doubles of the AWS clients that a worker uses: they have the real methods and keep their arguments in lists."""

import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from shared import budget, waiting
from shared.contracts.envelope import Metadata
from shared.contracts.record import iso
from shared.records import LISTED, OWNER_INDEX

T = TypeVar("T")

METADATA = Metadata(
    event_id="e",
    pipeline_id="p-1",
    schema="chat.requested",
    schema_version=1,
    occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
    correlation_id="c",
)

PATIENCE_SECONDS = 60.0
"""Bound of a wait for another thread or process. Only a test that fails waits for so long."""


def until(condition: Callable[[], T | None]) -> T:
    """Call `condition` until it returns a truthy value, and return that. Fails after PATIENCE_SECONDS."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < patience, "what was waited for did not come"
        time.sleep(0.01)
    return value


def stopped_clock(moment: datetime) -> type[datetime]:
    """Return the class `datetime` of a module under test for which it is always `moment`."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one will do
            return moment.astimezone(tz)

    return Stopped


def client_error(code: str, operation: str = "Call", status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


def create_records_table(client: Any, name: str = "PipelineLogs", *, by_day: bool = False) -> None:
    """Create PipelineLogs on moto's DynamoDB as it is deployed with a budget, with the index of days."""
    keys = ("pipeline_id", *LISTED[1:3], *((budget.DAY, budget.MOMENT) if by_day else ()))
    days = {
        "IndexName": budget.INDEX,
        "KeySchema": [
            {"AttributeName": budget.DAY, "KeyType": "HASH"},
            {"AttributeName": budget.MOMENT, "KeyType": "RANGE"},
        ],
        "Projection": {
            "ProjectionType": "INCLUDE",
            "NonKeyAttributes": [budget.AMOUNT, budget.UNKNOWN],
        },
    }
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pipeline_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        GlobalSecondaryIndexes=[
            {
                "IndexName": OWNER_INDEX,
                "KeySchema": [
                    {"AttributeName": keys[1], "KeyType": "HASH"},
                    {"AttributeName": keys[2], "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED[3:])},
            },
            *([days] if by_day else []),
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def create_operations_table(client: Any, name: str = "operations") -> None:
    """Create the table of the archive, the audit and the reconciler's progress on moto's DynamoDB."""
    client.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "pipeline_id", "KeyType": "HASH"},
            {"AttributeName": "entry", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pipeline_id", "AttributeType": "S"},
            {"AttributeName": "entry", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def create_state_table(client: Any) -> None:
    """Create the table of short-lived state on moto's DynamoDB."""
    client.create_table(
        TableName="state",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def create_approvals_table(client: Any, name: str = "approvals") -> None:
    """Create the table of waiting runs on moto's DynamoDB, as it is deployed."""
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pipeline_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"} for key in ("pipeline_id", "open", "asked_at")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": waiting.OPEN_INDEX,
                "KeySchema": [
                    {"AttributeName": "open", "KeyType": "HASH"},
                    {"AttributeName": "asked_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(waiting.LISTED)},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def open_starts(client: Any, service: str, message_id: str, table: str = "state") -> None:
    """Write the open starts of a message that killed its worker at its second and its third delivery."""
    key = f"starts#{service}#{message_id}"
    client.put_item(TableName=table, Item={"id": {"S": key}, "starts": {"NS": ["2", "3"]}})


class FakeStepFunctions:
    """Step Functions' client: keeps outcomes by token; raises `error` while it is set."""

    def __init__(self) -> None:
        self.successes: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, tuple[str, str]] = {}
        self.error: ClientError | None = None

    def _refuse(self) -> None:
        if self.error:
            raise self.error

    def send_task_success(self, *, taskToken: str, output: str) -> None:
        self._refuse()
        self.successes[taskToken] = json.loads(output)

    def send_task_heartbeat(self, *, taskToken: str) -> None:
        self._refuse()
        if taskToken in self.successes or taskToken in self.failures:
            raise client_error("TaskTimedOut", "SendTaskHeartbeat")

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:
        self._refuse()
        self.failures[taskToken] = (error, cause)


class OneOutcome(FakeStepFunctions):
    """Step Functions' client that takes one outcome for each token, as AWS does, and none for those in `dead`."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: set[str] = set()

    def _refuse_settled(self, token: str) -> None:
        if token in self.successes or token in self.failures or token in self.dead:
            raise client_error("TaskTimedOut", "SendTask")

    def send_task_success(self, *, taskToken: str, output: str) -> None:
        self._refuse_settled(taskToken)
        super().send_task_success(taskToken=taskToken, output=output)

    def send_task_heartbeat(self, *, taskToken: str) -> None:
        self._refuse_settled(taskToken)
        super().send_task_heartbeat(taskToken=taskToken)

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> None:
        self._refuse_settled(taskToken)
        super().send_task_failure(taskToken=taskToken, error=error, cause=cause)


class FakeSqs:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.error: ClientError | None = None

    def send_message(self, **message: Any) -> None:
        if self.error:
            raise self.error
        self.sent.append(message)

    def attributes(self, index: int = -1) -> dict[str, str]:
        return {name: value["StringValue"] for name, value in self.sent[index]["MessageAttributes"].items()}


class FakeEvents:
    """EventBridge's client: PutEvents refuses the detail-types in `refuse` within its answer, and raises `error`."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.calls: list[int] = []
        self.refuse: set[str] = set()
        self.error: ClientError | None = None

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.calls.append(len(Entries))
        answers = []
        for entry in Entries:
            if entry["DetailType"] in self.refuse:
                answers.append({"ErrorCode": "ThrottlingException"})
            else:
                self.entries.append(entry)
                answers.append({"EventId": f"id-{len(self.entries)}"})
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def details(self, detail_type: str) -> list[dict[str, Any]]:
        return [json.loads(entry["Detail"]) for entry in self.entries if entry["DetailType"] == detail_type]


_ids = itertools.count(1)


def sqs_record(
    body: str | dict[str, Any], *, receives: int = 1, sent_ms: int | None = None
) -> dict[str, Any]:
    """Return a record as Lambda receives it from SQS."""
    number = next(_ids)
    sent = round(time.time() * 1000) if sent_ms is None else sent_ms
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"handle-{number}",
        "body": body if isinstance(body, str) else json.dumps(body, ensure_ascii=False),
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": str(sent),
            "SenderId": "sender",
            "ApproximateFirstReceiveTimestamp": str(sent),
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
        "awsRegion": "us-east-1",
    }


def stage_event(
    detail_type: str,
    data: dict[str, Any],
    *,
    token: str | None = "token-1",
    attempt: int = 0,
    **metadata: Any,
) -> dict[str, Any]:
    """Return a stage request as the state machine sends it, for a task that begins now."""
    name, _, version = detail_type.rpartition(".v")
    detail: dict[str, Any] = {
        "metadata": {
            "event_id": "event-1",
            "pipeline_id": "pipeline-1",
            "schema": name,
            "schema_version": int(version),
            "occurred_at": iso(datetime.now(UTC)),
            "correlation_id": "correlation-1",
            "causation_id": None,
            "execution_arn": "arn:aws:states:us-east-1:000000000000:execution:machine:pipeline-1",
            "attempt": attempt,
            "traceparent": None,
            **metadata,
        },
        "data": data,
    }
    if token is not None:
        detail["task_token"] = token
    return {
        "version": "0",
        "id": "delivery-1",
        "source": "ai.pipeline",
        "detail-type": detail_type,
        "time": "2026-11-22T10:00:00Z",
        "resources": [],
        "detail": detail,
    }
