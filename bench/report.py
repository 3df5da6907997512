"""Writes docs/benchmarks.md and its plots from `bench/results`. It measures nothing.

`make bench` and `make bench PART=…` call it after they have measured. Each part's latest run is added to the last
three in `bench/results/goals.json`.
"""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench import plots
from bench.end_to_end.tables import median_bursts, p95
from bench.goals import BARE, RUNS, YARDSTICKS, Goal, History, Results, against, remembered, wanted
from bench.texts import ABOUT, LIMITS

RESULTS: Final = Path(__file__).parent / "results"
HISTORY: Final = RESULTS / "goals.json"
DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"
COLD_PLOT, BURST_PLOT = "benchmarks-cold.svg", "benchmarks-bursts.svg"
HEAD: Final = """# Benchmarks

`make bench` measures everything here, half an hour on a quiet machine, and writes this page; `make bench PART=cold`
one part of it (cold, limited, soak, sizes, burst, cost, analyzer, setup). Machines differ and are noisy: what counts
are ratios within one run, in which whatever is compared takes turns. CPU time stands where work is meant, wall time
where waiting is.
"""

Row = Sequence[object]


def document(results: Mapping[str, Results], history: History) -> str:
    """`results` by part; a part that was never measured is said to be missing."""
    parts = [HEAD, *_goals(results, history)]
    for name, (title, tables) in SECTIONS.items():
        parts.append(f"## {title}\n\n{ABOUT[name]}\n")
        found = results.get(name)
        if found is None:
            parts.append("Not measured yet.\n")
        elif "skipped" in found:
            parts += [f"Skipped on this machine: {found['skipped']}.\n", _machine(found)]
        else:
            parts += [*tables(found), _machine(found)]
    return "\n".join(parts)


def _goals(results: Mapping[str, Results], history: History) -> Iterator[str]:
    """All goals with the values of the last runs, the latest last; a goal is met if it was in each of them."""
    yield f"## Goals\n\nThe last {RUNS} runs of each part, the latest last. Met is what was met in all of them.\n"
    rows: dict[str, list[Row]] = {"met": [], "measured too seldom": [], "not met": []}
    missed: list[str] = []
    for part, found in results.items():
        for goal in wanted(part, found):
            values = [run["values"][goal.name] for run in history.get(part, ()) if goal.name in run["values"]]
            met = all(_with(goal, value).met for value in values or [goal.value])
            outcome = "not met" if not met else "met" if len(values) >= RUNS else "measured too seldom"
            shown = ", ".join(f"{value:.3g}" for value in values or [goal.value])
            rows[outcome].append((goal.name, goal.wanted, shown))
            if not met and part not in missed:
                missed.append(part)
    total = sum(len(found) for found in rows.values())
    yield f"{len(rows['met'])} of {total} goals are met.\n"
    if rows["not met"]:
        yield _table(("not met", "wanted", "measured"), rows["not met"])
        yield from (f"{LIMITS[part]}\n" for part in missed)
    if rows["measured too seldom"]:
        yield f"Met so far, but measured less than {RUNS} times:\n"
        yield _table(("goal", "wanted", "measured"), rows["measured too seldom"])
    yield "<details><summary>The goals that are met</summary>\n"
    yield _table(("goal", "wanted", "measured"), rows["met"])
    yield "</details>\n"


def _with(goal: Goal, value: float) -> Goal:
    return Goal(name=goal.name, value=value, limit=goal.limit, unit=goal.unit, at_least=goal.at_least)


def _table(head: Sequence[str], rows: Sequence[Row]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def _machine(results: Results) -> str:
    about = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    when = f"{about['date'][:16].replace('T', ' ')} UTC, commit {about['commit']}"
    where = f"{about['system']}, {about['cores']} cores, {about['memory_gb']} GB, load before {about['load_before']}"
    return f"{when}, {where}, Python {about['python']}, {packages}.\n"


def _spread(values: Sequence[float], digits: int = 0) -> str:
    """Median, and in brackets the least and the most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def _cold(results: Results) -> Iterator[str]:
    rows = []
    for name, rounds in results["rounds"].items():
        by = {field: [one[field] for one in rounds] for field in rounds[0]}
        ratio = "1" if name == BARE else f"{against(results, name, BARE):.2f}"
        rows.append(
            (
                name,
                _spread(by["cold_cpu_ms"]),
                ratio,
                _spread(by["cold_wall_ms"]),
                f"{statistics.median(by['first_cpu_ms']):.1f}",
                _spread(by["memory_mb"]),
            )
        )
    yield _table(
        ("", "CPU ms to the first answer", "beside bare", "wall ms", "of it the message", "MB"), rows
    )
    yield f"![CPU until the first answer, by function]({COLD_PLOT})\n"
    yield "CPU for a message once it is warm, alone and by batches of 10 (the API has no batches):\n"
    warm = [
        (
            name,
            _spread([one["warm_cpu_ms"] for one in rounds], 2),
            _spread([one["batch_cpu_ms"] for one in rounds], 1),
        )
        for name, rounds in results["rounds"].items()
        if name not in YARDSTICKS
    ]
    yield _table(("", "ms a message", "ms a batch"), warm)


def _limited(results: Results) -> Iterator[str]:
    rows = []
    for name, rounds in results["rounds"].items():
        warm = [value for one in rounds for value in one["warm_ms"]]
        cold, memory = ([one[field] for one in rounds] for field in ("cold_ms", "memory_mb"))
        rows.append(
            (name, _spread(cold), f"{statistics.median(warm):.0f}", f"{p95(warm):.0f}", f"{max(memory):.0f}")
        )
    yield _table(("", "cold start, ms", "warm p50, ms", "warm p95, ms", "MB"), rows)


def _soak(results: Results) -> Iterator[str]:
    rows = []
    for name, samples in results["memory_mb"].items():
        marks = (0, len(samples) // 10, len(samples) // 2, -1)
        rows.append((name, *(f"{samples[mark]:.1f}" for mark in marks)))
    yield f"{results['messages']:,} messages through each process.\n"
    yield _table(("MB", "at first", "after a tenth", "after half", "at last"), rows)


def _sizes(results: Results) -> Iterator[str]:
    rows = []
    for name, one in results["functions"].items():
        largest = ", ".join(f"{part} {size:,}" for part, size in one["largest_kb"].items())
        unloaded = f"{len(one['unloaded'])} of {one['modules']}"
        rows.append((name, f"{one['unpacked_kb']:,}", f"{one['zipped_kb']:,}", largest, unloaded))
    yield _table(
        ("", "KB", "zipped", "the five largest parts, KB", "modules not loaded by a cold start"), rows
    )


def _end_to_end(results: Results) -> Iterator[str]:
    alone = [
        (design, len(took), f"{statistics.median(took) * 1000:.0f}", f"{p95(took) * 1000:.0f}")
        for design, took in results["alone"]["seconds"].items()
    ]
    yield "One at a time, with a model that answers at once:\n"
    yield _table(("", "runs", "p50 ms", "p95 ms"), alone)
    yield "Where a run's time goes, medians in ms; the rest is hops, callbacks and the workflow's own:\n"
    hops = [
        (name, *(f"{parts[part]:.0f}" for part in ("waited_ms", "worked_ms", "other_ms")))
        for name, parts in results["alone"]["hops_ms"].items()
    ]
    yield _table(("", "in the queue", "work", "rest"), hops)
    limits = ", ".join(f"{name} {most}" for name, most in results["limits"].items())
    yield f"Bursts, at the same limits of concurrent invocations ({limits}):\n"
    rows = []
    for (size, model, design), row in sorted(median_bursts(results).items()):
        share = row["engine_cpu_seconds"] / row["drain_seconds"]
        done = (f"{row['once']:,.0f}", f"{row['drain_seconds']:.1f}", f"{row['per_second']:.1f}")
        rows.append(
            (
                f"{size:,}",
                f"{model:g}",
                design,
                *done,
                f"{row['engine_mb']:.0f}",
                f"{row['workers_mb']:.0f}",
                f"{share:.0%}",
            )
        )
    yield _table(
        ("burst", "model s", "design", "succeeded", "s", "per s", "engine MB", "functions MB", "engine CPU"),
        rows,
    )
    yield f"![Bursts of both designs]({BURST_PLOT})\n"


def _cost(results: Results) -> Iterator[str]:
    designs = results["designs"]
    for by in ("hops", "services"):
        names = dict.fromkeys(key for one in designs.values() for key in one[by])
        rows: list[Row] = [
            (name, *(f"{one[by].get(name, 0.0):.2f}" for one in designs.values())) for name in names
        ]
        rows.append(("sum", *(f"{one['without_model']:.2f}" for one in designs.values())))
        rows.append(("the model's tokens", *(f"{one['model']:.2f}" for one in designs.values())))
        yield _table((f"by {by[:-1]}", *designs), rows)


def _analyzer(results: Results) -> Iterator[str]:
    rows = [
        (
            _message(row),
            f"{row['median_ms']:.2f} ({row['fastest_ms']:.2f}–{row['slowest_ms']:.2f})",
            f"{row['megabytes_per_second']:.1f}",
        )
        for row in results["rows"]
    ]
    yield _table(("message of 32 KB", "CPU ms", "MB/s"), rows)
    yield f"The search took {results['search_seconds']:g} s (seed {results['seed']}).\n"


def _message(row: Mapping[str, Any]) -> str:
    text = row["message"] if row["group"] == "kind" else f"{row['group']}: `{row['message'][:50]}`"
    return str(text).replace("|", "\\|")


def _setup(results: Results) -> Iterator[str]:
    yield _table(("", "seconds"), list(results["seconds"].items()))


SECTIONS: Final[Mapping[str, tuple[str, Callable[[Results], Iterator[str]]]]] = {
    "cold": ("Cold start", _cold),
    "limited": ("As large as Lambda makes it", _limited),
    "soak": ("Memory over time", _soak),
    "sizes": ("What is deployed", _sizes),
    "end-to-end": ("End to end", _end_to_end),
    "cost": ("Cost of a million runs", _cost),
    "analyzer": ("Analyzer", _analyzer),
    "setup": ("Getting going", _setup),
}
"""By part, in the document's order: its title, and what writes its tables."""


def read() -> dict[str, Results]:
    """By part, in the order of the document."""
    files = {name: RESULTS / f"{name}.json" for name in SECTIONS}
    return {name: json.loads(file.read_text("utf-8")) for name, file in files.items() if file.exists()}


def main() -> None:
    results = read()
    before: Any = json.loads(HISTORY.read_text("utf-8")) if HISTORY.exists() else {}
    history = remembered(before, results)
    HISTORY.write_text(json.dumps(history, indent=1) + "\n", "utf-8")
    DOCUMENT.write_text(document(results, history), "utf-8")
    if "cold" in results:
        plots.cold_starts(results["cold"], DOCUMENT.with_name(COLD_PLOT))
    if "end-to-end" in results:
        plots.bursts(results["end-to-end"], DOCUMENT.with_name(BURST_PLOT))
    print(f"{DOCUMENT.relative_to(DOCUMENT.parents[1])} is written")


if __name__ == "__main__":
    main()
