"""What came of a scenario. Numbers of requests are real ones: a simulated request counts for all it stands for."""

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
    """By the API, at once: the caller knows."""
    PARKED = "parked"
    """Never started: its event lies in the trigger's DLQ and can be replayed."""


@dataclass(frozen=True, slots=True)
class Ended:
    outcome: Outcome
    at: float
    """When it arrived."""
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
    """Questions to the model for runs that were over already."""
    retries: int
    timed_out: int
    """Tasks whose message waited too long. They are not tried again."""

    @property
    def many(self) -> int:
        return self.scenario.stands_for

    @property
    def requests(self) -> int:
        return self.arrived * self.many

    def count(self, *outcomes: Outcome) -> int:
        found = Counter(end.outcome for end in self.ended)
        return sum(found[outcome] for outcome in outcomes) * self.many

    @property
    def answered(self) -> int:
        return self.count(Outcome.SUCCEEDED, Outcome.DEGRADED)

    def latency(self, percent: float) -> float | None:
        """Of those that got an answer, from arrival to the end."""
        answered = (Outcome.SUCCEEDED, Outcome.DEGRADED)
        seconds = sorted(end.seconds for end in self.ended if end.outcome in answered)
        return seconds[min(len(seconds), ceil(len(seconds) * percent / 100)) - 1] if seconds else None

    @property
    def last_arrival(self) -> float:
        return max((end.at for end in self.ended), default=0.0)

    @property
    def drain_seconds(self) -> float:
        """From the last arrival to the last end."""
        return max((end.at + end.seconds for end in self.ended), default=0.0) - self.last_arrival

    @property
    def backlog(self) -> int:
        """Requests under way when the load ended."""
        ending = self.last_arrival
        return sum(end.at + end.seconds > ending for end in self.ended) * self.many
