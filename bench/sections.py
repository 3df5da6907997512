"""The sections of docs/benchmarks.md: each part's title and its tables, made of the part's results."""

import statistics
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from bench.end_to_end.tables import median_bursts, p95
from bench.goals import BARE, BARE_COMPILED, CONVENTIONAL, FRESH_RUN, YARDSTICKS, Results, against
from bench.texts import CORRECTION

COLD_PLOT, BURST_PLOT = "benchmarks-cold.svg", "benchmarks-bursts.svg"
LINE_CHARS: Final = 120

Row = Sequence[object]


def prose(text: str) -> str:
    """Return a paragraph, wrapped as all Markdown of the project."""
    return textwrap.fill(text, LINE_CHARS, break_long_words=False, break_on_hyphens=False) + "\n"


def table(head: Sequence[str], rows: Sequence[Row]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _spread(values: Sequence[float], digits: int = 0) -> str:
    """Return the median, with minimum and maximum in brackets."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def _cold(results: Results) -> Iterator[str]:
    rows = []
    for name, rounds in results["rounds"].items():
        by = {field: [turn[field] for turn in rounds] for field in rounds[0]}
        rows.append(
            (
                name,
                _spread(by["init_cpu_ms"]),
                _spread(by["cold_cpu_ms"]),
                *(f"{against(results, name, other):.2f}" for other in (BARE, CONVENTIONAL)),
                f"{against(results, name, BARE_COMPILED, 'init_cpu_ms'):.2f}",
                _spread(by["cold_wall_ms"]),
                _spread(by["memory_mb"]),
            )
        )
    yield table(
        (
            "",
            "CPU ms of the init",
            "CPU ms to the first answer",
            f"divided by {BARE}",
            f"divided by {CONVENTIONAL}",
            f"init divided by {BARE_COMPILED}",
            "wall ms",
            "MB",
        ),
        rows,
    )
    yield f"![CPU until the first answer, by function]({COLD_PLOT})\n"
    yield "CPU time of a warm function, for single messages and for batches of 10 (the API has no batches):\n"
    warm = [
        (
            name,
            _spread([turn["warm_cpu_ms"] for turn in rounds], 2),
            _spread([turn["batch_cpu_ms"] for turn in rounds], 1),
        )
        for name, rounds in results["rounds"].items()
        if name not in YARDSTICKS
    ]
    yield table(("", "ms a message", "ms a batch"), warm)
    yield prose(CORRECTION)


def _limited(results: Results) -> Iterator[str]:
    rows = []
    for name, rounds in results["rounds"].items():
        warm = [value for turn in rounds for value in turn["warm_ms"]]
        cold, memory = ([turn[field] for turn in rounds] for field in ("cold_ms", "memory_mb"))
        rows.append(
            (name, _spread(cold), f"{statistics.median(warm):.0f}", f"{p95(warm):.0f}", f"{max(memory):.0f}")
        )
    yield table(("", "cold start, ms", "warm p50, ms", "warm p95, ms", "MB used"), rows)
    yield "By memory, with the price of a million messages; the deployed size is in bold:\n"
    yield table(
        ("", "memory, MB", "warm p50, ms", "warm p95, ms", "after a pause, ms", "$ a million"),
        [
            (name, *(f"**{cell}**" if row["chosen"] else cell for cell in _sized(row)))
            for name, by_size in results["sizes"].items()
            for row in by_size
        ],
    )


def _sized(row: Mapping[str, Any]) -> Row:
    times = (f"{row[field]:.0f}" for field in ("p50_ms", "p95_ms", "paused_ms"))
    return (row["memory_mb"], *times, f"{row['million_usd']:.2f}")


def _soak(results: Results) -> Iterator[str]:
    rows = []
    for name, samples in results["memory_mb"].items():
        marks = (0, len(samples) // 10, len(samples) // 2, -1)
        rows.append((name, *(f"{samples[mark]:.1f}" for mark in marks)))
    yield f"Each process handled {results['messages']:,} messages.\n"
    yield table(("MB", "at the start", "after 10%", "after 50%", "at the end"), rows)


def _sizes(results: Results) -> Iterator[str]:
    rows = []
    for name, bundle in results["functions"].items():
        largest = ", ".join(f"{part} {size:,}" for part, size in bundle["largest_kb"].items())
        unloaded = f"{len(bundle['unloaded'])} of {bundle['modules']}"
        sizes = (f"{bundle[field]:,}" for field in ("unpacked_kb", "byte_code_kb", "zipped_kb"))
        rows.append((name, *sizes, largest, unloaded))
    yield table(
        (
            "",
            "KB",
            "byte code, KB",
            "KB zipped",
            "the five largest parts, KB",
            "modules not loaded by a cold start",
        ),
        rows,
    )


def _end_to_end(results: Results) -> Iterator[str]:
    alone = [
        (design, len(times), f"{statistics.median(times) * 1000:.0f}", f"{p95(times) * 1000:.0f}")
        for design, times in results["alone"]["seconds"].items()
    ]
    yield "One run at a time, with a model that answers at once:\n"
    yield table(("", "runs", "p50 ms", "p95 ms"), alone)
    yield prose(
        "Where the time of a run of `events` goes, as medians in ms. The rest is the time of hops, callbacks and the "
        "workflow itself:"
    )
    hops = [
        (name, *(f"{parts[part]:.0f}" for part in ("waited_ms", "worked_ms", "other_ms")))
        for name, parts in results["alone"]["hops_ms"].items()
    ]
    yield table(("", "in the queue", "work", "rest"), hops)
    limits = ", ".join(f"{name} {most}" for name, most in results["limits"].items())
    yield prose(f"Bursts, with the same limits of concurrent invocations ({limits}):")
    rows = []
    for (size, model, design), row in sorted(median_bursts(results).items()):
        share = row["engine_cpu_seconds"] / row["drain_seconds"]
        outcome = (f"{row['once']:,.0f}", f"{row['drain_seconds']:.1f}", f"{row['per_second']:.1f}")
        rows.append(
            (
                f"{size:,}",
                f"{model:g}",
                design,
                *outcome,
                f"{row['engine_mb']:.0f}",
                f"{row['workers_mb']:.0f}",
                f"{share:.0%}",
            )
        )
    yield table(
        ("burst", "model s", "design", "succeeded", "s", "per s", "engine MB", "functions MB", "engine CPU"),
        rows,
    )
    yield f"![Bursts of both designs]({BURST_PLOT})\n"


def _cost(results: Results) -> Iterator[str]:
    designs = results["designs"]
    for by in ("hops", "services"):
        names = dict.fromkeys(key for costs in designs.values() for key in costs[by])
        rows: list[Row] = [
            (name, *(f"{costs[by].get(name, 0.0):.2f}" for costs in designs.values())) for name in names
        ]
        rows.append(("sum", *(f"{costs['without_model']:.2f}" for costs in designs.values())))
        rows.append(("the model's tokens", *(f"{costs['model']:.2f}" for costs in designs.values())))
        yield table((f"by {by[:-1]}", *designs), rows)


def _analyzer(results: Results) -> Iterator[str]:
    rows = [
        (
            _message(row),
            f"{row['median_ms']:.2f} ({row['fastest_ms']:.2f}–{row['slowest_ms']:.2f})",
            f"{row['megabytes_per_second']:.1f}",
        )
        for row in results["rows"]
    ]
    yield table(("message of 32 KB", "CPU ms", "MB/s"), rows)
    yield f"The search took {results['search_seconds']:g} s (seed {results['seed']}).\n"


def _message(row: Mapping[str, Any]) -> str:
    text = row["message"] if row["group"] == "kind" else f"{row['group']}: `{row['message'][:50]}`"
    return str(text).replace("|", "\\|")


def _console(results: Results) -> Iterator[str]:
    rows = [
        (
            name,
            *(f"{_median(visits, field)} ({_ends(visits, field)})" for field in ("ms", "cpu_ms")),
            f"{max(visit['bytes'] for visit in visits) / 1_000:.1f}",
        )
        for name, visits in (
            ("the first page of a process", [turn["first"] for turn in results["rounds"]]),
            ("any other page of 50", [page for turn in results["rounds"] for page in turn["pages"]]),
        )
    ]
    yield table(("", "ms", "CPU ms of it", "KB"), rows)
    yield f"The files that a browser loads once have {results['files_bytes'] / 1_000:.0f} KB.\n"


def _median(visits: Sequence[Mapping[str, float]], field: str) -> str:
    return f"{statistics.median(visit[field] for visit in visits):.0f}"


def _ends(visits: Sequence[Mapping[str, float]], field: str) -> str:
    values = [visit[field] for visit in visits]
    return f"{min(values):.0f}–{max(values):.0f}"


def _setup(results: Results) -> Iterator[str]:
    fresh = ", ".join(f"{seconds:.1f}" for seconds in results["fresh"])
    yield table(("", "seconds"), [(FRESH_RUN, fresh), *results["seconds"].items()])


SECTIONS: Final[Mapping[str, tuple[str, Callable[[Results], Iterator[str]]]]] = {
    "cold": ("Cold start", _cold),
    "limited": ("Within Lambda's limits", _limited),
    "soak": ("Memory over time", _soak),
    "sizes": ("Bundles", _sizes),
    "end-to-end": ("End to end", _end_to_end),
    "cost": ("Cost of a million runs", _cost),
    "analyzer": ("Analyzer", _analyzer),
    "console": ("Console", _console),
    "setup": ("Set-up", _setup),
}
"""By part, in the document's order: the section's title, and the function that writes its tables."""
