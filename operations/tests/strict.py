"""Doubles of AWS that refuse what AWS refuses in names, keys, texts and sizes, so that a fuzz finds it."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from operations.tests.dead_letters import StepFunctions
from shared.tests.fakes import client_error

MESSAGE_BYTES, ITEM_BYTES = 1_048_576, 400_000
SENT_MS = "1795000000000"
TAKEN = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]{1,80}")
ARN = re.compile(r"arn:aws:states:[a-z0-9-]+:\d{12}:execution:[^:]{1,80}:([^:]{1,80})")


class Queues:
    """SQS: messages by queue URL, as ReceiveMessage answers them; refuses texts and sizes that SQS refuses."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, dict[str, Any]]] = {}
        self.held: set[str] = set()

    def send_message(
        self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Mapping[str, Any] | None = None
    ) -> str:
        attributes = dict(MessageAttributes or {})
        if not MessageBody or not TAKEN.fullmatch(MessageBody):
            raise client_error("InvalidMessageContents", "SendMessage")
        size = len(MessageBody.encode()) + sum(
            len(name.encode()) + len(value["DataType"]) + len(value.get("StringValue", "").encode())
            for name, value in attributes.items()
        )
        if size > MESSAGE_BYTES or len(attributes) > 10:
            raise client_error("InvalidParameterValue", "SendMessage")
        name = str(uuid.uuid4())
        self.messages.setdefault(QueueUrl, {})[name] = {
            "MessageId": name,
            "ReceiptHandle": name,
            "Body": MessageBody,
            "Attributes": {"SentTimestamp": SENT_MS},
            **({"MessageAttributes": attributes} if attributes else {}),
        }
        return name

    def receive_message(self, *, QueueUrl: str, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:
        there = [m for m in self.messages.get(QueueUrl, {}).values() if m["MessageId"] not in self.held]
        got = there[:MaxNumberOfMessages]
        self.held |= {message["MessageId"] for message in got}
        return {"Messages": got}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        count = len(self.messages.get(QueueUrl, {}))
        values = {"MessageRetentionPeriod": "1209600", "ApproximateNumberOfMessages": str(count)}
        return {"Attributes": {name: values.get(name, "0") for name in AttributeNames}}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:
        del self.messages[QueueUrl][ReceiptHandle]

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> None:
        assert QueueUrl in self.messages
        self.held -= {entry["ReceiptHandle"] for entry in Entries}


class StrictTable:
    """DynamoDB's client, which checks keys and sizes before moto gets them."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_item(self, **given: Any) -> Any:
        _check_key(given["Key"])
        return self._client.get_item(**given)

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Any:
        for table in RequestItems.values():
            for key in table["Keys"]:
                _check_key(key)
        return self._client.batch_get_item(RequestItems=RequestItems)

    def put_item(self, **given: Any) -> Any:
        _check_item(given["Item"])
        _check_key({name: given["Item"][name] for name in ("pipeline_id", "entry") if name in given["Item"]})
        return self._client.put_item(**given)

    def update_item(self, **given: Any) -> Any:
        _check_key(given["Key"])
        _check_item(given["ExpressionAttributeValues"])
        return self._client.update_item(**given)


def _check_key(key: Mapping[str, Any]) -> None:
    for name, value in key.items():
        if not 0 < len(value["S"].encode()) <= (1_024 if name == "entry" else 2_048):
            raise client_error("ValidationException", "DynamoDB")


def _check_item(item: Mapping[str, Any]) -> None:
    if sum(len(name) + _size(value) for name, value in item.items()) > ITEM_BYTES:
        raise client_error("ValidationException", "DynamoDB")


def _size(value: Mapping[str, Any]) -> int:
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "N":
            if len(inner.lstrip("-0").replace(".", "")) > 38:
                raise client_error("ValidationException", "DynamoDB")
            return len(inner)
        case "M":
            return sum(len(name) + _size(part) for name, part in inner.items())
        case "L":
            return sum(map(_size, inner))
    return len(inner) if kind == "B" else 1


class StrictStepFunctions(StepFunctions):
    """The double of Step Functions, which also checks names, ARNs and tokens."""

    def send_task_heartbeat(self, *, taskToken: str) -> None:
        taskToken.encode()
        if not 0 < len(taskToken) <= 2_048:
            raise client_error("ValidationException", "SendTaskHeartbeat")
        super().send_task_heartbeat(taskToken=taskToken)

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if not 0 < len(executionArn) <= 256:
            raise client_error("ValidationException", "DescribeExecution")
        found = ARN.fullmatch(executionArn)
        if not found or not NAME.fullmatch(found[1]):
            raise client_error("InvalidArn", "DescribeExecution")
        return super().describe_execution(executionArn=executionArn)

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002
        if not NAME.fullmatch(name):
            raise client_error("InvalidName", "StartExecution")
        return super().start_execution(stateMachineArn=stateMachineArn, name=name, input=input)
