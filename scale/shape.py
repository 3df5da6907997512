"""The pipeline's shape, derived from the stage table and the environment. Pure values, no AWS.

Durations on AWS can't be derived. They are assumptions, in `ASSUMED`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from infra.environments import ENVIRONMENTS, Environment, Sizing
from shared.contracts.stages import BY_CHOICE, BY_SERVICE, RETRY, STAGES, RetryPolicy, Stage


@dataclass(frozen=True, kw_only=True)
class Span:
    """A duration: a log-normal distribution with this median and 95th percentile, in seconds."""

    median: float
    p95: float


@dataclass(frozen=True, kw_only=True)
class Times:
    api: Span
    functions: Mapping[str, Span]
    """By function: the work on one message, with its calls to AWS. What the stage table says of a stage's time stands
    for a stage that is not here."""
    invocation: float
    """Seconds that an invocation takes in addition to its messages' work."""
    via_bus: float
    via_queue: float
    start: float = 0.05
    """Seconds from StartExecution to the first state."""
    engine_cpu: float = 0.0
    """CPU seconds per run in the local engine, whose one CPU answers the calls of all functions. On AWS: 0."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens of one question to the model. `most` is reserved for the answer until it arrives (`max_tokens`)."""

    input: int = 500
    output: int = 300
    most: int = 1_024


@dataclass(frozen=True, kw_only=True)
class Station:
    """A queue and the function it feeds."""

    name: str
    concurrency: float
    batch: int
    timeout_seconds: float
    visibility_seconds: float
    span: Span


@dataclass(frozen=True, kw_only=True)
class Step:
    """A Task state and the station that answers it."""

    station: Station
    via: Literal["bus", "queue"]
    critical: bool
    timeout_seconds: float
    asks_model: bool
    chooses: bool = False
    """Whether a Choice state follows it."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    throttle_rate: float
    throttle_burst: float
    starter: Station
    steps: tuple[Step, ...]
    times: Times
    memory_mb: Mapping[str, int]
    tokens: Tokens = field(default_factory=Tokens)
    retry: RetryPolicy = RETRY

    @property
    def stations(self) -> tuple[Station, ...]:
        return (self.starter, *(step.station for step in self.steps))

    def thinned(self, stands_for: int) -> "Shape":
        """Return the shape of a system that is `stands_for` times smaller: durations stay, rates and sizes shrink."""

        def smaller(station: Station) -> Station:
            return replace(station, concurrency=max(1.0, station.concurrency / stands_for))

        return replace(
            self,
            throttle_rate=self.throttle_rate / stands_for,
            throttle_burst=self.throttle_burst / stands_for,
            starter=smaller(self.starter),
            steps=tuple(replace(step, station=smaller(step.station)) for step in self.steps),
        )

    def resized(self, *, throttle: float | None = None, **concurrency: float) -> "Shape":
        """Return the shape with another throttle of the API and other numbers of concurrent functions by service."""

        def sized(station: Station) -> Station:
            return replace(station, concurrency=concurrency.get(station.name, station.concurrency))

        return replace(
            self,
            throttle_rate=throttle or self.throttle_rate,
            throttle_burst=2 * throttle if throttle else self.throttle_burst,
            starter=sized(self.starter),
            steps=tuple(replace(step, station=sized(step.station)) for step in self.steps),
        )


ASSUMED: Final = Times(
    api=Span(median=0.04, p95=0.12),
    functions={
        "starter": Span(median=0.05, p95=0.12),
        "analyzer": Span(median=0.03, p95=0.08),
        "chatbot": Span(median=2.0, p95=5.0),
        "enhancer": Span(median=0.03, p95=0.08),
        "logger": Span(median=0.05, p95=0.12),
    },
    invocation=0.01,
    via_bus=0.15,
    via_queue=0.04,
)
"""Assumed durations of warm functions and of Nova Lite with 300 tokens. Not yet measured on AWS."""


def _typical(stage: Stage) -> Span:
    return Span(median=stage.typical_seconds / 2, p95=stage.typical_seconds * 1.25)


def shape(environment: Environment = ENVIRONMENTS["prod"], times: Times = ASSUMED) -> Shape:
    """Return the pipeline's shape in an environment, with these durations."""

    def station(name: str) -> Station:
        sizing: Sizing = environment.sizing_of(name)
        return Station(
            name=name,
            concurrency=sizing.max_concurrency,
            batch=sizing.batch_size,
            timeout_seconds=sizing.timeout_seconds,
            visibility_seconds=sizing.visibility_seconds,
            span=times.functions.get(name) or _typical(BY_SERVICE[name]),
        )

    return Shape(
        throttle_rate=environment.throttle.rate,
        throttle_burst=environment.throttle.burst,
        starter=station("starter"),
        steps=tuple(
            Step(
                station=station(stage.service),
                via=stage.via,
                critical=stage.critical,
                timeout_seconds=environment.task_seconds(stage.service),
                asks_model=stage.pays,
                chooses=stage.choice in BY_CHOICE,
            )
            for stage in STAGES
        ),
        times=times,
        memory_mb={stage.service: environment.sizing_of(stage.service).memory_mb for stage in STAGES},
        tokens=Tokens(most=environment.chatbot.max_tokens),
    )
