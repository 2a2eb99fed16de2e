"""The rounds in the order of time: did the device stay the same while it was measured?"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.measure.validity import throttled
from harness.records import Comparison
from harness.report.material import Material
from harness.report.plots.drawing import Plot
from harness.report.plots.style import (
    FLIP,
    GREY,
    LIGHT,
    OKABE_ITO,
    NothingToDrawError,
    colours,
    in_figure,
    legend,
    runtime_handles,
    runtime_markers,
    variant_handles,
)
from harness.report.plots.timeline import (
    PlottedRound,
    Reading,
    celsius,
    conditions,
    gigahertz,
    known_by,
    median_us,
    middles,
    note,
    plotted,
    relative,
)
from harness.report.words.round_quality import RoundReason, of_target, reasons

MOST_REASONS = 6  # lines of the lowest panel; the table on the page has all
HEIGHTS = {"latency": 2.4, "temperature": 0.85, "clock": 0.85}  # inches; of reasons: REASON_IN a line
REASON_IN, CHARACTERS_IN = 0.36, 15  # height of a line of the lowest panel; characters that fit an inch
SHADE = {"flagged": OKABE_ITO[2], "repeated": OKABE_ITO[1], "invalid": FLIP, "failed": OKABE_ITO[0]}
NOT_COUNTED = ("repeated", "invalid", "failed")
SHAPE = {"flagged": "s", "repeated": "D", "invalid": "X", "failed": "v"}


@dataclass(frozen=True)
class TargetPanels:
    """What is drawn for one target, panel under panel."""

    target: str
    points: tuple[PlottedRound, ...]
    reasons: tuple[RoundReason, ...]

    @property
    def heights(self) -> dict[str, float]:
        """Panel → inches, of those that have something to show."""
        sensors = {"temperature": celsius, "clock": gigahertz}
        heights = {n: h for n, h in HEIGHTS.items() if n not in sensors or known_by(self.points, sensors[n])}
        return heights | ({"reasons": 0.2 + REASON_IN * len(self.reasons)} if self.reasons else {})


def over_time(material: Material, width: float) -> Figure:
    """Draw each target: rounds' medians in % of their row's median, then temperature, clock, and what went wrong."""
    comparison = material.comparison
    parts = [s for t in comparison.run.targets if (s := panels_of(comparison, t.target.name)).points]
    if not any(median_us(s.piece) for part in parts for s in part.points):
        raise NothingToDrawError("No latency was measured in this run.")
    heights = [h for part in parts for h in part.heights.values()]
    figure = Figure(figsize=(width, sum(heights) + 0.5 * len(parts) + 0.7), layout="constrained")
    axes = iter(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights).flat)
    for part in parts:
        draw_target(comparison, part, {name: next(axes) for name in part.heights}, width)
    legend(figure, handles_of(comparison, parts), width)
    return figure


def panels_of(comparison: Comparison, target: str) -> TargetPanels:
    shown = [reason for reason in reasons(comparison) if reason.target == target][:MOST_REASONS]
    return TargetPanels(target, tuple(plotted(of_target(comparison, target))), tuple(shown))


def draw_target(comparison: Comparison, part: TargetPanels, axes: dict[str, Axes], width: float) -> None:
    draw_latency(axes["latency"], comparison, part)
    axes["latency"].set_title("\n".join([part.target, *wrapped(conditions(part.points), width - 0.6)]))
    if "temperature" in axes:
        draw_sensor(axes["temperature"], part.points, celsius, FLIP, "°C")
        draw_start_limit(axes["temperature"], part.points)
    if "clock" in axes:
        draw_sensor(axes["clock"], part.points, gigahertz, OKABE_ITO[1], "GHz")
    if "reasons" in axes:
        draw_reasons(axes["reasons"], part, width)
    for axis in axes.values():
        draw_frame(axis, part.points, last=axis is list(axes.values())[-1])


def draw_frame(axis: Axes, points: Sequence[PlottedRound], last: bool) -> None:
    """Draw the same axis of time in every panel of a target, throttled rounds shaded, labels under the last one."""
    for point in points:
        if any(throttled(point.piece)):
            axis.axvspan(point.x, point.x + point.width, color=FLIP, alpha=0.16, linewidth=0, zorder=0)
    first, end = min(s.piece.index for s in points), max(s.piece.index for s in points) + 1
    step = max(1, round((end - first) / 12))
    axis.set_xlim(first, end)
    axis.set_xticks([n + 0.5 for n in range(first, end, step)], [str(n) for n in range(first, end, step)])
    axis.tick_params(axis="x", length=0, labelbottom=last)
    axis.grid(visible=False, axis="x")
    for n in range(first + 1, end):
        axis.axvline(n, color=LIGHT, linewidth=0.5, zorder=0)
    if last:
        axis.set_xlabel("round, in the order of time")


def draw_latency(axis: Axes, comparison: Comparison, part: TargetPanels) -> None:
    """Draw a point a process, its line p10 to p90; the grey step is the median of a round's points."""
    shade, shapes, own = colours(comparison), runtime_markers(comparison), middles(part.points)
    drawn = [(s, relative(s.piece, own[s.piece.case])) for s in part.points if median_us(s.piece)]
    reach = reach_of([p50 for _, (_, p50, _) in drawn])
    for point, (p10, p50, p90) in drawn:
        colour, x = shade[point.piece.case.variant], point.x + point.width / 2
        axis.plot([x, x], np.clip([p10, p90], -reach, reach), color=colour, linewidth=0.9, alpha=0.3)
        draw_mark(axis, point, x, float(np.clip(p50, -reach, reach)), colour, shapes[point.piece.case.runtime])
    counted = [d for d in drawn if d[0].piece.counts]
    for index, group in groupby(counted, key=lambda d: d[0].piece.index):
        middle = float(np.clip(np.median([p50 for _, (_, p50, _) in group]), -reach, reach))
        axis.plot([index, index + 1], [middle, middle], color=GREY, linewidth=1.6, alpha=0.8, zorder=1.5)
    axis.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    axis.set_ylim(-1.06 * reach, 1.06 * reach)
    axis.set_ylabel("p50, % from row's own")


def draw_mark(axis: Axes, point: PlottedRound, x: float, y: float, colour: str, shape: str) -> None:
    """Draw a mark: full where the round is valid, hollow where it is flagged, crossed out where it does not count."""
    valid, crossed = point.piece.status == "valid", point.piece.status in NOT_COUNTED
    face = colour if valid else "white"
    axis.plot(x, y, shape, color=colour, markerfacecolor=face, markersize=4.2, markeredgewidth=0.9)
    if crossed:
        axis.plot(x, y, "x", color=FLIP, markersize=7.5, markeredgewidth=1.6)


def reach_of(values: Sequence[float]) -> float:
    """Choose how far the axis goes, in %: extreme points are drawn at its edge."""
    distances = np.abs(values)
    return float(max(2.0, min(1.15 * distances.max(), 4 * np.quantile(distances, 0.9))))


def draw_sensor(axis: Axes, points: Sequence[PlottedRound], reading: Reading, colour: str, unit: str) -> None:
    x, y = zip(*known_by(points, reading), strict=True)
    axis.plot(x, y, "-", color=colour, linewidth=1.1)
    axis.margins(y=0.18)
    axis.locator_params(axis="y", nbins=4)
    axis.set_ylabel(unit)


def draw_start_limit(axis: Axes, points: Sequence[PlottedRound]) -> None:
    """Draw the temperature that a round should start at."""
    limits = {s.piece.start_temperature_c for s in points if s.piece.start_temperature_c is not None}
    low, high = axis.get_ylim()
    for limit in limits:
        if low - 10 <= limit <= high + 10:
            axis.axhline(limit, color=GREY, linewidth=0.9, linestyle="--")


def draw_reasons(axis: Axes, part: TargetPanels, width: float) -> None:
    """Write a line a reason: its words, and under them a mark at every round concerned."""
    at = {id(s.piece): s.x + s.width / 2 for s in part.points}
    for y, reason in enumerate(part.reasons):
        x = [at[id(piece)] for piece in reason.rounds]
        axis.plot(x, [y + 0.3] * len(x), SHAPE[reason.status], color=SHADE[reason.status], markersize=4.5)
        room = round((width - 0.8) * CHARACTERS_IN)
        text = textwrap.shorten(f"{reason.status}: {reason.text}", room, placeholder=" …")
        axis.text(0.008, y - 0.12, in_figure(text), transform=axis.get_yaxis_transform(), fontsize=8, va="center")
    axis.set_ylim(len(part.reasons) - 0.35, -0.55)
    axis.set_yticks([])
    axis.grid(visible=False, axis="y")


def wrapped(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, round(width * CHARACTERS_IN * 0.86))


def handles_of(comparison: Comparison, parts: Sequence[TargetPanels]) -> list[Line2D]:
    seen = {s.piece.case.variant for part in parts for s in part.points}
    statuses = {s.piece.status for part in parts for s in part.points}
    handles = variant_handles(comparison, {v.name: v.name for v in comparison.run.variants if v.name in seen})
    handles += runtime_handles(comparison, {s.piece.case.runtime for part in parts for s in part.points})
    handles.append(Line2D([], [], color=GREY, linewidth=1.6, label="median of the round"))
    if "flagged" in statuses:
        label = "hollow: flagged"
        handles.append(Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label=label))
    if statuses & set(NOT_COUNTED):
        handles.append(Line2D([], [], color=FLIP, marker="x", linestyle="", label="crossed: not counted"))
    return handles


OVER_TIME = Plot(
    "over-time",
    "Latency over time",
    "A point is the median of one process, in % from the median of its own row's rounds, with a line from its p10 "
    "to its p90; points beyond the axis are drawn at its edge. Temperature and clock are read before and after a "
    "process, never during it; the dashed line is the temperature to start at. Shaded: the device throttled or had "
    "too little power. Below: each reason why a round is not valid, with a mark at each round concerned.",
    over_time,
    note,
)
