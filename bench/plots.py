"""Draws the plots of docs/benchmarks.md."""

import statistics
from pathlib import Path
from typing import Any

from bench.end_to_end.stage import DIRECT, EVENTS
from bench.end_to_end.tables import Results, median_bursts
from bench.goals import BARE, YARDSTICKS

COLOURS = {EVENTS: "#2b6cb0", DIRECT: "#c05621"}
WIDTH = 0.38


def cold_starts(results: Results, file: Path) -> None:
    """Draw the CPU time until the first answer, as the median of all rounds; whiskers are minimum and maximum.

    The dark part is the time until the function was ready for the message.
    """
    plt = _pyplot("cold")
    rounds = results["rounds"]
    names = list(reversed(rounds))
    figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
    middle = {
        field: [statistics.median(turn[field] for turn in rounds[name]) for name in names]
        for field in ("init_cpu_ms", "cold_cpu_ms")
    }
    ends = [[turn["cold_cpu_ms"] for turn in rounds[name]] for name in names]
    whole = middle["cold_cpu_ms"]
    reach = [
        [value - min(all_of) for value, all_of in zip(whole, ends, strict=True)],
        [max(all_of) - value for value, all_of in zip(whole, ends, strict=True)],
    ]
    colours = ["#a0aec0" if name in YARDSTICKS else COLOURS[EVENTS] for name in names]
    axis.barh(
        names, whole, color=colours, alpha=0.55, xerr=reach, error_kw={"lw": 0.8}, label="first message"
    )
    axis.barh(names, middle["init_cpu_ms"], color=colours)
    for place, value in enumerate(whole):
        axis.annotate(
            f"{value:.0f}",
            (max(ends[place]), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            fontsize=8,
        )
    bare = statistics.median(turn["cold_cpu_ms"] for turn in rounds[BARE])
    axis.axvline(bare, color="#c05621", lw=0.8, ls="--")
    axis.set_xlabel("CPU milliseconds until the first answer (dark: until the function is ready for it)")
    axis.spines[["top", "right"]].set_visible(False)
    _save(plt, figure, file)


def _pyplot(salt: str) -> Any:
    import matplotlib as mpl  # noqa: PLC0415 -- takes a second to import

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = salt
    from matplotlib import pyplot as plt  # noqa: PLC0415

    return plt


def _save(plt: Any, figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    # matplotlib leaves trailing blanks, which the repository's files do not have.
    text = "\n".join(line.rstrip() for line in file.read_text("utf-8").splitlines())
    file.write_text(text + "\n", "utf-8")


def bursts(results: Results, file: Path) -> None:
    """Draw throughput, time to drain and successes of both designs by size, for the bursts with the slow model."""
    plt = _pyplot("bursts")
    medians = median_bursts(results)
    model = results["model_seconds"]
    sizes = sorted({size for size, seconds, _ in medians if seconds == model})
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    shown = (("per_second", "succeeded per second"), ("drain_seconds", "seconds until all is over"))
    for axis, (name, title) in zip(axes, (*shown, ("once", "succeeded, of all published")), strict=True):
        for index, design in enumerate((EVENTS, DIRECT)):
            heights = [medians.get((size, model, design), {}).get(name, 0.0) for size in sizes]
            if name == "once":
                heights = [height / size for height, size in zip(heights, sizes, strict=True)]
            places = [place + (index - 0.5) * WIDTH for place in range(len(sizes))]
            bars = axis.bar(places, heights, WIDTH, label=design, color=COLOURS[design])
            axis.bar_label(bars, fmt="{:.0%}" if name == "once" else "{:.1f}", fontsize=7)
        axis.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
        axis.set_title(title, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_xlabel("events published at once")
    axes[1].legend(frameon=False, fontsize=8, loc="upper left")
    _save(plt, figure, file)
