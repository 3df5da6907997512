"""A queue, its event source mapping and its function, as SimPy processes.

Lambda starts invocations while messages wait, limited by the mapping's growth and cap and by the account's functions.
A message whose call to AWS failed, or whose invocation timed out before its work began, is delivered again after the
visibility timeout, and goes to the DLQ after MAX_RECEIVES deliveries.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal

import simpy

from infra.clocks import MAX_RECEIVES
from infra.doctor.quotas import Quotas
from scale import shape

Handled = Literal["done", "again"]
Work = Generator[simpy.Event, Any, Handled]


class Message:
    """A message. `reply` is the event that the request waits for; `waiting` is False once it is settled."""

    __slots__ = ("receives", "reply", "request", "sent", "waiting")

    def __init__(self, request: Any, reply: simpy.Event) -> None:
        self.request = request
        self.sent = float(reply.env.now)
        self.reply = reply
        self.receives = 0
        self.waiting = True

    def settle(self, outcome: str) -> None:
        if self.waiting:
            self.waiting = False
            self.reply.succeed(outcome)


class Account:
    """The account's limit of functions that run at the same time, over all stations and the API."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.busy = 0
        self.refused = 0
        self.stations: list[Station] = []

    def start(self) -> bool:
        if self.busy + 1 > self.most:
            return False
        self.busy += 1
        return True

    def end(self) -> None:
        was_full = self.busy + 1 > self.most
        self.busy -= 1
        if was_full:  # the longest queue gets the free function
            for station in sorted(self.stations, key=lambda station: -len(station.queue)):
                station.wake()


class Station:
    def __init__(
        self,
        env: simpy.Environment,
        plan: shape.Station,
        account: Account,
        quotas: Quotas,
        work: Callable[[Message], Work],
    ) -> None:
        self.plan = plan
        self.queue: deque[Message] = deque()
        self.parked = 0
        self.busy_seconds = 0.0
        self._env = env
        self._account = account
        self._quotas = quotas
        self._work = work
        self.busy = 0
        self._pollers = quotas.poller_start
        self._overhead = 0.0
        account.stations.append(self)

    def begin_with(self, overhead: float) -> None:
        self._overhead = overhead

    @property
    def cap(self) -> float:
        return min(self.plan.concurrency, self._quotas.poller_most)

    def put(self, message: Message) -> None:
        self.queue.append(message)
        self.wake()

    def grow(self, seconds: float) -> None:
        """Add pollers while messages wait, and remove some when none do. Called regularly."""
        if self.queue:
            self._pollers = min(self.cap, self._pollers + seconds * self._quotas.poller_growth)
            self.wake()
        elif self._pollers > self._quotas.poller_start:
            floor = max(self._quotas.poller_start, float(self.busy))
            self._pollers = max(floor, self._pollers - seconds * self._quotas.poller_growth)

    def wake(self) -> None:
        while self.queue and self.busy < max(1.0, min(self.cap, self._pollers)) and self._account.start():
            self.busy += 1
            size = min(self.plan.batch, len(self.queue))
            self._env.process(self._invoke([self.queue.popleft() for _ in range(size)]))

    def _invoke(self, batch: Sequence[Message]) -> Generator[simpy.Event, Any, None]:
        started_at = self._env.now
        if self._overhead:
            yield self._env.timeout(self._overhead)
        for message in batch:
            message.receives += 1
            handled: Handled = "again"
            if self._env.now - started_at < self.plan.timeout_seconds:
                handled = yield from self._work(message)
            if handled != "done":
                self._return(message, started_at)
        self.busy_seconds += self._env.now - started_at
        self.busy -= 1
        self._account.end()
        self.wake()

    def _return(self, message: Message, received: float) -> None:
        visible = max(self._env.now, received + self.plan.visibility_seconds)
        self._env.process(self._later(message, visible - self._env.now))

    def _later(self, message: Message, seconds: float) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(seconds)
        if message.receives >= MAX_RECEIVES:
            self.parked += 1
            if message.request.execution is None:
                message.settle("parked")
        else:
            self.put(message)
