"""The plots of docs/scale.md. The same input gives the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from scale.ceilings import ceilings
from scale.quotas import US_EAST_1
from scale.results import Outcome, Result
from scale.scenarios import RATES
from scale.shape import shape

BLUE, RED, GREY, GREEN = "#1f5fa8", "#b3261e", "#6b7280", "#2e7d32"
STYLE: Final[Any] = {
    "svg.hashsalt": "scale",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
}


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")


def draw_ceilings(file: Path) -> None:
    """Draw the highest rate that each quota, and each cap of the project, would permit if it were the only limit."""
    limits = sorted(ceilings(shape(), US_EAST_1).items(), key=lambda item: -item[1])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.5, 4.8), layout="constrained")
        axes = figure.subplots()
        values = [value for _, value in limits]
        colours = [RED if value < RATES[0] else BLUE if value < RATES[2] else GREEN for value in values]
        axes.barh(range(len(limits)), values, color=colours, height=0.65)
        axes.set_yticks(range(len(limits)), [name for name, _ in limits])
        for place, value in enumerate(values):
            axes.text(value * 1.06, place, f"{value:,.0f}", va="center", fontsize=10, backgroundcolor="white")
        for rate in RATES:
            axes.axvline(rate, color=GREY, linewidth=1, linestyle="--", zorder=0)
        axes.set_xscale("log")
        axes.set_xticks(RATES, [f"{rate:,}" for rate in RATES])
        axes.set_xlim(30, 30_000)
        axes.set_ylim(-0.6, len(limits) - 0.4)
        axes.set_xlabel("requests a second that this quota or cap alone lets through (logarithmic)")
        axes.set_title("Default quotas, prod as deployed: the model's tokens bind first", pad=12)
        axes.tick_params(axis="y", length=0)
        _save(figure, file)


def draw_loads(results: Sequence[Result], file: Path) -> None:
    """Draw the outcomes of requests by the minute of their arrival, in a panel for each rate."""
    kinds = (
        ("answered", (Outcome.SUCCEEDED, Outcome.DEGRADED), BLUE),
        ("failed", (Outcome.FAILED, Outcome.PARKED), RED),
        ("refused", (Outcome.REFUSED,), "#c7cbd1"),
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.5, 3.4), layout="constrained")
        panels = figure.subplots(1, len(results))
        for axes, result in zip(panels, results, strict=True):
            minutes = range(10)
            bottom = [0.0] * 10
            for label, outcomes, colour in kinds:
                heights = [
                    sum(e.outcome in outcomes and e.at // 60 == minute for e in result.ended)
                    * result.many
                    / 60
                    for minute in minutes
                ]
                axes.bar([m + 0.5 for m in minutes], heights, 0.85, bottom=bottom, color=colour, label=label)
                bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
            axes.set_title(f"{result.scenario.rate:,.0f} requests/s")
            axes.set_xlabel("minute of arrival")
            axes.set_xticks([0, 5, 10])
            axes.yaxis.set_major_formatter("{x:,.0f}")
        panels[0].set_ylabel("requests a second")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle(
            "Default quotas: what becomes of requests, by when they arrive", x=0.01, ha="left", fontsize=12
        )
        _save(figure, file)


def draw_drain(results: Sequence[Result], file: Path) -> None:
    """Draw how the same burst drains in each scenario, and how many runs fail."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.5, 3.8), layout="constrained")
        axes = figure.subplots()
        for result, colour, side in zip(results, (RED, BLUE), (-1, 1), strict=True):
            times = [sample.at / 60 for sample in result.samples]
            open_runs = [sample.open / 1_000 for sample in result.samples]
            axes.plot(times, open_runs, color=colour, linewidth=2)
            place = len(times) // 2
            failed = result.count(Outcome.FAILED)
            text = f"{result.scenario.name}:\n{f'{failed:,} runs fail' if failed else 'none fails'}"
            axes.annotate(
                text,
                (times[place], open_runs[place]),
                xytext=(side * 14, side * 12),
                textcoords="offset points",
                color=colour,
                ha="left" if side > 0 else "right",
                va="bottom" if side > 0 else "top",
            )
        axes.axvline(16, color=GREY, linewidth=1, linestyle="--")
        axes.text(
            15.9,
            axes.get_ylim()[1],
            "a task times out\nafter 16 min",
            color=GREY,
            va="top",
            ha="right",
            fontsize=10,
        )
        axes.set_xlim(0, 16.5)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes since the first event")
        axes.set_ylabel("runs under way, thousands")
        size = results[0].scenario.burst or 0
        axes.set_title(f"{size:,} events in 50 seconds: with fewer chatbots at a time, no run fails", pad=12)
        _save(figure, file)
