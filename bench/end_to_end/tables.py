"""Pure: from results to tables."""

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
    """By nearest rank."""
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
    """By size, model's seconds and design; medians of what the repetitions measured, the least of what succeeded."""
    groups: dict[tuple[int, float, str], list[Burst]] = {}
    for one in results["bursts"]:
        groups.setdefault((one["published"], one["model_seconds"], one["design"]), []).append(one)
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
            **{name: statistics.median([one[name] for one in found]) for name in names},
            "once": min(one["once"] for one in found),
            "left_in_queues": max(one["left_in_queues"] for one in found),
        }
        for key, found in groups.items()
    }


def bursts(results: Results) -> Table:
    columns = ("burst", "model s", "design", "done", "s", "/s", "engine MB", "workers MB", "engine CPU")
    table = Table(*columns, title="Bursts: how many succeeded, until all was over")
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
