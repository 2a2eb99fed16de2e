"""The figures: each a function of the material and a width. To add one, add its line to FIGURES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

from harness.metrics.task import OF_CLASSES
from harness.records import Comparison
from harness.records.terms import TASKS
from harness.report.material import Material
from harness.report.plots.discrepancy_plots import class_drops, differences, distances, margins
from harness.report.plots.latency_plots import cold_start, latencies
from harness.report.plots.over_time import over_time
from harness.report.plots.style import NARROW_IN, RC, WIDE_IN, NothingToDrawError, first_cases, png
from harness.report.plots.timeline import note
from harness.report.plots.tradeoff import left_out, pareto


@dataclass(frozen=True)
class Drawing:
    """One figure: PNG bytes for a page and for a phone, or why there is none. method says how it is made."""

    name: str
    title: str
    method: str
    wide: bytes = b""
    narrow: bytes = b""
    absent: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}.png"


@dataclass(frozen=True)
class Kind:
    """title: its {} becomes the metric that the run is judged by first. note: what is added to the method."""

    title: str
    method: str
    draw: Callable[[Material, float], Figure]
    note: Callable[[Comparison], str] = lambda comparison: ""
    tasks: tuple[str, ...] = TASKS  # those that it is drawn for


def _shown_once(comparison: Comparison) -> str:
    """Which row represents each variant in figures of single samples."""
    where: dict[str, list[str]] = {}
    for case in first_cases(comparison):
        where.setdefault(f"{case.runtime} on {case.target}", []).append(case.variant)
    if len(where) == 1:
        return f" Drawn from {next(iter(where))}."
    return " Drawn from " + "; ".join(f"{place} for {', '.join(names)}" for place, names in where.items()) + "."


OF_NUMBERS = tuple(task for task in TASKS if task not in OF_CLASSES)
FIGURES = {
    "pareto": Kind(
        "{}, latency and size",
        "The quality of the answers, with the 90 % limits of their change from Keras', against the p50 over all timed "
        "invokes, at the lowest thread count. Area is proportional to the file's size, shape shows the runtime; the "
        "line joins the rows that no other row beats in both.",
        pareto,
        left_out,
    ),
    "latency": Kind(
        "Latency of one invoke",
        "Every timed invoke after warm-up: box p25 to p75 with the median, line p1 to p99. The ticks under a box are "
        "the medians of the rounds, each in a process of its own; intervals are computed from their spread.",
        latencies,
    ),
    "over-time": Kind(
        "Latency over time",
        "A point is the median of one process, in % from the median of its own row's rounds, with a line from its p10 "
        "to its p90; points beyond the axis are drawn at its edge. Temperature and clock are read before and after a "
        "process, never during it; the dashed line is the temperature to start at. Shaded: the device throttled or had "
        "too little power. Below: each reason why a round is not valid, with a mark at each round concerned.",
        over_time,
        note,
    ),
    "cold-start": Kind(
        "Cold start",
        "Loading the model and the first invoke, each timed once per process: a marker per row, with its limits as a "
        "line where they exist.",
        cold_start,
    ),
    "margin": Kind(
        "Which answers could flip, and which did",
        "One point per test sample, at most 10,000 of either kind. Above the line (margin < 2·max |Δ|) the scores "
        "moved far enough for a flip to be possible; values of exactly 0 are drawn at the lower edge.",
        margins,
        _shown_once,
        OF_CLASSES,
    ),
    "differences": Kind(
        "Each number against Keras'",
        "One point per test sample, at most 10,000: the variant's output less Keras', against Keras' output.",
        differences,
        _shown_once,
        OF_NUMBERS,
    ),
    "ecdf": Kind(
        "How far the outputs moved",
        "Share of test samples whose distance from Keras is at most x; curves further left are closer.",
        distances,
        _shown_once,
    ),
    "classes": Kind(
        "Drop per class",
        "Accuracy of Keras less the variant's within each class; the line is the two-sided 90 % Tango interval, not "
        "corrected for multiple classes.",
        class_drops,
        _shown_once,
        ("classification",),
    ),
}


def draw_all(material: Material) -> tuple[Drawing, ...]:
    """Every figure of the run's task, for a page and for a phone; those without data say so."""
    return tuple(_drawn(name, kind, material) for name, kind in _fitting(material).items())


def figures(material: Material) -> tuple[dict[str, Figure], dict[str, str]]:
    """Every figure of the run's task by its name, for a page; and for those without data why there is none."""
    found: dict[str, Figure] = {}
    absent: dict[str, str] = {}
    for name, kind in _fitting(material).items():
        try:
            with mpl.rc_context(RC):
                found[name] = kind.draw(material, WIDE_IN)
        except NothingToDrawError as nothing:
            absent[name] = str(nothing)
    return found, absent


def _fitting(material: Material) -> dict[str, Kind]:
    return {name: kind for name, kind in FIGURES.items() if material.comparison.run.task in kind.tasks}


def _drawn(name: str, kind: Kind, material: Material) -> Drawing:
    title = kind.title.format(material.primary.title)
    try:
        with mpl.rc_context(RC):
            wide, narrow = (png(kind.draw(material, width)) for width in (WIDE_IN, NARROW_IN))
    except NothingToDrawError as nothing:
        return Drawing(name, title, kind.method, absent=str(nothing))
    return Drawing(name, title, kind.method + kind.note(material.comparison), wide, narrow)
