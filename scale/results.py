"""The result of a scenario.

The number fields of Result, e.g. `arrived`, count simulated requests, each of which stands for `many` real ones.
`requests`, `answered`, `backlog`, `count` and the samples count real ones.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from scale.scenarios import Scenario


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    DEGRADED = "degraded"
    FAILED = "failed"
    REFUSED = "refused"
    """The API refused the request at once, with an error."""
    PARKED = "parked"
    """The run never started. Its event is in the trigger's DLQ and can be replayed."""


@dataclass(frozen=True, slots=True)
class Ended:
    outcome: Outcome
    at: float
    """Time of the request's arrival."""
    seconds: float
    model_calls: int
    tries: int


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    waiting: Mapping[str, int]
    open: int
    functions: int
    ended: int


@dataclass(frozen=True, kw_only=True)
class Result:
    scenario: Scenario
    arrived: int
    ended: tuple[Ended, ...]
    samples: tuple[Sample, ...]
    seconds: float
    taken: Mapping[str, float]
    refused: Mapping[str, int]
    throttled: int
    busy_seconds: Mapping[str, float]
    wasted_calls: int
    """Questions to the model, throttled ones included, for tasks that were already over."""
    retries: int
    timed_out: int
    """Tasks whose message waited too long. They are not retried."""

    @property
    def many(self) -> int:
        return self.scenario.stands_for

    @property
    def requests(self) -> int:
        return self.arrived * self.many

    def count(self, *outcomes: Outcome) -> int:
        counts = Counter(end.outcome for end in self.ended)
        return sum(counts[outcome] for outcome in outcomes) * self.many

    @property
    def answered(self) -> int:
        return self.count(Outcome.SUCCEEDED, Outcome.DEGRADED)

    def latency(self, percent: float) -> float | None:
        """Return a percentile of the seconds from arrival to end, over all answered requests."""
        answered = (Outcome.SUCCEEDED, Outcome.DEGRADED)
        seconds = sorted(end.seconds for end in self.ended if end.outcome in answered)
        return seconds[min(len(seconds), ceil(len(seconds) * percent / 100)) - 1] if seconds else None

    @property
    def last_arrival(self) -> float:
        return max((end.at for end in self.ended), default=0.0)

    @property
    def drain_seconds(self) -> float:
        """Seconds from the last arrival to the end of the last run."""
        return max((end.at + end.seconds for end in self.ended), default=0.0) - self.last_arrival

    @property
    def backlog(self) -> int:
        """Number of requests under way at the last arrival."""
        ending = self.last_arrival
        return sum(end.at + end.seconds > ending for end in self.ended) * self.many
