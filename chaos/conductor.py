"""Faults that hit no particular run: killed workers, removed rights, a replaced service, garbage in queues.

Each fault is due at a share of the campaign's progress; they are injected one after the other, but a service is
replaced in a thread of its own.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from chaos.deployment import FUNCTION_NAMES, Deployment
from chaos.faults import Fault, Ledger
from local.deploy import deploy
from local.testing import PREFIX
from shared.contracts.envelope import SOURCE
from shared.contracts.stages import ANSWERING, BY_SERVICE, LAST, RECORDED, SERVICES, STAGES
from shared.contracts.v1 import PipelineRequested

Act = Callable[[], None]

POLL_SECONDS = 0.25
MIN_AGE_SECONDS = 2.0
"""Minimum age of a worker that is killed. If a worker dies while it starts, the engine, unlike Lambda, ends all
workers of the function and hangs for half a minute."""

KILLABLE = tuple(name for name in FUNCTION_NAMES if name not in BY_SERVICE or not BY_SERVICE[name].pays)
"""All functions but those of paid stages: a model call whose worker dies is unavoidably paid for twice."""
FIRST = STAGES[0].service
"""The service that is redeployed under load."""
UNPAID = [stage.service for stage in RECORDED if not stage.pays][-1]
MALFORMED: tuple[dict[str, Any], ...] = (
    {"data": {"user_message": 5}},
    {"data": {}},
    {"data": {"user_message": " "}},
    {"nothing": "here"},
    {"metadata": {"pipeline_id": "no spaces, please"}, "data": {"user_message": "x"}},
)
JUNK: tuple[Callable[[str], str], ...] = (
    lambda mark: f"not JSON {mark}",
    lambda mark: json.dumps([mark]),
    lambda mark: json.dumps({"source": SOURCE, "detail-type": "nothing.known.v1", "detail": {"mark": mark}}),
    lambda mark: json.dumps(
        {
            "source": "someone.else",
            "detail-type": STAGES[0].request.detail_type(),
            "detail": {"data": {}},
            "mark": mark,
        }
    ),
)
"""Functions that make a message body from a mark."""
RIGHTS = (
    (Fault.NO_MODEL_RIGHT, "chatbot", "bedrock:Converse"),
    (Fault.NO_TABLE_RIGHT, LAST.service, "dynamodb:UpdateItem"),
    (Fault.NO_CALLBACK_RIGHT, UNPAID, "states:SendTaskSuccess"),
    (Fault.NO_CALLBACK_RIGHT, ANSWERING.service, "states:SendTaskSuccess"),
)


class Conductor:
    """Injects the faults. `progress` returns the campaign's progress, from 0 to 1; `redeploy` replaces a service."""

    def __init__(
        self,
        deployment: Deployment,
        ledger: Ledger,
        *,
        seed: int,
        pipelines: int,
        progress: Callable[[], float],
        without_right_seconds: float,
        redeploy: Act,
    ) -> None:
        self._deployment = deployment
        self._ledger = ledger
        self._progress = progress
        self._without_right_seconds = without_right_seconds
        self._redeploy = redeploy
        self._rng = random.Random(f"{seed}/conductor")  # noqa: S311 -- a plan, not a secret
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._first_seen: dict[tuple[int, str], float] = {}
        self._postponed: list[Act] = []
        self.failures: list[BaseException] = []
        """Errors of the campaign itself, not of the pipeline."""
        self.unreadable: list[str] = []
        """The marks of all messages that were sent and that no service can read."""
        self._acts = self._schedule(pipelines)

    def run(self, stop: threading.Event) -> None:
        """Inject the faults as they become due, and return after the last one or when `stop` is set."""
        self._stop = stop
        try:
            for due, act in self._acts:
                while self._progress() < due:
                    self._note_workers()
                    if stop.wait(POLL_SECONDS):
                        return
                act()
                self._retry_postponed()
        finally:
            for thread in self._threads:
                thread.join()

    def _retry_postponed(self) -> None:
        """Try one postponed act again. Called after each act."""
        if self._postponed:
            self._postponed.pop(0)()

    def _schedule(self, pipelines: int) -> list[tuple[float, Act]]:
        """Return all acts, each with the progress at which it is due."""
        times = max(1, pipelines // 500)
        acts: list[tuple[float, Act]] = []
        for index, (fault, function, action) in enumerate(RIGHTS):
            for turn in range(times):
                due = (turn + (index + 1) / (len(RIGHTS) + 2)) / times
                acts.append((due, partial(self._without_right, fault, function, action)))
        anywhere: list[Act] = [self._replace]
        anywhere += [self._kill] * max(2, pipelines // 100)
        anywhere += [partial(self._publish_malformed, detail) for detail in MALFORMED * times]
        anywhere += [partial(self._send_junk, service, junk) for junk in JUNK * times for service in SERVICES]
        acts += [(self._rng.uniform(0.05, 0.85), act) for act in anywhere]
        return sorted(acts, key=lambda pair: pair[0])

    def _without_right(self, fault: Fault, function: str, action: str) -> None:
        with self._deployment.denied(function, action):
            self._ledger.inject(fault, detail=f"{function}: {action}")
            self._stop.wait(self._without_right_seconds)

    def _note_workers(self) -> None:
        """Update the time at which each worker process was first seen."""
        now = time.monotonic()
        workers = {pid: name for name in KILLABLE for pid in self._deployment.workers(name)}
        self._first_seen = {
            (pid, name): self._first_seen.get((pid, name), now) for pid, name in workers.items()
        }

    def _kill(self) -> None:
        """Kill a random worker that is not just starting; postpone the act if there is none."""
        self._note_workers()
        candidates = [
            key for key, since in self._first_seen.items() if time.monotonic() - since > MIN_AGE_SECONDS
        ]
        if not candidates:
            self._postponed.append(self._kill)
            return
        worker, function = self._rng.choice(candidates)
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
            self._ledger.inject(Fault.KILLED, detail=function)

    def _publish_malformed(self, detail: dict[str, Any]) -> None:
        mark = self._mark()
        entry = {
            "EventBusName": self._deployment.target.addresses.bus_name,
            "Source": SOURCE,
            "DetailType": PipelineRequested.detail_type(),
            "Detail": json.dumps({**detail, "mark": mark}),
        }
        answer = self._deployment.client("events").put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise AssertionError("the engine refused an event that AWS would take")
        self._unreadable(Fault.MALFORMED, mark, str(detail))

    def _send_junk(self, service: str, junk: Callable[[str], str]) -> None:
        mark = self._mark()
        url, body = self._deployment.target.addresses.queue_url(service), junk(mark)
        self._deployment.client("sqs").send_message(QueueUrl=url, MessageBody=body)
        self._unreadable(Fault.JUNK, mark, f"{service}: {body}")

    def _mark(self) -> str:
        return f"u-{len(self.unreadable):06}"

    def _unreadable(self, fault: Fault, mark: str, detail: str) -> None:
        self.unreadable.append(mark)
        self._ledger.inject(fault, detail=f"{mark} {detail}")

    def _replace(self) -> None:
        """Replace a service in a thread of its own, because it takes seconds."""

        def work() -> None:
            try:
                self._redeploy()
            except BaseException as error:  # noqa: BLE001 -- raised by the campaign, in its own thread
                self.failures.append(error)
            else:
                self._ledger.inject(Fault.REDEPLOYED, detail=FIRST)

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()


def redeploy(deployment: Deployment, context: dict[str, str]) -> None:
    """Deploy the first stage with more memory, through the CDK CLI, while its messages keep coming."""
    deploy(deployment.engine, FIRST, context={**context, f"memory_{FIRST}": "160"})
    configuration = deployment.client("lambda").get_function_configuration(FunctionName=f"{PREFIX}-{FIRST}")
    if configuration["MemorySize"] != 160:
        raise AssertionError(f"the {FIRST} was deployed, but still has its old memory size")
