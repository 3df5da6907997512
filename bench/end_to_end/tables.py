"""Pure: the tables of the end-to-end results."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

Results = Mapping[str, Any]
Burst = Mapping[str, Any]
TIMES_THE_THROUGHPUT = 3.0


def all_of(results: Results) -> Iterator[Table]:
    yield alone(results)
    yield hops(results)
    yield bursts(results)


def p95(values: list[float]) -> float:
    """Return the 95th percentile by nearest rank."""
    ordered = sorted(values)
    return ordered[-(-95 * len(ordered) // 100) - 1]


def alone(results: Results) -> Table:
    table = Table("design", "runs", "p50 ms", "p95 ms", title="One at a time, the model answers at once")
    for design, seconds in results["alone"]["seconds"].items():
        row = (statistics.median(seconds), p95(seconds))
        table.add_row(design, str(len(seconds)), *(f"{value * 1000:.0f}" for value in row))
    return table


def hops(results: Results) -> Table:
    table = Table("hop", "queue ms", "work ms", "rest ms", title="Where a run's time goes (medians)")
    for name, parts in results["alone"]["hops_ms"].items():
        table.add_row(name, *(f"{parts[part]:.0f}" for part in ("waited_ms", "worked_ms", "other_ms")))
    return table


def median_bursts(results: Results) -> dict[tuple[int, float, str], dict[str, float]]:
    """Return the bursts by size, model's seconds and design: medians of the repetitions, but the lowest successes."""
    groups: dict[tuple[int, float, str], list[Burst]] = {}
    for burst in results["bursts"]:
        key = (burst["published"], burst["model_seconds"], burst["design"])
        groups.setdefault(key, []).append(burst)
    names = (
        "drain_seconds",
        "per_second",
        "run_p95",
        "engine_mb",
        "workers_mb",
        "engine_cpu_seconds",
        "all_cpu_seconds",
    )
    return {
        key: {
            **{name: statistics.median([burst[name] for burst in group]) for name in names},
            "once": min(burst["once"] for burst in group),
            "left_in_queues": max(burst["left_in_queues"] for burst in group),
        }
        for key, group in groups.items()
    }


def bursts(results: Results) -> Table:
    columns = ("burst", "model s", "design", "done", "s", "/s", "engine MB", "workers MB", "engine CPU")
    table = Table(*columns, title="Bursts: successes, and seconds until all runs had ended")
    for (size, model, design), row in sorted(median_bursts(results).items()):
        table.add_row(
            f"{size:,}",
            f"{model:g}",
            design,
            f"{row['once']:,.0f}",
            f"{row['drain_seconds']:.1f}",
            f"{row['per_second']:.1f}",
            f"{row['engine_mb']:.0f}",
            f"{row['workers_mb']:.0f}",
            f"{row['engine_cpu_seconds'] / row['drain_seconds']:.0%}",
        )
    return table
