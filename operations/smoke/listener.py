"""A temporary subscriber of the bus, which hears the events that the smoke test's runs publish."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from infra.names import Names
from operations.asking.publish import Draft, publish
from operations.aws_errors import translated
from operations.errors import OperationError, RefusedError
from operations.target import Target
from shared.contracts.envelope import SOURCE
from shared.contracts.v1 import ContractRejected, PipelineCompleted, PipelineFailed

HEARD = tuple(kind.detail_type() for kind in (PipelineCompleted, PipelineFailed, ContractRejected))
PROBE = "smoke.probe.v1"
"""An event that no other rule matches. A new rule takes a while to match events; it does when it matches a probe."""
READY_SECONDS = 120.0
STALE = timedelta(hours=1)
"""The age at which the subscriber of a killed smoke test is removed by a later one."""
STAMP = "%y%m%d%H%M%S"
_TARGET = "queue"
_GONE = ("ResourceNotFound", "NonExistentQueue", "QueueDoesNotExist")


class Wait(Protocol):
    """A bounded wait: calls a probe until it returns a value, and returns that; None after `seconds`."""

    def __call__(
        self, probe: Callable[[], Any], *, seconds: float | None = None, pause: float | None = None
    ) -> Any: ...


class Listener:
    """A rule on the bus and a queue of its own, both called `name`. `close` removes them."""

    def __init__(self, target: Target, name: str) -> None:
        self._target = target
        self._prefix = f"{Names(target.env).prefix}-smoke-"
        self.name = f"{self._prefix}{name.removeprefix('smoke-')}"
        self._url = ""
        self._events: list[Mapping[str, Any]] = []

    def open(self, wait: Wait) -> None:
        """Subscribe, and wait until events arrive. Raises OperationError; `close` then removes what was made."""
        self._remove_stale()
        events, sqs, bus = self._target.client("events"), self._target.client("sqs"), self._bus
        pattern = {
            "source": [SOURCE],
            "detail-type": [*HEARD, PROBE],
            "detail": {"metadata": {"pipeline_id": [{"prefix": "smoke-"}]}},
        }
        with translated("subscribe to the bus"):
            self._url = sqs.create_queue(
                QueueName=self.name, Attributes={"MessageRetentionPeriod": str(int(STALE.total_seconds()))}
            )["QueueUrl"]
            queue = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            rule = events.put_rule(
                Name=self.name,
                EventBusName=bus,
                EventPattern=json.dumps(pattern),
                Description="Temporary: the smoke test hears its own runs. It removes this rule when it ends.",
            )["RuleArn"]
            sqs.set_queue_attributes(
                QueueUrl=self._url, Attributes={"Policy": json.dumps(_policy(queue, rule))}
            )
            answer = events.put_targets(
                Rule=self.name, EventBusName=bus, Targets=[{"Id": _TARGET, "Arn": queue}]
            )
        if answer.get("FailedEntryCount"):
            entry = answer["FailedEntries"][0]
            raise RefusedError(
                f"EventBridge refused the subscriber: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            )
        detail = {"metadata": {"pipeline_id": "smoke-probe"}, "data": {}}

        def arrived() -> bool:
            publish(self._target, Draft(detail_type=PROBE, detail=detail))
            return self.heard(PROBE) is not None

        if not wait(arrived, seconds=READY_SECONDS, pause=self._target.pace.poll_seconds):
            raise RefusedError(
                f"No event reached the subscriber within {READY_SECONDS:.0f} s, although PutEvents accepted them. "
                f"Check that the bus {bus} exists and that its rule {self.name} was not removed."
            )

    def heard(self, detail_type: str, **data: Any) -> Mapping[str, Any] | None:
        """Return an event of this type that has arrived with these values in metadata or data; None if none has."""
        with translated("read the subscriber's queue"):
            client = self._target.client("sqs")
            answer = client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            for message in answer.get("Messages", []):
                self._events.append(json.loads(message["Body"]))
                client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return next(
            (
                event
                for event in self._events
                if event.get("detail-type") == detail_type and data.items() <= _fields(event).items()
            ),
            None,
        )

    def close(self) -> None:
        """Remove rule and queue. Raises OperationError for what could not be removed; the rest is removed."""
        self._remove(self.name, self._url)

    @property
    def _bus(self) -> str:
        return self._target.addresses.bus_name

    def _remove(self, name: str, url: str) -> None:
        events, problems = self._target.client("events"), []
        where: dict[str, Any] = {"Rule": name, "EventBusName": self._bus}
        acts: list[Callable[[], Any]] = [
            lambda: events.remove_targets(**where, Ids=[_TARGET]),
            lambda: events.delete_rule(Name=name, EventBusName=self._bus),
        ]
        if url:
            acts.append(lambda: self._target.client("sqs").delete_queue(QueueUrl=url))
        for act in acts:
            try:
                with translated("remove the subscriber"):
                    act()
            except OperationError as error:
                if not any(code in str(error.__cause__) for code in _GONE):
                    problems.append(str(error))
        if problems:
            raise RefusedError(
                f"Rule and queue {name} of the smoke test remain: {' '.join(problems)} Delete them by hand, or run "
                f"the smoke test again after an hour, which removes them."
            )

    def _remove_stale(self) -> None:
        """Remove the subscribers that killed smoke tests left behind."""
        with translated("look for subscribers of earlier smoke tests"):
            rules = self._target.client("events").list_rules(NamePrefix=self._prefix, EventBusName=self._bus)
            queues = self._target.client("sqs").list_queues(QueueNamePrefix=self._prefix).get("QueueUrls", [])
        urls = {url.rpartition("/")[2]: url for url in queues}
        for name in sorted({rule["Name"] for rule in rules["Rules"]} | urls.keys()):
            if self._is_stale(name):
                self._remove(name, urls.get(name, ""))

    def _is_stale(self, name: str) -> bool:
        stamp = re.fullmatch(r"(\d{12})[0-9a-f]{2}", name.removeprefix(self._prefix))
        if stamp is None:
            return False
        return datetime.now(UTC) - datetime.strptime(stamp[1], STAMP).replace(tzinfo=UTC) > STALE


def _fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata and data of an event, whoever published it: parts of another shape are left out."""
    detail = event.get("detail")
    parts = [detail.get("metadata"), detail.get("data")] if isinstance(detail, dict) else []
    return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}


def _policy(queue: str, rule: str) -> Mapping[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            }
        ],
    }
