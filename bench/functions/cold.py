"""`make bench PART=cold`: cold start and warm CPU time of each function and yardstick, in interleaved rounds."""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.end_to_end.machine import machine
from bench.functions.subjects import Subject, subjects
from bench.functions.tls import SecureAws
from infra.environments import Sizing

RESULTS = Path(__file__).parents[1] / "results" / "cold.json"
BATCH = Sizing().batch_size


def once(subject: Subject, aws: SecureAws, warm: int) -> dict[str, float]:
    """Measure one process: milliseconds to its first answer, and CPU time of warm messages, alone and in batches."""
    with subject.start(aws) as function:
        first = function.invoke(subject.event(1))
        cold_memory = function.memory_mb("VmHWM")
        alone = [function.invoke(subject.event(1)).cpu for _ in range(warm)]
        batches = [function.invoke(subject.event(BATCH)).cpu for _ in range(max(1, warm // BATCH))]
        return {
            "init_cpu_ms": function.init.cpu * 1000,
            "cold_cpu_ms": (function.init.cpu + first.cpu) * 1000,
            "cold_wall_ms": (function.init.wall + first.wall) * 1000,
            "first_cpu_ms": first.cpu * 1000,
            "warm_cpu_ms": statistics.median(alone) * 1000,
            "batch_cpu_ms": statistics.median(batches) * 1000,
            "memory_mb": cold_memory,
        }


def measure(rounds: int, warm: int, console: Console) -> dict[str, Any]:
    about = machine()
    with tempfile.TemporaryDirectory() as scratch, subjects(Path(scratch)) as (chosen, aws):
        for subject in chosen.values():  # reads all files into the machine's cache before the first round
            once(subject, aws, 1)
        results: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
        for number in range(rounds):
            console.print(f"round {number + 1} of {rounds}")
            for name, subject in chosen.items():
                results[name].append(once(subject, aws, warm))
    return {"machine": about, "warm": warm, "batch": BATCH, "rounds": results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=11, help="processes of each function and yardstick (default: 11)"
    )
    parser.add_argument("--warm", type=int, default=100, help="warm messages in each process (default: 100)")
    options = parser.parse_args()
    results: Mapping[str, Any] = measure(options.rounds, options.warm, Console(stderr=True))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, rounds in results["rounds"].items():
        median = {key: statistics.median(turn[key] for turn in rounds) for key in rounds[0]}
        print(f"{name:14}", {key: round(value, 2) for key, value in median.items()})


if __name__ == "__main__":
    main()
