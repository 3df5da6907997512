"""Writes docs/benchmarks.md and its plots from `bench/results`, without measuring.

`make bench` and `make bench PART=…` call it after their measurements. It adds each part's latest run to
`bench/results/goals.json`, which keeps the last three.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench import plots
from bench.goals import RUNS, History, Results, goals_of, with_latest
from bench.sections import BURST_PLOT, COLD_PLOT, SECTIONS, Row, prose, table
from bench.texts import ABOUT, REASONS

RESULTS: Final = Path(__file__).parent / "results"
HISTORY: Final = RESULTS / "goals.json"
DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD: Final = """# Benchmarks

`make bench` measures everything on this page in half an hour on a quiet machine, and writes the page.
`make bench PART=cold` measures one part (cold, limited, soak, sizes, burst, cost, analyzer,
console, setup). Machines differ
and are noisy, so compare only ratios within one run, in which the compared subjects take turns. CPU time is given for
work, wall time for waiting.
"""


def document(results: Mapping[str, Results], history: History) -> str:
    """Return the page. `results` are by part; the section of a part without results says that it is not measured."""
    parts = [HEAD, *_goals(results, history)]
    for name, (title, tables) in SECTIONS.items():
        parts.append(f"## {title}\n\n{prose(ABOUT[name])}")
        part = results.get(name)
        if part is None:
            parts.append("Not measured yet.\n")
        elif "skipped" in part:
            parts += [prose(f"Skipped on this machine: {part['skipped']}."), _machine(part)]
        else:
            parts += [*tables(part), _machine(part)]
    return "\n".join(parts)


def _goals(results: Mapping[str, Results], history: History) -> Iterator[str]:
    """Yield all goals with the values of the last runs. A goal is met if it was met in each of them."""
    yield (
        f"## Goals\n\nThe values are those of the last {RUNS} runs of each part, the latest last. A goal is met if "
        "all of them meet it.\n"
    )
    rows: dict[str, list[Row]] = {"met": [], "measured too seldom": [], "not met": []}
    missed: list[str] = []
    for part, latest in results.items():
        for goal in goals_of(part, latest):
            values = [run["values"][goal.name] for run in history.get(part, ()) if goal.name in run["values"]]
            met = all(replace(goal, value=value).met for value in values or [goal.value])
            outcome = "not met" if not met else "met" if len(values) >= RUNS else "measured too seldom"
            shown = ", ".join(f"{value:.3g}" for value in values or [goal.value])
            rows[outcome].append((goal.name, goal.wanted, shown))
            if not met and part not in missed:
                missed.append(part)
    total = sum(map(len, rows.values()))
    yield f"{len(rows['met'])} of {total} goals are met.\n"
    if rows["not met"]:
        yield table(("not met", "wanted", "measured"), rows["not met"])
        yield from (prose(REASONS[part]) for part in missed)
    if rows["measured too seldom"]:
        yield f"Met so far, but measured less than {RUNS} times:\n"
        yield table(("goal", "wanted", "measured"), rows["measured too seldom"])
    yield "<details><summary>The goals that are met</summary>\n"
    yield table(("goal", "wanted", "measured"), rows["met"])
    yield "</details>\n"


def _machine(results: Results) -> str:
    about = results["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    when = f"{about['date'][:16].replace('T', ' ')} UTC, commit {about['commit']}"
    where = f"{about['system']}, {about['cores']} cores, {about['memory_gb']} GB, load before {about['load_before']}"
    return prose(f"Measured {when}, {where}, Python {about['python']}, {packages}.")


def read() -> dict[str, Results]:
    """Return the committed results by part, in the order of the document."""
    files = {name: RESULTS / f"{name}.json" for name in SECTIONS}
    return {name: json.loads(file.read_text("utf-8")) for name, file in files.items() if file.exists()}


def main() -> None:
    results = read()
    before: Any = json.loads(HISTORY.read_text("utf-8")) if HISTORY.exists() else {}
    history = with_latest(before, results)
    HISTORY.write_text(json.dumps(history, indent=1) + "\n", "utf-8")
    DOCUMENT.write_text(document(results, history), "utf-8")
    if "cold" in results:
        plots.cold_starts(results["cold"], DOCUMENT.with_name(COLD_PLOT))
    if "end-to-end" in results:
        plots.bursts(results["end-to-end"], DOCUMENT.with_name(BURST_PLOT))
    print(f"Written: {DOCUMENT.relative_to(DOCUMENT.parents[1])}")


if __name__ == "__main__":
    main()
