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

from harness.records import Comparison
from harness.report.plots.style import (
    FLIP,
    GREY,
    LIGHT,
    MARKERS,
    OKABE_ITO,
    NothingToDrawError,
    colours,
    legend,
    variant_handles,
)
from harness.report.plots.timeline import (
    Reading,
    Spot,
    celsius,
    conditions,
    gigahertz,
    known_by,
    median_us,
    middles,
    relative,
    spots_of,
)
from harness.report.rounds import Why, of_target, reasons
from harness.validity import throttled

MOST_REASONS = 6  # lines of the lowest panel; the table on the page has all
HEIGHTS = {"latency": 2.4, "temperature": 0.85, "clock": 0.85}  # inches; of reasons: REASON_IN a line
REASON_IN, CHARACTERS_IN = 0.36, 15  # a line of the lowest panel is so high; so many characters fit an inch
SHADE = {"flagged": OKABE_ITO[2], "repeated": OKABE_ITO[1], "invalid": FLIP, "failed": OKABE_ITO[0]}
NOT_COUNTED = ("repeated", "invalid", "failed")
SHAPE = {"flagged": "s", "repeated": "D", "invalid": "X", "failed": "v"}


@dataclass(frozen=True)
class Strip:
    """All that is drawn of one target, panel under panel."""

    target: str
    spots: tuple[Spot, ...]
    whys: tuple[Why, ...]

    @property
    def heights(self) -> dict[str, float]:
        """Panel → inches, of those that have something to show."""
        known = {"temperature": celsius, "clock": gigahertz}
        heights = {n: h for n, h in HEIGHTS.items() if n not in known or known_by(self.spots, known[n])}
        return heights | ({"reasons": 0.2 + REASON_IN * len(self.whys)} if self.whys else {})


def over_time(comparison: Comparison, width: float) -> Figure:
    """Each target: rounds' medians in % of their row's own median, then temperature, clock, and what went wrong."""
    strips = [s for t in comparison.run.targets if (s := _strip(comparison, t.target.name)).spots]
    if not any(median_us(s.piece) for strip in strips for s in strip.spots):
        raise NothingToDrawError("No latency was measured in this run.")
    heights = [h for strip in strips for h in strip.heights.values()]
    figure = Figure(figsize=(width, sum(heights) + 0.5 * len(strips) + 0.7), layout="constrained")
    axes = iter(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights).flat)
    for strip in strips:
        _panels(comparison, strip, {name: next(axes) for name in strip.heights}, width)
    legend(figure, _handles(comparison, strips), width)
    return figure


def _strip(comparison: Comparison, target: str) -> Strip:
    whys = [w for w in reasons(comparison) if w.target == target][:MOST_REASONS]
    return Strip(target, tuple(spots_of(of_target(comparison, target))), tuple(whys))


def _panels(comparison: Comparison, strip: Strip, axes: dict[str, Axes], width: float) -> None:
    _latency(axes["latency"], comparison, strip)
    axes["latency"].set_title("\n".join([strip.target, *_wrapped(conditions(strip.spots), width - 0.6)]))
    if "temperature" in axes:
        _sensor(axes["temperature"], strip.spots, celsius, FLIP, "°C")
        _limit(axes["temperature"], strip.spots)
    if "clock" in axes:
        _sensor(axes["clock"], strip.spots, gigahertz, OKABE_ITO[1], "GHz")
    if "reasons" in axes:
        _reasons(axes["reasons"], strip, width)
    for axis in axes.values():
        _frame(axis, strip.spots, last=axis is list(axes.values())[-1])


def _frame(axis: Axes, spots: Sequence[Spot], last: bool) -> None:
    """The same axis of time in every panel of a target, throttled rounds shaded; labels under the last one alone."""
    for spot in spots:
        if any(throttled(spot.piece)):
            axis.axvspan(spot.x, spot.x + spot.width, color=FLIP, alpha=0.16, linewidth=0, zorder=0)
    first, end = min(s.piece.index for s in spots), max(s.piece.index for s in spots) + 1
    step = max(1, round((end - first) / 12))
    axis.set_xlim(first, end)
    axis.set_xticks([n + 0.5 for n in range(first, end, step)], [str(n) for n in range(first, end, step)])
    axis.tick_params(axis="x", length=0, labelbottom=last)
    axis.grid(visible=False, axis="x")
    for n in range(first + 1, end):
        axis.axvline(n, color=LIGHT, linewidth=0.5, zorder=0)
    if last:
        axis.set_xlabel("round, in the order of time")


def _latency(axis: Axes, comparison: Comparison, strip: Strip) -> None:
    """A point a process, its line p10 to p90; the grey step is the median of a round's points."""
    shade, shapes, own = colours(comparison), runtime_markers(comparison), middles(strip.spots)
    drawn = [(s, relative(s.piece, own[s.piece.case])) for s in strip.spots if median_us(s.piece)]
    reach = _reach([p50 for _, (_, p50, _) in drawn])
    for spot, (p10, p50, p90) in drawn:
        colour, x = shade[spot.piece.case.variant], spot.x + spot.width / 2
        axis.plot([x, x], np.clip([p10, p90], -reach, reach), color=colour, linewidth=0.9, alpha=0.3)
        _mark(axis, spot, x, float(np.clip(p50, -reach, reach)), colour, shapes[spot.piece.case.runtime])
    counted = [d for d in drawn if d[0].piece.counts]
    for index, group in groupby(counted, key=lambda d: d[0].piece.index):
        middle = float(np.clip(np.median([p50 for _, (_, p50, _) in group]), -reach, reach))
        axis.plot([index, index + 1], [middle, middle], color=GREY, linewidth=1.6, alpha=0.8, zorder=1.5)
    axis.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    axis.set_ylim(-1.06 * reach, 1.06 * reach)
    axis.set_ylabel("p50, % from row's own")


def _mark(axis: Axes, spot: Spot, x: float, y: float, colour: str, shape: str) -> None:
    """Full where the round is valid, hollow where it is flagged, crossed out where it does not count."""
    valid, crossed = spot.piece.status == "valid", spot.piece.status in NOT_COUNTED
    face = colour if valid else "white"
    axis.plot(x, y, shape, color=colour, markerfacecolor=face, markersize=4.2, markeredgewidth=0.9)
    if crossed:
        axis.plot(x, y, "x", color=FLIP, markersize=7.5, markeredgewidth=1.6)


def _reach(values: Sequence[float]) -> float:
    """How far the axis goes, in %: all but the wildest points are inside, those stand at its edge."""
    distances = np.abs(values)
    return float(max(2.0, min(1.15 * distances.max(), 4 * np.quantile(distances, 0.9))))


def _sensor(axis: Axes, spots: Sequence[Spot], reading: Reading, colour: str, unit: str) -> None:
    x, y = zip(*known_by(spots, reading), strict=True)
    axis.plot(x, y, "-", color=colour, linewidth=1.1)
    axis.margins(y=0.18)
    axis.locator_params(axis="y", nbins=4)
    axis.set_ylabel(unit)


def _limit(axis: Axes, spots: Sequence[Spot]) -> None:
    """The temperature that a round should start at."""
    limits = {s.piece.start_temperature_c for s in spots if s.piece.start_temperature_c is not None}
    low, high = axis.get_ylim()
    for limit in limits:
        if low - 10 <= limit <= high + 10:
            axis.axhline(limit, color=GREY, linewidth=0.9, linestyle="--")


def _reasons(axis: Axes, strip: Strip, width: float) -> None:
    """A line a reason: its words, and under them a mark at every round that it holds for."""
    at = {id(s.piece): s.x + s.width / 2 for s in strip.spots}
    for y, why in enumerate(strip.whys):
        x = [at[id(piece)] for piece in why.rounds]
        axis.plot(x, [y + 0.3] * len(x), SHAPE[why.status], color=SHADE[why.status], markersize=4.5)
        text = textwrap.shorten(f"{why.status}: {why.text}", round((width - 0.8) * CHARACTERS_IN), placeholder=" …")
        axis.text(
            0.008, y - 0.12, text.replace("$", r"\$"), transform=axis.get_yaxis_transform(), fontsize=8, va="center"
        )
    axis.set_ylim(len(strip.whys) - 0.35, -0.55)
    axis.set_yticks([])
    axis.grid(visible=False, axis="y")


def _wrapped(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, round(width * CHARACTERS_IN * 0.86))


def runtime_markers(comparison: Comparison) -> dict[str, str]:
    names = sorted({c.runtime for c in comparison.run.cases})
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(names)}


def _handles(comparison: Comparison, strips: Sequence[Strip]) -> list[Line2D]:
    seen = {s.piece.case.variant for strip in strips for s in strip.spots}
    statuses = {s.piece.status for strip in strips for s in strip.spots}
    handles = variant_handles(comparison, {v.name: v.name for v in comparison.run.variants if v.name in seen})
    handles += [
        Line2D([], [], color=GREY, marker=marker, linestyle="", markerfacecolor="none", label=name)
        for name, marker in runtime_markers(comparison).items()
    ]
    handles.append(Line2D([], [], color=GREY, linewidth=1.6, label="median of the round"))
    if "flagged" in statuses:
        label = "hollow: flagged"
        handles.append(Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label=label))
    if statuses & set(NOT_COUNTED):
        handles.append(Line2D([], [], color=FLIP, marker="x", linestyle="", label="crossed: not counted"))
    return handles
