"""`make bench PART=limited`: each function within Lambda's limits: 128 MB and, after its init, 0.0724 CPU."""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.end_to_end.machine import machine
from bench.end_to_end.tables import p95
from bench.functions.cgroup import CPUS, MEMORY_MB, PERIOD_US, NoCgroupsError, cgroup
from bench.functions.subjects import Subject, subjects

RESULTS = Path(__file__).parents[1] / "results" / "limited.json"


def once(subject: Subject, endpoint: str, warm: int) -> dict[str, Any]:
    with cgroup(subject.name) as group, subject.start(endpoint, group.join) as function:
        group.throttle(function.pid)
        first = function.invoke(subject.event(1))
        seconds = [function.invoke(subject.event(1)).wall for _ in range(warm)]
        return {
            "cold_ms": (function.init.wall + first.wall) * 1000,
            "warm_ms": [duration * 1000 for duration in seconds],
            "memory_mb": function.memory_mb("VmHWM"),
        }


def measure(rounds: int, warm: int) -> dict[str, Any]:
    about = machine()
    with tempfile.TemporaryDirectory() as scratch, subjects(Path(scratch), ()) as (own, endpoint):
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in own}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for name, subject in own.items():
                results[name].append(once(subject, endpoint, warm))
    size = {"memory_mb": MEMORY_MB, "cpus": CPUS, "period_us": PERIOD_US}
    return {"machine": about, "size": size, "rounds": results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="processes of each function (default: 5)")
    parser.add_argument("--warm", type=int, default=60, help="warm messages in each process (default: 60)")
    options = parser.parse_args()
    try:
        results = measure(options.rounds, options.warm)
    except NoCgroupsError as error:
        print(f"This part is skipped: {error}. To measure it, run as root on Linux.", file=sys.stderr)
        RESULTS.write_text(
            json.dumps({"machine": machine(), "skipped": str(error)}, indent=1) + "\n", "utf-8"
        )
        return
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, rounds in results["rounds"].items():
        cold = statistics.median(turn["cold_ms"] for turn in rounds)
        warm = p95([value for turn in rounds for value in turn["warm_ms"]])
        print(f"{name:10} cold {cold:.0f} ms, warm p95 {warm:.1f} ms, {rounds[0]['memory_mb']:.0f} MB")


if __name__ == "__main__":
    main()
