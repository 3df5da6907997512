"""Draws throughput and time to drain of both designs, by size of burst."""

from pathlib import Path

from bench.end_to_end.stage import DIRECT, EVENTS
from bench.end_to_end.tables import Results, median_bursts

COLOURS = {EVENTS: "#2b6cb0", DIRECT: "#c05621"}
WIDTH = 0.38


def plot(results: Results, file: Path) -> None:
    """Writes an SVG. Bursts with the slow model alone: the others measure the engine."""
    import matplotlib as mpl  # noqa: PLC0415 -- takes a second, and is needed here alone

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "bursts"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    found = median_bursts(results)
    model = results["model_seconds"]
    sizes = sorted({size for size, seconds, _ in found if seconds == model})
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
    shown = (("per_second", "succeeded per second"), ("drain_seconds", "seconds until all is over"))
    for axis, (name, title) in zip(axes, (*shown, ("once", "succeeded, of all published")), strict=True):
        for index, design in enumerate((EVENTS, DIRECT)):
            heights = [found.get((size, model, design), {}).get(name, 0.0) for size in sizes]
            if name == "once":
                heights = [height / size for height, size in zip(heights, sizes, strict=True)]
            places = [place + (index - 0.5) * WIDTH for place in range(len(sizes))]
            bars = axis.bar(places, heights, WIDTH, label=design, color=COLOURS[design])
            axis.bar_label(bars, fmt="{:.0%}" if name == "once" else "{:.1f}", fontsize=7)
        axis.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
        axis.set_title(title, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_xlabel("events published at once")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
