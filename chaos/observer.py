"""A subscriber to the stage requests on the bus. It sends copies of some requests to their services.

It also learns which run each task token belongs to.
"""

import json
import threading
from typing import Any

from chaos.deployment import Deployment
from chaos.faults import Fault, Ledger
from chaos.plan import Plan, number_in
from shared.contracts.envelope import SOURCE
from shared.contracts.stages import STAGES

NAME = "chaos-observer"
_SERVICES = {stage.request.detail_type(): stage.service for stage in STAGES if stage.via == "bus"}


class Observer:
    def __init__(self, deployment: Deployment, plan: Plan, ledger: Ledger) -> None:
        self._deployment = deployment
        self._sqs = deployment.client("sqs")
        self._plan = plan
        self._ledger = ledger
        self._queue = ""
        self._numbers: dict[str, int] = {}
        self._kept: dict[tuple[int, str], str] = {}
        self._seen: set[tuple[int, str]] = set()

    def number_of(self, token: str) -> int | None:
        return self._numbers.get(token)

    def subscribe(self) -> None:
        """Create the observer's queue and rule, as any other subscriber would."""
        self._queue = self._sqs.create_queue(QueueName=NAME)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        events, bus = self._deployment.client("events"), self._deployment.target.addresses.bus_name
        pattern = {"source": [SOURCE], "detail-type": list(_SERVICES)}
        events.put_rule(Name=NAME, EventBusName=bus, EventPattern=json.dumps(pattern))
        target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule=NAME, EventBusName=bus, Targets=[target])

    def run(self, stop: threading.Event) -> None:
        """Read requests until `stop` is set and the queue has no more of them."""
        while True:
            messages = self._sqs.receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
            ).get("Messages", [])
            for message in messages:
                self._take(message)
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            if not messages and stop.is_set():
                return

    def _take(self, message: dict[str, Any]) -> None:
        body = str(message["Body"])
        event = json.loads(body)
        service, number = _SERVICES[event["detail-type"]], number_in(body)
        if number is None:
            return
        self._numbers[event["detail"]["task_token"]] = number
        fate = self._plan.fate(number)
        if (number, service) in self._seen:
            return
        self._seen.add((number, service))
        if fate.duplicated == service:
            self._send(service, body)
            self._ledger.inject(Fault.DUPLICATED, pipeline=number, detail=service)
        if fate.repeated == service:
            self._kept[number, service] = body

    def repeat(self) -> None:
        """Send the kept requests again. Their runs have ended and their tokens are settled."""
        for (number, service), body in self._kept.items():
            self._send(service, body)
            self._ledger.inject(Fault.REPEATED, pipeline=number, detail=service)
        self._kept.clear()

    def _send(self, service: str, body: str) -> None:
        self._sqs.send_message(
            QueueUrl=self._deployment.target.addresses.queue_url(service), MessageBody=body
        )
