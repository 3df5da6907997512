"""`make bench PART=limited`: each function within Lambda's limits, with several sizes of memory, and what each costs.

A function's share of a CPU follows from its memory. AWS is on loopback, answers at once, and speaks TLS. A message
after a pause finds its connections closed, as AWS closes quiet ones; the others find them open.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.end_to_end.machine import machine
from bench.end_to_end.tables import p95
from bench.functions.cgroup import CPU_MB, PERIOD_US, NoCgroupsError, cgroup
from bench.functions.subjects import Subject, subjects
from bench.functions.tls import SecureAws
from infra.environments import ENVIRONMENTS
from shared.costs.prices import US_EAST_1

RESULTS = Path(__file__).parents[1] / "results" / "limited.json"
DEPLOYED: Final = ENVIRONMENTS["prod"]
SIZES_MB: Final = (128, 192, 256, 320, 512)
PAUSES: Final = 6
"""Messages after a pause, in each process."""
CALL_MS: Final = 10
MODEL_MS: Final = 2_000
"""How long a call to AWS and the model's answer take on AWS: assumed, as no account has been measured."""


def once(subject: Subject, aws: SecureAws, memory_mb: int, warm: int, pauses: int = PAUSES) -> dict[str, Any]:
    """Measure one process: a first message, warm ones, and ones after a pause, in milliseconds."""
    with (
        cgroup(subject.name, memory_mb) as group,
        subject.start(aws, group.join, memory_mb) as function,
    ):
        group.throttle(function.pid)
        first = function.invoke(subject.event(1))
        calls = aws.calls
        seconds = [function.invoke(subject.event(1)).wall for _ in range(warm)]
        calls = (aws.calls - calls) // warm
        paused = []
        for _ in range(pauses):
            aws.drop()
            paused.append(function.invoke(subject.event(1)).wall)
        return {
            "cold_ms": (function.init.wall + first.wall) * 1000,
            "warm_ms": [duration * 1000 for duration in seconds],
            "paused_ms": [duration * 1000 for duration in paused],
            "memory_mb": function.memory_mb("VmHWM"),
            "calls": calls,
        }


def chosen_mb(name: str) -> int:
    """Return the memory with which a function is deployed unless an option says otherwise."""
    return DEPLOYED.sizing_of(name).memory_mb


def million_usd(name: str, memory_mb: int, turns: Sequence[Mapping[str, Any]]) -> float:
    """Return the price of a million warm messages, one to an invocation, with the assumed times of AWS's answers."""
    own_ms = statistics.mean(value for turn in turns for value in turn["warm_ms"])
    waits_ms = CALL_MS * turns[0]["calls"] + (MODEL_MS if name == "chatbot" else 0)
    prices = US_EAST_1.prices
    mb_ms = round(memory_mb * (own_ms + waits_ms))
    nanos = prices["invocation"].nanos(1) + prices[DEPLOYED.target.architecture].nanos(mb_ms)
    return nanos / 1_000


def measure(rounds: int, warm: int, sizes_mb: Sequence[int]) -> dict[str, Any]:
    """Measure every function with every size, in turns. Raises NoCgroupsError."""
    about = machine()
    with tempfile.TemporaryDirectory() as scratch, subjects(Path(scratch), ()) as (own, aws):
        every = sorted({*sizes_mb, *map(chosen_mb, own)})
        results: dict[str, dict[int, list[dict[str, Any]]]] = {
            name: {size: [] for size in every} for name in own
        }
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for name, subject in own.items():
                for size in every:
                    results[name][size].append(once(subject, aws, size, warm))
    return {
        "machine": about,
        "size": {"cpu_mb": CPU_MB, "period_us": PERIOD_US},
        "rounds": {name: results[name][chosen_mb(name)] for name in own},
        "sizes": {
            name: [summary(name, size, turns) for size, turns in by_size.items()]
            for name, by_size in results.items()
        },
    }


def summary(name: str, memory_mb: int, turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    warm = [value for turn in turns for value in turn["warm_ms"]]
    return {
        "memory_mb": memory_mb,
        "chosen": memory_mb == chosen_mb(name),
        "p50_ms": statistics.median(warm),
        "p95_ms": p95(warm),
        "paused_ms": statistics.median(value for turn in turns for value in turn["paused_ms"]),
        "million_usd": million_usd(name, memory_mb, turns),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="processes of each function and size (default: 5)"
    )
    parser.add_argument("--warm", type=int, default=40, help="warm messages in each process (default: 40)")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=SIZES_MB, help="megabytes, beside the deployed size"
    )
    options = parser.parse_args()
    try:
        results = measure(options.rounds, options.warm, options.sizes)
    except NoCgroupsError as error:
        print(f"This part is skipped: {error}. To measure it, run as root on Linux.", file=sys.stderr)
        RESULTS.write_text(
            json.dumps({"machine": machine(), "skipped": str(error)}, indent=1) + "\n", "utf-8"
        )
        return
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, rows in results["sizes"].items():
        for row in rows:
            deployed = "*" if row["chosen"] else " "
            print(
                f"{name:10} {row['memory_mb']:4} MB {deployed} warm p50 {row['p50_ms']:.0f} ms, "
                f"p95 {row['p95_ms']:.1f} ms, after a pause {row['paused_ms']:.0f} ms, "
                f"${row['million_usd']:.2f} a million"
            )


if __name__ == "__main__":
    main()
