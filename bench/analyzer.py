"""The analyzer's CPU time for the longest messages of each kind, and for the slowest ones that a search finds.

`python -m bench.analyzer` prints a table, with `--json` the same as JSON. Values are medians of CPU time over
interleaved rounds; the goal is less than 5 ms for each message.
"""

import argparse
import json
import platform
import statistics
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.analyzer_messages import messages
from bench.analyzer_search import cpu_milliseconds, message, search
from bench.end_to_end.machine import machine
from bench.goals import ANALYZER_MS
from services.analyzer.evaluation.worst_case import REPEATED, longest

RESULTS = Path(__file__).parent / "results" / "analyzer.json"
SHOWN = 8
EXAMPLES = """examples:
  python -m bench.analyzer                              all kinds, and a search of one minute
  python -m bench.analyzer --seconds 600 --seed 3       a longer search with another start
  python -m bench.analyzer --seconds 0                  all kinds, without a search
  python -m bench.analyzer --json > analyzer.json       the results as JSON
"""


class Row(msgspec.Struct, frozen=True):
    """The CPU milliseconds for one message."""

    group: str
    message: str
    characters: int
    kilobytes: float
    median_ms: float
    fastest_ms: float
    slowest_ms: float

    @property
    def megabytes_per_second(self) -> float:
        return self.kilobytes / 1000 / (self.median_ms / 1000)


def measure(texts: dict[tuple[str, str], str], rounds: int) -> list[Row]:
    """Measure every text once in each round, so that a busy moment of the machine affects all texts alike."""
    durations: dict[tuple[str, str], list[float]] = {key: [] for key in texts}
    for text in texts.values():
        cpu_milliseconds(text)  # compiles patterns that are compiled on first use
    for _ in range(rounds):
        for key, text in texts.items():
            durations[key].append(cpu_milliseconds(text))
    return [
        Row(
            group=key[0],
            message=key[1],
            characters=len(texts[key]),
            kilobytes=len(texts[key].encode()) / 1000,
            median_ms=statistics.median(times),
            fastest_ms=min(times),
            slowest_ms=max(times),
        )
        for key, times in durations.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.analyzer",
        description="Measure the analyzer's CPU time for the longest messages.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds", type=int, default=11, help="number of measurements per message (default: 11)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60,
        help="duration of the search in seconds, 0 for none (default: 60)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the search (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of a table")
    parser.add_argument("--save", action="store_true", help="store the results for docs/benchmarks.md")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds < 0:
        parser.error("--rounds must be at least 1, and --seconds at least 0")
    console, about = Console(stderr=True), machine()
    texts = {("kind", kind): text for kind, text in messages().items()}
    with console.status("searching…") as status:
        if options.seconds:
            candidates = search(
                options.seconds,
                options.seed,
                lambda share, slowest: status.update(f"searching… {share:.0%}, slowest {slowest:.2f} ms"),
            )
            texts |= {
                ("search", _label(candidate.recipe)): message(candidate.recipe)
                for candidate in candidates[:SHOWN]
            }
        status.update("measuring…")
        units = {("repeated", name): longest(unit) for name, unit in REPEATED.items()}
        slowest = sorted(measure(units, 3), key=lambda row: -row.median_ms)[:SHOWN]
        texts |= {("repeated", row.message): longest(REPEATED[row.message]) for row in slowest}
        rows = measure(texts, options.rounds)
    if options.save:
        RESULTS.write_text(json.dumps({**_report(rows, options), "machine": about}, indent=1) + "\n", "utf-8")
    if options.json:
        sys.stdout.write(
            msgspec.json.format(msgspec.json.encode(_report(rows, options)), indent=2).decode() + "\n"
        )
    else:
        Console().print(_table(rows, options.rounds))
    return 0


def _label(recipe: tuple[str, ...]) -> str:
    return " + ".join(ascii(unit)[1:-1][:60] for unit in recipe)


def _report(rows: list[Row], options: argparse.Namespace) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": options.rounds,
        "search_seconds": options.seconds,
        "seed": options.seed,
        "goal_ms": ANALYZER_MS,
        "worst_ms": max(row.median_ms for row in rows),
        "rows": [
            msgspec.to_builtins(row) | {"megabytes_per_second": row.megabytes_per_second} for row in rows
        ],
    }


def _table(rows: list[Row], rounds: int) -> Table:
    table = Table(
        title=f"The longest messages, CPU time (medians of {rounds}; goal: under {ANALYZER_MS:.0f} ms)"
    )
    for column in ("message", "characters", "ms", "fastest–slowest", "MB/s"):
        table.add_column(column, justify="left" if column == "message" else "right", overflow="fold")
    group = rows[0].group
    for row in rows:
        if row.group != group:
            table.add_section()
            group = row.group
        table.add_row(
            row.message if row.group == "kind" else f"{row.group}: {row.message}",
            f"{row.characters:,}",
            f"{row.median_ms:.2f}" if row.median_ms < ANALYZER_MS else f"[bold]{row.median_ms:.2f}[/]",
            f"{row.fastest_ms:.2f}–{row.slowest_ms:.2f}",
            f"{row.megabytes_per_second:.1f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
