"""How long an invoke takes, and how long it takes until the first."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.compare.rows import Row
from harness.records import Case, Comparison
from harness.report.material import Material
from harness.report.plots.drawing import Plot
from harness.report.plots.style import (
    GREY,
    MARKERS,
    OKABE_ITO,
    NothingToDrawError,
    colours,
    grid,
    legend,
    log_ticks,
    place_name,
    places,
)


def latencies(material: Material, width: float) -> Figure:
    """Draw a panel for each target × runtime × threads: invokes as a box, each round's median as a tick; µs, log."""
    comparison = material.comparison
    series = rounds_us(comparison)
    if not series:
        raise NothingToDrawError("No latency was measured in this run.")
    spots = places(list(series))
    names = [v.name for v in comparison.run.variants if any(c.variant == v.name for c in series)]
    high, most = 0.75 + 0.31 * len(names), 2 if width > 5 else 1
    figure, axes = grid(len(spots), width, high, most, sharex=True, sharey=True)
    for axis, spot in zip(axes, spots, strict=True):
        own = {c.variant: s for c, s in series.items() if (c.target, c.runtime, c.threads) == spot}
        boxes(axis, comparison, names, own)
        axis.set_title(place_name(comparison, spot))
    log_ticks(axes[0].xaxis, axes[0].get_xlim(), most=7 if width > 5 else 5)
    for axis in axes:
        axis.set_xlabel("latency per invoke, µs (log)" if axis.xaxis.get_tick_params().get("labelbottom", True) else "")
    return figure


def rounds_us(comparison: Comparison) -> dict[Case, list[np.ndarray]]:
    """Return the µs per invoke of each case, one array a round that counts."""
    series: dict[Case, list[np.ndarray]] = {}
    for one in comparison.run.rounds:
        timed = one.timed
        if timed is not None and len(timed) and one.counts:
            series.setdefault(one.case, []).append(timed.invokes_ns / 1e3)
    return {s.case: series[s.case] for s in comparison.standings if s.case in series}


def boxes(axis: Axes, comparison: Comparison, names: list[str], series: dict[str, list[np.ndarray]]) -> None:
    shade = colours(comparison)
    for y, name in enumerate(names):
        if name not in series:
            axis.text(
                0.02, y, "not measured", transform=axis.get_yaxis_transform(), va="center", color=GREY, fontsize=8
            )
            continue
        p1, p25, p50, p75, p99 = np.quantile(np.concatenate(series[name]), [0.01, 0.25, 0.5, 0.75, 0.99])
        axis.plot([p1, p99], [y, y], color=shade[name], linewidth=1.2)
        axis.barh(y, p75 - p25, left=p25, height=0.5, color=shade[name], alpha=0.35, edgecolor=shade[name])
        axis.plot([p50, p50], [y - 0.25, y + 0.25], color=shade[name], linewidth=2)
        medians = [float(np.median(s)) for s in series[name]]
        axis.plot(medians, [y + 0.36] * len(medians), "|", color=shade[name], markersize=4, markeredgewidth=0.9)
    axis.set_xscale("log")
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")


def cold_start(material: Material, width: float) -> Figure:
    """Draw load and first invoke in ms: a marker with its limits a target × runtime, at the lowest thread count."""
    comparison = material.comparison
    panels = {"load": "load, ms (log)", "first_invoke": "first invoke, ms (log)"}
    fewest = min((c.threads for c in comparison.run.cases), default=1)
    shown = [r for r in material.rows if r.case.threads == fewest and any(r.value(m) for m in panels)]
    if not shown:
        raise NothingToDrawError("No cold start was measured in this run.")
    names = [v.name for v in comparison.run.variants if any(r.case.variant == v.name for r in shown)]
    spots = places([r.case for r in shown])
    figure, axes = grid(2, width, 0.9 + (0.2 + 0.09 * len(spots)) * len(names), most=2 if width > 5 else 1, sharey=True)
    for axis, (metric, label) in zip(axes, panels.items(), strict=True):
        cold_dots(axis, shown, metric, names, spots)
        axis.set_xlabel(label)
        log_ticks(axis.xaxis, axis.get_xlim(), most=7 if width > 5 else 5)
    legend(figure, [place_handle(comparison, spot, i) for i, spot in enumerate(spots)], width)
    return figure


def cold_dots(axis: Axes, shown: list[Row], metric: str, names: list[str], spots: list[tuple[str, str, int]]) -> None:
    for row in shown:
        value, limits = row.value(metric), row.interval(metric)
        place = spots.index((row.case.target, row.case.runtime, row.case.threads))
        y = names.index(row.case.variant) + (place - (len(spots) - 1) / 2) * 0.6 / max(1, len(spots))
        if value:
            colour = place_colour(place)
            axis.plot(value, y, MARKERS[place % len(MARKERS)], color=colour, markersize=5)
            if limits and limits[0] > 0:
                axis.plot(limits, [y, y], color=colour, linewidth=1.1)
    axis.set_xscale("log")
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")


def place_colour(place: int) -> str:
    return OKABE_ITO[1 + place % (len(OKABE_ITO) - 2)]  # neither black nor yellow


def place_handle(comparison: Comparison, spot: tuple[str, str, int], place: int) -> Line2D:
    name = place_name(comparison, spot).replace("\n(emulated: no latency claim)", " (emulated)")
    return Line2D([], [], color=place_colour(place), marker=MARKERS[place % len(MARKERS)], linestyle="", label=name)


LATENCIES = Plot(
    "latency",
    "Latency of one invoke",
    "Every timed invoke after warm-up: box p25 to p75 with the median, line p1 to p99. The ticks under a box are "
    "the medians of the rounds, each in a process of its own; intervals are computed from their spread.",
    latencies,
)
COLD_START = Plot(
    "cold-start",
    "Cold start",
    "Loading the model and the first invoke, each timed once per process: a marker per row, with its limits as a "
    "line where they exist.",
    cold_start,
)
