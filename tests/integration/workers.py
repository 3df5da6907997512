"""Stand-ins for the services of a workflow, which take requests from the queues, check them and call back."""

import re
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from shared.contracts.envelope import SOURCE, Delivery, Detail, Event, Metadata
from shared.contracts.reading import read, read_data, read_metadata, unknown_fields
from shared.contracts.stages import STAGES, Stage

_LOST_CAUSE = re.compile(r'"Cause":\s*null')
"""moto drops the cause of SendTaskFailure; AWS passes it on."""


class Fails(Struct, frozen=True):
    """An outcome: SendTaskFailure with this error."""

    error: str
    cause: str = "told to"


class Request(Struct, frozen=True):
    """A request as a worker reads it."""

    stage: Stage
    data: Event
    metadata: Metadata


class Workers:
    """Answers requests in a thread until closed.

    `outcomes` holds by service the answers to its first, second, … request; the last one is repeated. An outcome is
    Fails or a result as JSON. Reading `requests` raises an error if a request broke its contract.
    """

    def __init__(
        self,
        clients: Mapping[str, Any],
        queue_urls: Mapping[str, str],
        outcomes: Mapping[str, list[Any]],
        stages: Sequence[Stage] = STAGES,
    ) -> None:
        self._stages = stages
        self._sqs, self._sfn = clients["sqs"], clients["stepfunctions"]
        self._queue_urls = queue_urls
        self._outcomes = outcomes
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._requests: dict[str, list[Request]] = defaultdict(list)
        self._problem: Exception | None = None

    def __enter__(self) -> "Workers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    @property
    def requests(self) -> dict[str, list[Request]]:
        """The requests to each service, in order."""
        if self._problem:
            raise self._problem
        return self._requests

    def _work(self) -> None:
        while not self._closed.wait(0.02):
            for stage in self._stages:
                url = self._queue_urls[stage.service]
                for message in self._sqs.receive_message(QueueUrl=url).get("Messages", []):
                    self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    try:
                        self._answer(stage, message["Body"])
                    except Exception as problem:  # noqa: BLE001 -- reported by the thread that reads `requests`
                        self._problem = problem
                        return

    def _answer(self, stage: Stage, body: str) -> None:
        delivery = read(_LOST_CAUSE.sub('"Cause": ""', body), Delivery)
        assert (delivery.source, delivery.detail_type) == (SOURCE, stage.request.detail_type())
        detail = read(delivery.detail, Detail)
        metadata = read_metadata(delivery, detail, stage.request)
        data = read_data(detail, stage.request)
        assert unknown_fields(bytes(detail.data), data) is None
        assert unknown_fields(bytes(detail.metadata), metadata) is None
        assert detail.task_token
        script = self._outcomes[stage.service]
        outcome = script[min(len(self._requests[stage.service]), len(script) - 1)]
        self._requests[stage.service].append(Request(stage, data, metadata))
        if isinstance(outcome, Fails):
            self._sfn.send_task_failure(taskToken=detail.task_token, error=outcome.error, cause=outcome.cause)
        else:
            self._sfn.send_task_success(taskToken=detail.task_token, output=outcome)
