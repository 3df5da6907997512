"""Measures both designs in one run, with interleaved repetitions, and writes `bench/results/end-to-end.json`.

python -m bench.end_to_end                     measure everything, about eight minutes on a quiet machine
python -m bench.end_to_end --sizes 100         measure bursts of one size, without storing the results
python -m bench.end_to_end --alone             measure one run at a time, keeping the last results of the bursts
python -m bench.end_to_end --show              print the tables of the last results without measuring
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
"""Events before the first measurement: enough to start all processes that the limits allow."""
ALONE = 20


@dataclass(frozen=True, kw_only=True)
class Round:
    """Bursts of one size with one model, by each design in turn, repeated `times` times."""

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
    concurrency = limits(CHATBOTS, OTHERS)
    designs = dict.fromkeys((EVENTS, DIRECT, *(design for turn in rounds for design in turn.designs)))
    about = machine()
    with arena(concurrency, tuple(designs)) as rivals:
        alone = _alone(rivals, console)
        return {
            "machine": about,
            "limits": concurrency,
            "model_seconds": MODEL_SECONDS,
            "alone": alone,
            "bursts": list(_bursts(rivals, rounds, console)),
        }


def _alone(rivals: Arena, console: Console) -> dict[str, Any]:
    """Measure one run at a time, of both designs in turn, with a model that answers at once."""
    for design in (EVENTS, DIRECT):
        console.print(f"warming up: {design}")
        burst(*rivals.designs[design], WARM_UP, patience_seconds=120)
    alone: dict[str, list[Alone]] = {EVENTS: [], DIRECT: []}
    for _ in range(ALONE // 5):
        for design, runs in alone.items():
            runs.extend(one_by_one(*rivals.designs[design], 5))
    return {
        "seconds": {design: [run.until_ended for run in runs] for design, runs in alone.items()},
        "hops_ms": hops(rivals.designs[EVENTS][0].target, alone[EVENTS]),
    }


def _bursts(rivals: Arena, rounds: tuple[Round, ...], console: Console) -> Iterator[dict[str, Any]]:
    for turn in rounds:
        for repetition in range(turn.times):
            for design in turn.designs:
                rivals.model.seconds = turn.model_seconds
                deployment, entrance = rivals.designs[design]
                result = burst(deployment, entrance, turn.size, patience_seconds=turn.patience_seconds)
                seconds = result.pop("run_seconds")
                cuts = statistics.quantiles(seconds, n=20) if len(seconds) > 1 else [0.0] * 19
                result |= {"run_p50": cuts[9], "run_p95": cuts[18]}
                result |= {"model_seconds": turn.model_seconds, "repetition": repetition}
                console.print(
                    f"{design}: {turn.size} in {result['drain_seconds']:.1f} s, {result['once']} succeeded"
                )
                yield result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", help="measure only bursts of these sizes, and store nothing"
    )
    parser.add_argument(
        "--alone", action="store_true", help="measure only one run at a time, and keep the last bursts"
    )
    parser.add_argument("--show", action="store_true", help="print the last results without measuring")
    options = parser.parse_args()
    console = Console()
    if options.show:
        results = json.loads(RESULTS.read_text("utf-8"))
    elif options.alone:
        measured = measure((), console)
        results = json.loads(RESULTS.read_text("utf-8")) | {
            name: measured[name] for name in ("machine", "alone")
        }
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    else:
        rounds = tuple(turn for turn in ROUNDS if not options.sizes or turn.size in options.sizes)
        results = measure(rounds, console)
        if not options.sizes:
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for table in tables.all_of(results):
        console.print(table)
    for line in goals.lines(results, "end-to-end"):
        console.print(line)


if __name__ == "__main__":
    main()
