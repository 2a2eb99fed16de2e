"""How long an invoke takes, and how long it takes until the first."""

from __future__ import annotations

import numpy as np

from harness.compare.rows import Row
from harness.records import Case, Comparison
from harness.records.names import row_name
from harness.report.charts.chart import Axis, Box, Boxes, Chart, Dot, Dots, Key, Mark, Panel, Strokes, Words
from harness.report.charts.lettering import SHAPES
from harness.report.material import Material
from harness.report.plots.drawing import Plot
from harness.report.plots.style import (
    COLOURS,
    NothingToDrawError,
    colours,
    emulated_note,
    lines_of,
    place_name,
    places,
)
from harness.support.format import MICROSECONDS, significant, with_limits

HALF = 0.25  # of a box's height, in lines
TICK = (0.32, 0.42)  # where a round's tick begins and ends, below the middle of its line
FACE = 0.35  # opacity of a box


def latencies(material: Material) -> Chart:
    """Draw a panel for each target × runtime × threads: invokes as a box, each round's median as a tick; µs, log."""
    comparison = material.comparison
    series = rounds_us(comparison)
    if not series:
        raise NothingToDrawError("No latency was measured in this run.")
    names = [v.name for v in comparison.run.variants if any(c.variant == v.name for c in series)]
    panels = []
    for spot in places(list(series)):
        own = {c.variant: s for c, s in series.items() if (c.target, c.runtime, c.threads) == spot}
        x, title = Axis("latency per invoke, µs (log)", log=True), place_name(comparison, spot)
        marks, note = box_marks(comparison, names, own), emulated_note(comparison, spot[0])
        height, (target, runtime, _) = 10 + 30 * len(names), spot
        panels.append(Panel(marks, x, lines_of(names), title, note, height, target=target, runtime=runtime))
    return Chart(tuple(panels), (), (2, 1), "xy")


def rounds_us(comparison: Comparison) -> dict[Case, list[np.ndarray]]:
    """Return the µs per invoke of each case, one array a round that counts."""
    series: dict[Case, list[np.ndarray]] = {}
    for one in comparison.run.rounds:
        timed = one.timed
        if timed is not None and len(timed) and one.counts:
            series.setdefault(one.case, []).append(timed.invokes_ns / 1e3)
    return {s.case: series[s.case] for s in comparison.standings if s.case in series}


def box_marks(comparison: Comparison, names: list[str], series: dict[str, list[np.ndarray]]) -> list[Mark]:
    """Draw each variant's box in its line, or say that it was not measured there."""
    shade, found = colours(comparison), list[Mark]()
    for y, name in enumerate(names):
        found += one_box(y, name, series[name], shade[name]) if name in series else [Words(0, y, "not measured")]
    return found


def one_box(y: int, name: str, rounds: list[np.ndarray], colour: str) -> list[Mark]:
    p1, p25, p50, p75, p99 = np.quantile(np.concatenate(rounds), [0.01, 0.25, 0.5, 0.75, 0.99]).tolist()
    medians = [float(np.median(one)) for one in rounds]
    told = f"{name}: p50 {MICROSECONDS.with_unit(p50)}, half of all within {significant(p25)} to {significant(p75)}"
    box = Box((p25, p75), (y - HALF, y + HALF), f"{told}, p1 {significant(p1)}, p99 {significant(p99)}", FACE)
    return [
        Strokes([(p1, y, p99, y)], colour, 1.3),
        Boxes([box], colour, edged=True),
        Strokes([(p50, y - HALF, p50, y + HALF)], colour, 2.2),
        Strokes([(us, y + TICK[0], us, y + TICK[1]) for us in medians], colour, 1),
    ]


def cold_start(material: Material) -> Chart:
    """Draw load and first invoke in ms: a marker with its limits a target × runtime, at the lowest thread count."""
    comparison = material.comparison
    panels = {"load": "load, ms (log)", "first_invoke": "first invoke, ms (log)"}
    fewest = min((c.threads for c in comparison.run.cases), default=1)
    shown = [r for r in material.rows if r.case.threads == fewest and any(r.value(m) for m in panels)]
    if not shown:
        raise NothingToDrawError("No cold start was measured in this run.")
    names = [v.name for v in comparison.run.variants if any(r.case.variant == v.name for r in shown)]
    spots = places([r.case for r in shown])
    height = (18 + 8 * len(spots)) * len(names)
    drawn = [
        Panel(cold_marks(shown, metric, names, spots), Axis(title, log=True), lines_of(names), height=height)
        for metric, title in panels.items()
    ]
    return Chart(tuple(drawn), tuple(place_key(comparison, spot, n) for n, spot in enumerate(spots)), (2, 1), "y")


def cold_marks(shown: list[Row], metric: str, names: list[str], spots: list[tuple[str, str, int]]) -> list[Mark]:
    marks: list[Mark] = []
    for row in shown:
        value, limits = row.value(metric), row.interval(metric)
        place = spots.index((row.case.target, row.case.runtime, row.case.threads))
        y = names.index(row.case.variant) + (place - (len(spots) - 1) / 2) * 0.6 / max(1, len(spots))
        if value and limits and limits[0] > 0:
            marks.append(Strokes([(limits[0], y, limits[1], y)], place_colour(place), 1.2))
        if value:
            dot = Dot(value, y, f"{row_name(row.case)}: {cold_told(value, limits)}", 4)
            marks.append(Dots([dot], place_colour(place), place_shape(place)))
    return marks


def cold_told(value: float, limits: tuple[float, float] | None) -> str:
    text, *ends = with_limits(lambda v, more=0: significant(v, 3 + more), value, *(limits or (None, None)))
    return f"{text} ms ({ends[0]} to {ends[1]})" if limits else f"{text} ms"


def place_colour(place: int) -> str:
    return COLOURS[1 + place % (len(COLOURS) - 2)]  # neither black nor yellow


def place_shape(place: int) -> str:
    return SHAPES[place % len(SHAPES)]


def place_key(comparison: Comparison, spot: tuple[str, str, int], place: int) -> Key:
    emulated = " (emulated)" if comparison.run.target(spot[0]).emulated else ""
    return Key(place_name(comparison, spot) + emulated, place_colour(place), place_shape(place))


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
