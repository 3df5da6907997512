"""`python -m scale.measure`: compares bursts on a separate local engine with the simulation.

The simulation's inputs are measured on a calm engine, one run at a time: how long each stage works, and how much CPU
time a run takes. Of a burst, the simulation gets only its size and how fast it was published.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from cli.view.steps import shown
from infra.environments import ENVIRONMENTS
from local import process
from local.deploy import up
from local.errors import LocalError
from local.paths import STATE
from local.targets import local_target
from local.testing import own_engine
from operations.asking.submit import Accepted, Request, sender
from operations.progress import Progress, silent
from operations.runs.records import read_records
from operations.target import Target
from scale.quotas import UNLIMITED
from scale.results import Outcome
from scale.scenarios import Scenario
from scale.shape import Shape, Span, Times, shape
from scale.simulation import simulate
from shared.contracts.record import FINAL
from shared.contracts.stages import STAGES

FOLDER = STATE / "scale"
CALM = 20
IDLE_SECONDS = 4.0
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.5
BURSTS = (200, 500)

Record = Mapping[str, Any]
Announce = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Calm:
    """The measurements of one run at a time: all that the simulation gets to know about the engine."""

    spans: dict[str, Span]
    end_to_end: float
    engine_cpu: float
    """CPU seconds of the engine's own process for each run; it uses one core at a time."""
    all_cpu: float
    """CPU seconds of the engine and the functions' processes together, which share the machine's cores."""

    @property
    def bottleneck(self) -> float:
        return max(self.engine_cpu, self.all_cpu / (os.cpu_count() or 1))

    def times(self) -> Times:
        worked = sum(span.median for span in self.spans.values())
        return Times(
            api=Span(median=0, p95=0),
            functions=self.spans,
            invocation=0.0,
            via_bus=0.0,
            via_queue=0.0,
            start=max(0.0, self.end_to_end - worked - self.bottleneck),
            engine_cpu=self.bottleneck,
        )


@dataclass(frozen=True, kw_only=True)
class Burst:
    size: int
    publish_seconds: float
    succeeded: int
    failed: int
    lost: int
    drain: float
    """Seconds from the first event published to the last run's end."""
    median: float
    simulated_succeeded: int
    simulated_drain: float
    simulated_median: float
    others: float
    """Number of cores that other processes kept busy during the burst. The simulation does not know of them."""

    @property
    def ratio(self) -> float:
        """Simulated time to drain, divided by the measured one; 1 is agreement."""
        return self.simulated_drain / self.drain


class Bench:
    def __init__(self, target: Target, pid: int) -> None:
        self._target = target
        self._pid = pid

    def calm(self, count: int) -> Calm:
        self._publish(5, "warm")
        time.sleep(1.0)
        idle_engine, idle_all = self._cpu_of(lambda: time.sleep(IDLE_SECONDS))
        started_at = time.monotonic()
        records: list[Record] = []

        def one_by_one() -> None:
            for number in range(count):
                _, _, ended = self._publish(1, f"calm {number}")
                records.extend(ended)

        engine, everything = self._cpu_of(one_by_one)
        elapsed = time.monotonic() - started_at
        return Calm(
            spans=_spans(records),
            end_to_end=statistics.median(_ended_at(record) - record["published"] for record in records),
            engine_cpu=max(0.001, (engine - idle_engine * elapsed / IDLE_SECONDS) / count),
            all_cpu=max(0.001, (everything - idle_all * elapsed / IDLE_SECONDS) / count),
        )

    def burst(self, size: int, calm: Calm) -> Burst:
        before, started = _machine_cpu_seconds() - self._cpu()[1], time.monotonic()
        started_at, publish_seconds, records = self._publish(size, f"burst of {size}")
        others = (_machine_cpu_seconds() - self._cpu()[1] - before) / (time.monotonic() - started)
        ended = [record for record in records if record.get("status") in FINAL]
        result = simulate(predicted(size, publish_seconds, calm.times()))
        return Burst(
            size=size,
            publish_seconds=publish_seconds,
            succeeded=sum(record["status"] == "SUCCEEDED" for record in ended),
            failed=sum(record["status"] == "FAILED" for record in ended),
            lost=size - len(ended),
            drain=max((_ended_at(record) for record in ended), default=started_at) - started_at,
            median=statistics.median(_ended_at(record) - record["published"] for record in ended)
            if ended
            else 0.0,
            simulated_succeeded=result.count(Outcome.SUCCEEDED),
            simulated_drain=max(end.at + end.seconds for end in result.ended),
            simulated_median=result.latency(50) or 0.0,
            others=max(0.0, others),
        )

    def _publish(self, count: int, name: str) -> tuple[float, float, list[Record]]:
        """Publish messages and wait until all runs have ended, or for PATIENCE_SECONDS.

        Return the start time, the seconds that publishing took, and the records.
        """
        bus = sender(self._target, "bus")
        started_at = time.time()
        published: dict[str, float] = {}
        for start in range(0, count, bus.size):
            requests = [
                Request(user_message=f"{name}: what is number {start + place}?")
                for place in range(min(bus.size, count - start))
            ]
            for answer in bus.send(requests):
                if not isinstance(answer, Accepted):
                    raise answer
                published[answer.pipeline_id] = time.time()
        took = time.time() - started_at
        until = time.monotonic() + PATIENCE_SECONDS
        ended: dict[str, Record] = {}
        while len(ended) < count and time.monotonic() < until:
            time.sleep(0.05 if count == 1 else POLL_SECONDS)
            records = read_records(self._target, published.keys() - ended.keys(), fields=None)
            ended |= {key: record for key, record in records.items() if record.get("status") in FINAL}
        return started_at, took, [{**ended.get(key, {}), "published": at} for key, at in published.items()]

    def _cpu_of(self, work: Callable[[], None]) -> tuple[float, float]:
        before = self._cpu()
        work()
        after = self._cpu()
        return after[0] - before[0], after[1] - before[1]

    def _cpu(self) -> tuple[float, float]:
        functions = sum(process.cpu_seconds(pid) for pid in process.group_members(self._pid))
        return process.cpu_seconds(self._pid), functions


def predicted(size: int, publish_seconds: float, times: Times) -> Scenario:
    """Return the burst as a scenario on the engine, which has no quotas but caps and a shared CPU."""
    plan: Shape = shape(ENVIRONMENTS["local"], times)
    rate = size / max(publish_seconds, 0.001)
    return Scenario(name=f"burst of {size}", rate=rate, burst=size, via="bus", quotas=UNLIMITED, shape=plan)


def _machine_cpu_seconds() -> float:
    """Return the CPU seconds of all processes of the machine except this one."""
    machine, mine = psutil.cpu_times(), os.times()
    return float(machine.user + machine.nice + machine.system) - mine.user - mine.system


def _ended_at(record: Record) -> float:
    return datetime.fromisoformat(str(record["finished_at"])).timestamp()


def _spans(records: Sequence[Record]) -> dict[str, Span]:
    """Return the span of each function, from the meters. The analyzer's span stands in for starter and logger."""
    worked: dict[str, list[float]] = {}
    for record in records:
        for stage in STAGES:
            meter = (record.get("stages") or {}).get(stage.key)
            if meter:
                worked.setdefault(stage.service, []).append(max(0.0005, float(meter["work_ms"]) / 1000))
    spans = {
        name: Span(
            median=statistics.median(seconds),
            p95=max(sorted(seconds)[round(0.95 * (len(seconds) - 1))], 1e-4),
        )
        for name, seconds in worked.items()
    }
    stand_in = spans[STAGES[0].service]
    return {name: spans.get(name, stand_in) for name in ("starter", *(stage.service for stage in STAGES))}


def measure(
    bursts: Sequence[int] = BURSTS,
    *,
    folder: Path = FOLDER,
    calm: int = CALM,
    announce: Announce = lambda _: None,
    progress: Progress = silent,
) -> tuple[Calm, list[Burst]]:
    """Measure on an engine of its own, which is stopped at the end. Raises the errors of `local.deploy.up`."""
    with own_engine(folder) as engine:
        running = up(engine, progress)
        bench = Bench(local_target(running.connection), running.pid)
        announce("measuring one run at a time")
        baseline = bench.calm(calm)
        measured = []
        for size in bursts:
            announce(f"measuring a burst of {size}")
            measured.append(bench.burst(size, baseline))
        return baseline, measured


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scale.measure",
        description="Publish bursts of events on a separate local engine and compare them with the simulation.",
        epilog="example: .venv/bin/python -m scale.measure 200 500",
    )
    parser.add_argument(
        "sizes", nargs="*", type=int, default=list(BURSTS), help="events in each burst (default: 200 500)"
    )
    sizes = parser.parse_args(arguments).sizes
    if not all(1 <= size <= 5_000 for size in sizes):
        parser.error("the size of a burst must be from 1 to 5,000 events")

    try:
        with shown(Console(stderr=True, highlight=False)) as progress:
            calm, bursts = measure(
                sizes, announce=lambda text: print(text, file=sys.stderr), progress=progress
            )
    except KeyboardInterrupt:
        print("Interrupted. The measuring engine is stopped.", file=sys.stderr)
        return 130
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"one run at a time: {calm.end_to_end * 1000:.0f} ms a run; CPU time {calm.engine_cpu * 1000:.1f} ms in the "
        f"engine, {calm.all_cpu * 1000:.1f} ms with the functions"
    )
    print(
        f"{'burst':>6} {'ended':>6} {'lost':>5} {'measured':>14} {'simulated':>14}"
        f" {'ratio':>6} {'medians':>15} {'others':>11}"
    )
    for burst in bursts:
        medians = f"{burst.median:.1f} / {burst.simulated_median:.1f} s"
        print(
            f"{burst.size:>6} {burst.succeeded + burst.failed:>6} {burst.lost:>5}"
            f" {burst.drain:>6.1f} s {burst.size / burst.drain:>3.0f}/s"
            f" {burst.simulated_drain:>6.1f} s {burst.size / burst.simulated_drain:>3.0f}/s"
            f" {burst.ratio:>6.2f} {medians:>15} {burst.others:>5.1f} cores"
        )
    return 0 if all(burst.succeeded == burst.simulated_succeeded == burst.size for burst in bursts) else 1


if __name__ == "__main__":
    sys.exit(main())
