"""Measures both designs in one run, repetitions interleaved, and writes `bench/results/end-to-end.json`.

python -m bench.end_to_end                     everything, about eight minutes on a quiet machine
python -m bench.end_to_end --sizes 100         one size of burst
python -m bench.end_to_end --alone             one at a time; the last results' bursts stay
python -m bench.end_to_end --show              the tables of the last results, measuring nothing
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import goals
from bench.end_to_end import tables
from bench.end_to_end.burst import Alone, burst, one_by_one
from bench.end_to_end.hops import hops
from bench.end_to_end.machine import machine
from bench.end_to_end.stage import DIRECT, EVENTS, PATIENT, Arena, arena, limits

RESULTS = Path(__file__).parents[1] / "results" / "end-to-end.json"
MODEL_SECONDS = 0.3
CHATBOTS, OTHERS = 16, 2
WARM_UP = 64
"""Events before the first measurement: as many as start all processes that the limits allow."""
ALONE = 20


@dataclass(frozen=True, kw_only=True)
class Round:
    """Bursts of one size with one model, by each design in turn, `times` over."""

    size: int
    model_seconds: float
    designs: tuple[str, ...]
    times: int = 1
    patience_seconds: float = 300.0


ROUNDS = (
    Round(size=100, model_seconds=MODEL_SECONDS, designs=(EVENTS, DIRECT), times=3),
    Round(size=100, model_seconds=MODEL_SECONDS, designs=(PATIENT,)),
    Round(size=1_000, model_seconds=MODEL_SECONDS, designs=(EVENTS, DIRECT)),
    Round(size=1_000, model_seconds=0.0, designs=(EVENTS, DIRECT)),
    Round(size=5_000, model_seconds=MODEL_SECONDS, designs=(EVENTS, DIRECT)),
)


def measure(rounds: tuple[Round, ...], console: Console) -> dict[str, Any]:
    chosen = limits(CHATBOTS, OTHERS)
    designs = dict.fromkeys((EVENTS, DIRECT, *(design for one in rounds for design in one.designs)))
    about = machine()
    with arena(chosen, tuple(designs)) as made:
        alone = _alone(made, console)
        return {
            "machine": about,
            "limits": chosen,
            "model_seconds": MODEL_SECONDS,
            "alone": alone,
            "bursts": list(_bursts(made, rounds, console)),
        }


def _alone(made: Arena, console: Console) -> dict[str, Any]:
    """One at a time, by the events' design and the direct one in turn; the model answers at once."""
    for design in (EVENTS, DIRECT):
        console.print(f"warming up: {design}")
        burst(*made.designs[design], WARM_UP, patience_seconds=120)
    found: dict[str, list[Alone]] = {EVENTS: [], DIRECT: []}
    for _ in range(ALONE // 5):
        for design, runs in found.items():
            runs.extend(one_by_one(*made.designs[design], 5))
    return {
        "seconds": {design: [run.until_ended for run in runs] for design, runs in found.items()},
        "hops_ms": hops(made.designs[EVENTS][0].target, found[EVENTS]),
    }


def _bursts(made: Arena, rounds: tuple[Round, ...], console: Console) -> Iterator[dict[str, Any]]:
    for one in rounds:
        for repetition in range(one.times):
            for design in one.designs:
                made.model.seconds = one.model_seconds
                deployment, entrance = made.designs[design]
                found = burst(deployment, entrance, one.size, patience_seconds=one.patience_seconds)
                seconds = found.pop("run_seconds")
                cuts = statistics.quantiles(seconds, n=20) if len(seconds) > 1 else [0.0] * 19
                found |= {"run_p50": cuts[9], "run_p95": cuts[18]}
                found |= {"model_seconds": one.model_seconds, "repetition": repetition}
                console.print(
                    f"{design}: {one.size} in {found['drain_seconds']:.1f} s, {found['once']} succeeded"
                )
                yield found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", help="these sizes of bursts alone; writes nothing")
    parser.add_argument("--alone", action="store_true", help="one at a time; the last bursts stay")
    parser.add_argument("--show", action="store_true", help="the last results, measuring nothing")
    given = parser.parse_args()
    console = Console()
    if given.show:
        results = json.loads(RESULTS.read_text("utf-8"))
    elif given.alone:
        found = measure((), console)
        results = json.loads(RESULTS.read_text("utf-8")) | {
            name: found[name] for name in ("machine", "alone")
        }
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    else:
        rounds = tuple(one for one in ROUNDS if not given.sizes or one.size in given.sizes)
        results = measure(rounds, console)
        if not given.sizes:
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for table in tables.all_of(results):
        console.print(table)
    for line in goals.lines(results, "end-to-end"):
        console.print(line)


if __name__ == "__main__":
    main()
