"""The rounds in the order of time: did the device stay the same while it was measured?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf

import numpy as np

from harness.measure.validity import throttled
from harness.records import Comparison
from harness.records.names import row_name
from harness.report.charts.chart import Axis, Box, Boxes, Chart, Curve, Dot, Dots, Key, Mark, Panel, Strokes, Words
from harness.report.material import Material
from harness.report.plots.drawing import Plot
from harness.report.plots.style import (
    BLUE,
    FLIP,
    GREY,
    LIGHT,
    ORANGE,
    NothingToDrawError,
    colours,
    runtime_keys,
    runtime_shapes,
    variant_keys,
)
from harness.report.plots.timeline import (
    PlottedRound,
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
from harness.support.format import MICROSECONDS, decimals, signed

MOST_REASONS = 6  # lines of the lowest panel; the table on the page has all
MOST_ROUNDS = 12  # numbers under the axis
HEIGHTS = {"latency": 190.0, "sensor": 62.0, "reason": 34.0}  # px; of reasons: a line
SHADE = {"flagged": ORANGE, "repeated": BLUE, "invalid": FLIP, "failed": "c0"}
NOT_COUNTED = ("repeated", "invalid", "failed")
SHAPE = {"flagged": "square", "repeated": "diamond", "invalid": "cross", "failed": "down"}


@dataclass(frozen=True)
class TargetRounds:
    """What is drawn for one target, panel under panel."""

    target: str
    points: tuple[PlottedRound, ...]
    reasons: tuple[RoundReason, ...]


def over_time(material: Material) -> Chart:
    """Draw each target: rounds' medians in % of their row's median, then temperature, clock, and what went wrong."""
    comparison = material.comparison
    parts = [s for t in comparison.run.targets if (s := rounds_of(comparison, t.target.name)).points]
    if not any(median_us(s.piece) for part in parts for s in part.points):
        raise NothingToDrawError("No latency was measured in this run.")
    return Chart(
        tuple(panel for part in parts for panel in target_panels(comparison, part)), keys_of(comparison, parts)
    )


def rounds_of(comparison: Comparison, target: str) -> TargetRounds:
    shown = [reason for reason in reasons(comparison) if reason.target == target][:MOST_REASONS]
    return TargetRounds(target, tuple(plotted(of_target(comparison, target))), tuple(shown))


def target_panels(comparison: Comparison, part: TargetRounds) -> Iterator[Panel]:
    """Give every panel of a target the same axis of time, throttled rounds shaded; the last one has its labels."""
    *upper, last = bare_panels(comparison, part)
    axis, behind = time_axis(part.points), time_marks(part.points)
    for panel in upper:
        bare = replace(axis, labelled=False, title="")
        yield replace(panel, x=bare, marks=[*behind, *panel.marks], target=part.target)
    yield replace(last, x=axis, marks=[*behind, *last.marks], target=part.target)


def bare_panels(comparison: Comparison, part: TargetRounds) -> Iterator[Panel]:
    """Make the panels that have something to show, without their axis of time."""
    yield latency_panel(comparison, part)
    if readings := known_by(part.points, celsius):
        yield sensor_panel(readings, "°C", FLIP, [*start_limits(part.points, readings)])
    if readings := known_by(part.points, gigahertz):
        yield sensor_panel(readings, "GHz", BLUE, [])
    if part.reasons:
        yield reasons_panel(part)


def time_axis(points: Sequence[PlottedRound]) -> Axis:
    first, end = ends_of(points)
    numbers = range(first, end, max(1, round((end - first) / MOST_ROUNDS)))
    ticks = tuple((n + 0.5, str(n)) for n in numbers)
    return Axis("round, in the order of time", limits=(first, end), ticks=ticks, gridded=False)


def ends_of(points: Sequence[PlottedRound]) -> tuple[int, int]:
    return min(s.piece.index for s in points), max(s.piece.index for s in points) + 1


def time_marks(points: Sequence[PlottedRound]) -> list[Mark]:
    """Draw a line between rounds, and a band where the device throttled."""
    bands = [Box((s.x, s.x + s.width), (-inf, inf), opacity=0.16) for s in points if any(throttled(s.piece))]
    first, end = ends_of(points)
    lines = Strokes([(n, -inf, n, inf) for n in range(first + 1, end)], LIGHT, 0.6)
    return [lines, *([Boxes(bands, FLIP)] if bands else [])]


def latency_panel(comparison: Comparison, part: TargetRounds) -> Panel:
    """Draw a point a process, its line p10 to p90; the grey step is the median of a round's points."""
    own = middles(part.points)
    drawn = [(s, relative(s.piece, own[s.piece.case])) for s in part.points if median_us(s.piece)]
    reach = reach_of([p50 for _, (_, p50, _) in drawn])
    marks = [*spread_marks(comparison, drawn), *round_steps(drawn), Strokes([(-inf, 0, inf, 0)], GREY, 0.9, dash=2)]
    marks += [mark for point, (_, p50, _) in drawn for mark in process_marks(comparison, point, p50)]
    axis = Axis("p50, % from row's own", limits=(-1.06 * reach, 1.06 * reach))
    return Panel(marks, None, axis, part.target, conditions(part.points), HEIGHTS["latency"])


Drawn = Sequence[tuple[PlottedRound, tuple[float, float, float]]]


def spread_marks(comparison: Comparison, drawn: Drawn) -> Iterator[Mark]:
    """Draw the lines from p10 to p90, those of one variant together."""
    for variant, colour in colours(comparison).items():
        own = [(s.x + s.width / 2, p10, p90) for s, (p10, _, p90) in drawn if s.piece.case.variant == variant]
        if own:
            yield Strokes([(x, p10, x, p90) for x, p10, p90 in own], colour, 1, opacity=0.35)


def round_steps(drawn: Drawn) -> Iterator[Mark]:
    counted = [d for d in drawn if d[0].piece.counts]
    for index, group in groupby(counted, key=lambda d: d[0].piece.index):
        middle = float(np.median([p50 for _, (_, p50, _) in group]))
        told = f"round {index}: median {signed(decimals(middle, 2))} %"
        yield Curve((index, index + 1), (middle, middle), GREY, told, width=2)


def process_marks(comparison: Comparison, point: PlottedRound, p50: float) -> Iterator[Mark]:
    """Draw a mark: full where the round is valid, hollow where it is flagged, crossed out where it does not count."""
    piece, x = point.piece, point.x + point.width / 2
    colour, shape = colours(comparison)[piece.case.variant], runtime_shapes(comparison)[piece.case.runtime]
    told = f"{row_name(piece.case)}, round {piece.index}: p50 {MICROSECONDS.with_unit(median_us(piece))}"
    told += f", {signed(decimals(p50, 2))} %; {piece.status}"
    yield Dots([Dot(x, p50, told, 3)], colour, shape, hollow=piece.status != "valid")
    if piece.status in NOT_COUNTED:
        yield Dots([Dot(x, p50, told, 4.4)], FLIP, "cross")


def reach_of(values: Sequence[float]) -> float:
    """Choose how far the axis goes, in %: extreme points are drawn at its edge."""
    distances = np.abs(values)
    return float(max(2.0, min(1.15 * distances.max(), 4 * np.quantile(distances, 0.9))))


def sensor_panel(readings: Sequence[tuple[float, float]], unit: str, colour: str, marks: Sequence[Mark]) -> Panel:
    x, y = zip(*readings, strict=True)
    told = f"{decimals(min(y), 2)} to {decimals(max(y), 2)} {unit}"
    return Panel(
        [Curve(x, y, colour, told, width=1.3), *marks], None, Axis(unit, margin=0.18), height=HEIGHTS["sensor"]
    )


def start_limits(points: Sequence[PlottedRound], readings: Sequence[tuple[float, float]]) -> Iterator[Mark]:
    """Draw the temperature that a round should start at, where it is near to those that were read."""
    low, high = min(y for _, y in readings), max(y for _, y in readings)
    for limit in {s.piece.start_temperature_c for s in points if s.piece.start_temperature_c is not None}:
        if low - 10 <= limit <= high + 10:
            yield Strokes([(-inf, limit, inf, limit)], GREY, 1, dash=1)


def reasons_panel(part: TargetRounds) -> Panel:
    """Write a line a reason: its words, and under them a mark at every round concerned."""
    at = {id(s.piece): s.x + s.width / 2 for s in part.points}
    first, _ = ends_of(part.points)
    marks: list[Mark] = []
    for y, reason in enumerate(part.reasons):
        dots = [
            Dot(at[id(piece)], y + 0.3, f"{row_name(piece.case)}, round {piece.index}", 3.4) for piece in reason.rounds
        ]
        marks += [Dots(dots, SHADE[reason.status], SHAPE[reason.status])]
        marks += [Words(first, y - 0.15, f"{reason.status}: {reason.text}")]
    axis = Axis(limits=(len(part.reasons) - 0.35, -0.55), ticks=())
    return Panel(marks, None, axis, height=8 + HEIGHTS["reason"] * len(part.reasons))


def keys_of(comparison: Comparison, parts: Sequence[TargetRounds]) -> tuple[Key, ...]:
    seen = {s.piece.case.variant for part in parts for s in part.points}
    statuses = {s.piece.status for part in parts for s in part.points}
    keys = variant_keys(comparison, {v.name: v.name for v in comparison.run.variants if v.name in seen})
    keys += runtime_keys(comparison, {s.piece.case.runtime for part in parts for s in part.points})
    keys.append(Key("median of the round", GREY))
    if "flagged" in statuses:
        keys.append(Key("hollow: flagged", GREY, "circle", hollow=True))
    if statuses & set(NOT_COUNTED):
        keys.append(Key("crossed: not counted", FLIP, "cross"))
    return tuple(keys)


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
