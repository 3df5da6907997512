"""The goals of each part of the benchmark, with the measured values. Pure: from results to goals."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.end_to_end.stage import DIRECT, EVENTS
from bench.end_to_end.tables import TIMES_THE_THROUGHPUT, median_bursts, p95

Results = Mapping[str, Any]

BARE, CONVENTIONAL = "bare boto3", "conventional"
COMPILED: Final = ", with byte code"
BARE_COMPILED: Final = BARE + COMPILED
YARDSTICKS: Final = ("empty", BARE, CONVENTIONAL, BARE_COMPILED, CONVENTIONAL + COMPILED)
FRESH_RUN: Final = "make run, empty clone and empty HOME"
ANALYZER_MS: Final = 5.0
SETTLED: Final = 10
"""A soak's last memory sample is compared with the one after 1/10 of the messages, when all caches are filled."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A goal: `value` must be at most `limit`, or at least `limit` if `at_least` is True."""

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def wanted(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g} {self.unit}"


def of_cold(results: Results) -> Iterator[Goal]:
    """Yield goals on medians of ratios. A ratio is within one round, so that a slow moment affects both its sides."""
    for name in results["rounds"]:
        if name not in YARDSTICKS:
            for yardstick, limit in ((BARE, 0.9), (CONVENTIONAL, 0.35)):
                yield Goal(
                    name=f"{name}: first message, CPU beside {yardstick} as it is usually packed",
                    value=against(results, name, yardstick),
                    limit=limit,
                    unit="times",
                )
            yield Goal(
                name=f"{name}: init, CPU beside {BARE_COMPILED}",
                value=against(results, name, BARE_COMPILED, "init_cpu_ms"),
                limit=1.15,
                unit="times",
            )


def against(results: Results, name: str, yardstick: str, field: str = "cold_cpu_ms") -> float:
    pairs = zip(results["rounds"][name], results["rounds"][yardstick], strict=True)
    ratios: list[float] = [subject[field] / other[field] for subject, other in pairs]
    return statistics.median(ratios)


def of_limited(results: Results) -> Iterator[Goal]:
    for name, rounds in results["rounds"].items():
        cold = max(turn["cold_ms"] for turn in rounds)
        memory = max(turn["memory_mb"] for turn in rounds)
        warm = p95([value for turn in rounds for value in turn["warm_ms"]])
        yield Goal(name=f"{name}: cold start, the slowest", value=cold, limit=2_000, unit="ms")
        yield Goal(name=f"{name}: memory, the most", value=memory, limit=100, unit="MB")
        yield Goal(name=f"{name}: warm message, p95", value=warm, limit=50, unit="ms")


def of_soak(results: Results) -> Iterator[Goal]:
    for name, samples in results["memory_mb"].items():
        grown = samples[-1] - samples[len(samples) // SETTLED]
        yield Goal(name=f"{name}: memory grown in {results['messages']:,}", value=grown, limit=1, unit="MB")


def of_sizes(results: Results) -> Iterator[Goal]:
    for name, bundle in results["functions"].items():
        ballast = [module for module in bundle["unloaded"] if not module.startswith(("services/", "shared/"))]
        yield Goal(
            name=f"{name}: packages' modules that a cold start does not load",
            value=len(ballast),
            limit=0,
            unit="modules",
        )


def of_end_to_end(results: Results) -> Iterator[Goal]:
    seconds = {name: statistics.median(times) for name, times in results["alone"]["seconds"].items()}
    yield Goal(
        name="one at a time, beside the direct design",
        value=seconds[EVENTS] / seconds[DIRECT],
        limit=1,
        unit="times",
    )
    bursts = median_bursts(results)
    for (size, model, design), row in sorted(bursts.items()):
        if design != EVENTS:
            continue
        name = f"burst of {size:,}, model {model:g} s"
        lost = size - row["once"] + row["left_in_queues"]
        yield Goal(name=f"{name}: not done exactly once", value=lost, limit=0, unit="runs")
        if (rival := bursts.get((size, model, DIRECT))) and rival["per_second"]:
            yield Goal(
                name=f"{name}: throughput beside the direct design",
                value=row["per_second"] / rival["per_second"],
                limit=TIMES_THE_THROUGHPUT,
                unit="times",
                at_least=True,
            )


def of_cost(results: Results) -> Iterator[Goal]:
    direct = results["designs"][DIRECT]
    for design, costs in results["designs"].items():
        if design != DIRECT:
            plain = costs["without_model"] / direct["without_model"]
            whole = (costs["without_model"] + costs["model"]) / (direct["without_model"] + direct["model"])
            for text, ratio in (("without the model", plain), ("with its tokens", whole)):
                yield Goal(name=f"{design}: cost {text}", value=ratio, limit=1.15, unit="times")


def of_analyzer(results: Results) -> Iterator[Goal]:
    groups = {
        "kind": "the slowest ordinary kind",
        "repeated": "the slowest repetition",
        "search": "the worst found",
    }
    for group, text in groups.items():
        slowest = [row["median_ms"] for row in results["rows"] if row["group"] == group]
        if slowest:
            yield Goal(name=f"analyzer, 32 KB: {text}", value=max(slowest), limit=ANALYZER_MS, unit="ms")


def of_console(results: Results) -> Iterator[Goal]:
    first = [turn["first"] for turn in results["rounds"]]
    pages = [page for turn in results["rounds"] for page in turn["pages"]]
    bytes_ = results["files_bytes"] + max(visit["bytes"] for visit in (*first, *pages))
    about = f"console, 50 of {results['runs']:,} runs"
    slowest, most = max(one["ms"] for one in first), p95([one["ms"] for one in pages])
    yield Goal(name=f"{about}: the first page of a process, the slowest", value=slowest, limit=150, unit="ms")
    yield Goal(name=f"{about}: any other page, p95", value=most, limit=150, unit="ms")
    yield Goal(name=f"{about}: with all files, compressed", value=bytes_ / 1_000, limit=60, unit="KB")


def of_setup(results: Results) -> Iterator[Goal]:
    yield Goal(name=f"{FRESH_RUN}, the slowest", value=max(results["fresh"]), limit=40, unit="s")


PARTS: Final[Mapping[str, Callable[[Results], Iterator[Goal]]]] = {
    "cold": of_cold,
    "limited": of_limited,
    "soak": of_soak,
    "sizes": of_sizes,
    "end-to-end": of_end_to_end,
    "cost": of_cost,
    "analyzer": of_analyzer,
    "console": of_console,
    "setup": of_setup,
}
"""By part: the function that yields the part's goals."""

RUNS: Final = 3

History = dict[str, list[dict[str, Any]]]


def goals_of(part: str, results: Results) -> list[Goal]:
    """Return the goals of a part; none for a part without goals or one that was skipped."""
    return [] if part not in PARTS or "skipped" in results else list(PARTS[part](results))


def with_latest(history: History, results: Mapping[str, Results]) -> History:
    """Return `history` with each part's results added as its latest run, if they are new, and the last three kept."""
    kept = {part: list(runs) for part, runs in history.items()}
    for part, latest in results.items():
        runs = kept.setdefault(part, [])
        about = latest["machine"]
        if (values := {goal.name: goal.value for goal in goals_of(part, latest)}) and about["date"] not in [
            run["date"] for run in runs
        ]:
            now = {name: about[name] for name in ("date", "commit", "load_before")}
            runs.append({**now, "values": values})
            del runs[:-RUNS]
    return {part: runs for part, runs in kept.items() if runs}


def lines(results: Results, part: str) -> Iterator[str]:
    """Yield a line for each goal of a part, for the terminal."""
    for goal in PARTS[part](results):
        verdict = "met" if goal.met else "NOT MET"
        yield f"{verdict}: {goal.name}: {goal.value:.3g} {goal.unit} ({goal.wanted})"
