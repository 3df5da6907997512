"""Parked messages as SQS delivers them (pure): no field is trusted to be there or to have the right type."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct

from operations.json_text import REFUSED, loosely, written
from operations.runs.trail import SHORTEST_TOKEN
from services.logger import core as logger
from shared.contracts.envelope import SOURCE, Delivery, Detail, Event
from shared.contracts.executions import pipeline_of
from shared.contracts.message import request_hash
from shared.contracts.reading import SOURCE_REFUSED, read, read_metadata, read_upcast, sent_as
from shared.contracts.stages import BY_SERVICE
from shared.contracts.upcasting import readable
from shared.contracts.v2 import PipelineRequested
from shared.errors import ContractViolation

Kind = Literal["dlq", "rule-dlq"]

NEVER_STARTED = "ReceivedTooOften"
"""The error type of a message that SQS itself moved to the DLQ, because no worker settled it."""

STARTS = tuple(kind.detail_type() for kind in readable(PipelineRequested))
"""The detail-types that start a run."""

ERROR_TYPE_CHARS, ERROR_CHARS = 256, 2_048
"""The largest parts of the error's name and text that are read; whoever sends a message chooses its attributes."""
ID_CHARS = 256

_NAME = r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/]{1,80}"
_EXECUTION_NAME = re.compile(_NAME)
_EXECUTION_ARN = re.compile(rf"arn:[\w-]+:states:[\w-]+:\d*:execution:{_NAME}:{_NAME}")
_TOKEN = re.compile(r'("task_token(\\*")\s*:\s*)\2[^"\\]*(?:\2)?')


class Parked(Struct, frozen=True, kw_only=True):
    """One message in a dead-letter queue. `body` may hold a task token: show `public_body` instead.

    `sent_at` is when a worker parked the message or, for one that SQS itself moved here, when it was first sent. SQS
    deletes the message when its queue's retention has passed since then, at `deleted_at`; None for one that is in no
    dead-letter queue.
    """

    id: str
    service: str
    kind: Kind
    sent_at: datetime
    error_type: str
    error: str
    body: str
    detail_type: str = ""
    event_id: str | None = None
    pipeline_id: str | None = None
    execution_arn: str | None = None
    token: str | None = None
    deleted_at: datetime | None = None

    @property
    def moved(self) -> bool:
        """Whether SQS itself moved the message, which then keeps the time at which it was first sent."""
        return self.error_type == NEVER_STARTED

    @property
    def public_body(self) -> str:
        return _without(self.token, without_token(self.body))

    @property
    def execution_name(self) -> str | None:
        return self.execution_arn.rpartition(":")[2] if self.execution_arn else None


def parked(
    message: Mapping[str, Any], service: str, kind: Kind, retention: timedelta | None = None
) -> Parked:
    """Read a message from ReceiveMessage's answer, which must include all attributes.

    `retention` is how long the queue keeps a message.
    """
    attributes = {
        name: REFUSED.sub("\N{REPLACEMENT CHARACTER}", str(value.get("StringValue", "")))
        for name, value in (message.get("MessageAttributes") or {}).items()
    }
    body = str(message["Body"])
    fields = _fields_of(body)
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1_000, UTC)
    error_type = attributes.get("error_type") or attributes.get("ERROR_CODE") or NEVER_STARTED
    error = (
        attributes.get("error") or attributes.get("ERROR_MESSAGE") or "received five times without an outcome"
    )
    token = fields.get("token")
    return Parked(
        id=str(message["MessageId"]),
        service=service,
        kind=kind,
        sent_at=sent_at,
        error_type=_without(token, error_type)[:ERROR_TYPE_CHARS],
        error=_without(token, error)[:ERROR_CHARS],
        body=body,
        detail_type=fields.get("detail_type") or _id(attributes.get("detail_type")) or "",
        event_id=fields.get("event_id"),
        pipeline_id=fields.get("pipeline_id") or _pipeline_id(attributes.get("pipeline_id")),
        execution_arn=fields.get("execution_arn") or _execution_arn(attributes.get("execution_arn")),
        token=token,
        deleted_at=sent_at + retention if retention is not None else None,
    )


def _fields_of(body: str) -> dict[str, str]:
    """Return the ids and types that the body contains, if they have the form of one.

    They are used as keys, names and arguments, so one that no run can have counts as absent.
    """
    event = _object(body)
    detail = _object(event.get("detail"))
    metadata = _object(detail.get("metadata"))
    fields: dict[str, Any] = {
        "detail_type": event.get("detail-type"),
        "event_id": event.get("id"),
        "token": detail.get("task_token"),
        "pipeline_id": metadata.get("pipeline_id"),
        "execution_arn": metadata.get("execution_arn"),
    }
    if fields["detail_type"] == logger.DETAIL_TYPE:
        input_metadata = _object(_object(detail.get("input")).get("metadata"))
        name = detail.get("name")
        id_in_name = pipeline_of(name) if isinstance(name, str) else None
        fields["pipeline_id"] = input_metadata.get("pipeline_id") or id_in_name
        fields["execution_arn"] = detail.get("executionArn")
    elif fields["detail_type"] in STARTS:
        fields["pipeline_id"] = fields["pipeline_id"] or event.get("id")
    forms = {"pipeline_id": _pipeline_id, "execution_arn": _execution_arn, "token": _token}
    checked = {name: forms.get(name, _id)(value) for name, value in fields.items()}
    return {name: value for name, value in checked.items() if value is not None}


def _id(value: Any) -> str | None:
    fits = isinstance(value, str) and 0 < len(value) <= ID_CHARS and value.isprintable()
    return value if fits else None


def _pipeline_id(value: Any) -> str | None:
    """Return the id of a run: any name that an execution can have, as some are started by hand."""
    return value if _id(value) and _EXECUTION_NAME.fullmatch(value) else None


def _execution_arn(value: Any) -> str | None:
    return value if _id(value) and _EXECUTION_ARN.fullmatch(value) else None


def _token(value: Any) -> str | None:
    """Return the task token; text that Step Functions would not take as one is returned nevertheless: it is dead."""
    return value if isinstance(value, str) and value else None


def _object(value: Any) -> Mapping[str, Any]:
    value = loosely(value) if isinstance(value, str) else value
    return value if isinstance(value, Mapping) else {}


def without_token(body: str) -> str:
    """Return the body without its task token, also if the body is not valid JSON."""
    event = _object(body)
    detail = event.get("detail")
    if isinstance(detail, Mapping) and "task_token" in detail:
        detail = {name: value for name, value in detail.items() if name != "task_token"}
        with suppress(RecursionError):
            body = written({**event, "detail": detail})
    return _TOKEN.sub(r"\1\2(removed)\2", body)


def _without(token: str | None, text: str) -> str:
    """Return a text without a message's task token, which its error and its data may quote."""
    return text.replace(token, "(removed)") if token and len(token) >= SHORTEST_TOKEN else text


def violation(message: Parked) -> ContractViolation | None:
    """Return how the message breaks the present contract; None if its service can read it."""
    try:
        delivery = read(message.body, Delivery)
        if message.service == "logger" and delivery.source == logger.SOURCE:
            logger.failure(bytes(delivery.detail))
            return None
        newest = request_of(message.service)
        if delivery.source != SOURCE:
            return ContractViolation("$.source", SOURCE_REFUSED)
        kind = sent_as(delivery.detail_type, newest)
        detail = read(delivery.detail, Detail, at="$.detail")
        read_metadata(delivery, detail, kind)
        read_upcast(detail, kind, newest)
    except ContractViolation as error:
        return error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ContractViolation("$.detail", "not an execution's status change")
    return None


def request_of(service: str) -> type[Event]:
    """Return the event that a service's queue is for, in the newest version that the service reads."""
    return BY_SERVICE[service].request if service in BY_SERVICE else PipelineRequested


def hash_of_request(message: Parked) -> str | None:
    """Return the `request_hash` of a message that starts a run; None if it can't be read."""
    try:
        delivery = read(message.body, Delivery)
        kind = sent_as(delivery.detail_type, PipelineRequested)
        request = read_upcast(read(delivery.detail, Detail), kind, PipelineRequested)
    except ContractViolation:
        return None
    return request_hash(request.user_message, request.history)


def metadata_of(message: Parked) -> Mapping[str, Any]:
    return _object(_object(_object(message.body).get("detail")).get("metadata"))


def data_of(message: Parked) -> Mapping[str, Any]:
    return _object(_object(_object(message.body).get("detail")).get("data"))


def about(message: Parked) -> dict[str, Any]:
    """Return what JSON output says of a message, without its body."""
    return {
        "id": message.id,
        "service": message.service,
        "queue": message.kind,
        "parked_at": message.sent_at,
        "deleted_at": message.deleted_at,
        "error_type": message.error_type,
        "error": message.error,
        "detail_type": message.detail_type,
        "pipeline_id": message.pipeline_id,
        "execution_arn": message.execution_arn,
    }


def public_data_of(message: Parked) -> Mapping[str, Any]:
    """Return the data without the message's task token, should it quote it."""
    return _object(_object(_object(message.public_body).get("detail")).get("data"))


def with_data(message: Parked, data: Mapping[str, Any]) -> str:
    """Return the message's body with this data in place of its own."""
    event = dict(_object(message.body))
    detail = dict(_object(event.get("detail")))
    return written({**event, "detail": {**detail, "data": data}})
