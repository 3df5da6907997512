"""Requests all runs of a plan, through the API or by events, at a steady rate, and some of them twice."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from chaos.faults import Fault, Ledger
from chaos.plan import Fate, Plan
from operations.asking.submit import Accepted, Request, sender
from operations.errors import OperationError
from operations.target import Target

AT_ONCE = 4
ROUNDS = 10
"""Maximum number of times that a request is sent until it is accepted, as a persistent user would do."""
PAUSE_SECONDS = 1.0


class Publisher:
    """The publisher. `accepted` holds pipeline ids by number, `given_up` the reasons why others were not accepted."""

    def __init__(self, target: Target, plan: Plan, ledger: Ledger, *, per_second: float) -> None:
        self._senders = {via: sender(target, via) for via in ("api", "bus")}
        self._plan = plan
        self._ledger = ledger
        self._per_second = per_second
        self._lock = threading.Lock()
        self.accepted: dict[int, str] = {}
        self.given_up: dict[int, str] = {}

    @property
    def done(self) -> int:
        with self._lock:
            return len(self.accepted) + len(self.given_up)

    def run(self, stop: threading.Event) -> None:
        """Send all requests, and return when each is accepted or given up, or when `stop` is set."""
        started_at = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="publish") as pool:
            for fate in self._plan.fates:
                due = started_at + fate.number / self._per_second
                if stop.wait(max(0.0, due - time.monotonic())):
                    break
                pool.submit(self._ask, fate, stop)

    def _ask(self, fate: Fate, stop: threading.Event) -> None:
        answer = self._accepted(fate, stop)
        with self._lock:
            if isinstance(answer, Accepted):
                self.accepted[fate.number] = answer.pipeline_id
            else:
                self.given_up[fate.number] = answer
        if fate.published_twice:
            self._accepted(fate, stop)
            fault = Fault.POSTED_TWICE if fate.via == "api" else Fault.PUBLISHED_TWICE
            self._ledger.inject(fault, pipeline=fate.number)

    def _accepted(self, fate: Fate, stop: threading.Event) -> Accepted | str:
        key = f"chaos-{self._plan.seed}-{fate.number}"
        request = Request(user_message=fate.message, idempotency_key=key)
        problem = "not sent"
        for _ in range(ROUNDS):
            try:
                (answer,) = self._senders[fate.via].send([request])
            except OperationError as error:
                answer = error
            if isinstance(answer, Accepted):
                return answer
            problem = str(answer)
            if stop.wait(PAUSE_SECONDS):
                break
        return problem
