"""Sample by sample: how far a variant's scores are from Keras', and where that changed the answer. Each file once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.compare.said_boxes import finds_objects
from harness.metrics.discrepancy import ClassDrop, fields_of
from harness.metrics.discrepancy import class_drops as drops_of
from harness.metrics.task_table import NO_CLASSES, OF_CLASSES
from harness.records import Case, Comparison
from harness.records.names import class_name
from harness.report.material import Material
from harness.report.plots.drawing import Plot
from harness.report.plots.style import (
    FLIP,
    GREY,
    OKABE_ITO,
    NothingToDrawError,
    colours,
    first_cases,
    grid,
    in_figure,
    legend,
    log_ticks,
)

MOST_POINTS = 10_000
MOST_CLASSES = 20  # of more, those with the largest drops
LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), "-.", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))


def margins(material: Material, width: float) -> Figure:
    """Draw one panel a variant: x Keras' margin, y max |Δ|, both log; a flip needs margin ≤ 2·max |Δ|."""
    tables = tables_with(material.comparison, "baseline_margin", "max_abs_diff", "flip")
    figure, axes = grid(len(tables), width, 2.3 if width > 5 else 1.85, most=3, sharex=True, sharey=True)
    x = positive_range([t["baseline_margin"] for t in tables.values()])
    y = positive_range([t["max_abs_diff"] for t in tables.values()])
    for axis, (case, table) in zip(axes, tables.items(), strict=True):
        draw_scatter(axis, table, x, y, labels=5 if width > 5 else 3)
        flips = int(table["flip"].sum())
        axis.set_title(f"{case.variant}: {flips:,} flip{'' if flips == 1 else 's'}")
    figure.supxlabel("Keras' margin, top score − second (log)", fontsize=9)
    figure.supylabel("max |Δ score| (log)", fontsize=9)
    legend(figure, margin_handles(), width, above=True)
    return figure


def tables_with(comparison: Comparison, *fields: str) -> dict[Case, np.ndarray]:
    tables = {c: comparison.samples[c] for c in first_cases(comparison) if c in comparison.samples}
    if not tables or any(field not in fields_of(table) for table in tables.values() for field in fields):
        raise NothingToDrawError("It needs the outputs of every sample; this run has none.")
    return tables


def positive_range(columns: list[np.ndarray]) -> tuple[float, float]:
    """Return the range to draw on a log axis: zeros are drawn at its lower end."""
    values = np.concatenate(columns).astype(np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        raise NothingToDrawError("Every value is exactly 0: nothing differs from Keras.")
    low, high = max(float(values.min()), float(values.max()) * 1e-9), float(values.max())
    return low / 1.5, high * 1.5


def draw_scatter(axis: Axes, table: np.ndarray, x: tuple[float, float], y: tuple[float, float], labels: int) -> None:
    flip = table["flip"]
    margin = np.maximum(table["baseline_margin"], x[0], dtype=np.float64)
    delta = np.maximum(table["max_abs_diff"], y[0], dtype=np.float64)
    same, other = thinned(np.flatnonzero(~flip)), thinned(np.flatnonzero(flip))
    axis.plot(margin[same], delta[same], ".", color=OKABE_ITO[1], alpha=0.25, markersize=3, markeredgewidth=0)
    axis.plot(
        margin[other], delta[other], "X", color=FLIP, markersize=4.5, markeredgecolor="white", markeredgewidth=0.3
    )
    ends = np.array(x)
    axis.plot(ends, ends / 2, color=GREY, linewidth=1)
    axis.set(xscale="log", yscale="log", xlim=x, ylim=y)
    log_ticks(axis.xaxis, ends, labels)
    log_ticks(axis.yaxis, np.array(y), 5)


def thinned(of: np.ndarray) -> np.ndarray:
    """Choose at most MOST_POINTS, evenly spaced, first and last included: more is a blot and takes much memory."""
    return of if len(of) <= MOST_POINTS else of[np.linspace(0, len(of) - 1, MOST_POINTS).astype(int)]


def margin_handles() -> list[Line2D]:
    dot: dict[str, Any] = {"marker": "o", "color": OKABE_ITO[1], "alpha": 0.5, "markersize": 3.5, "linestyle": ""}
    cross: dict[str, Any] = {"marker": "X", "color": FLIP, "markersize": 5, "linestyle": ""}
    return [
        Line2D([], [], **dot, label="same answer as Keras"),
        Line2D([], [], **cross, label="flip"),
        Line2D([], [], color=GREY, linewidth=1, label="margin = 2·max |Δ|"),
    ]


def distances(material: Material, width: float) -> Figure:
    """Draw max |Δ|, and for classes Jensen–Shannon divergence (bits): the share of samples within x (log)."""
    comparison = material.comparison
    panels = {"max_abs_diff": "max |Δ score| (log)", "js_divergence": "Jensen–Shannon divergence, bits (log)"}
    if comparison.run.task not in OF_CLASSES:
        of_boxes = finds_objects(comparison.run)
        panels = {"max_abs_diff": "1 − overlap with Keras' boxes (log)" if of_boxes else "max |Δ output| (log)"}
    tables = tables_with(comparison, *panels)
    figure, axes = grid(len(panels), width, 2.9 if width > 5 else 2.4, most=2 if width > 5 else 1, sharey=True)
    shade, handles = colours(comparison), []
    for axis, (column, label) in zip(axes, panels.items(), strict=True):
        limits = positive_range([t[column] for t in tables.values()])
        handles = [
            draw_ecdf(axis, t[column], limits, shade[c.variant], i, c.variant)
            for i, (c, t) in enumerate(tables.items())
        ]
        axis.set(xscale="log", xlim=limits, ylim=(0, 102), xlabel=label, ylabel="samples, %")
        log_ticks(axis.xaxis, np.array(limits))
    legend(figure, handles, width)
    return figure


def draw_ecdf(axis: Axes, values: np.ndarray, limits: tuple[float, float], colour: str, i: int, name: str) -> Line2D:
    ordered = np.sort(np.maximum(values, limits[0], dtype=np.float64))
    share = 100 * np.arange(1, len(ordered) + 1) / len(ordered)
    x, y = np.append(thinned(ordered), limits[1]), np.append(thinned(share), 100.0)
    return axis.step(x, y, where="post", color=colour, linestyle=LINES[i % len(LINES)], linewidth=1.5, label=name)[0]


def differences(material: Material, width: float) -> Figure:
    """Draw one panel a variant: x Keras' number, y the variant's less Keras'; it needs one number a sample."""
    tables = tables_with(material.comparison)
    if not all("prediction" in fields_of(table) for table in tables.values()):
        raise NothingToDrawError("It needs one number a sample.")
    figure, axes = grid(len(tables), width, 2.3 if width > 5 else 1.85, most=3, sharex=True)
    for axis, (case, table) in zip(axes, tables.items(), strict=True):
        keras, own = (table[name].astype(np.float64) for name in ("baseline_prediction", "prediction"))
        chosen = thinned(np.arange(len(keras)))
        axis.axhline(0, color=GREY, linewidth=0.9)
        axis.plot(keras[chosen], (own - keras)[chosen], ".", color=OKABE_ITO[1], alpha=0.35, markeredgewidth=0)
        axis.set_title(case.variant)
    figure.supxlabel("Keras' output", fontsize=9)
    figure.supylabel("variant less Keras", fontsize=9)
    return figure


def class_drops(material: Material, width: float) -> Figure:
    """Draw one panel a variant: the drop of each class in pp with its 90 % limits."""
    comparison = material.comparison
    tables = tables_with(comparison)
    if not all("correct" in fields_of(table) for table in tables.values()):
        raise NothingToDrawError("It needs labels of classes; this run has none.")
    groups = {case: drops_of(table, material.comparison.run.groups) for case, table in tables.items()}
    labels = worst_classes(groups.values())
    figure, axes = grid(len(groups), width, 0.5 + 0.17 * len(labels), most=3, sharex=True, sharey=True)
    for axis, (case, group) in zip(axes, groups.items(), strict=True):
        draw_classes(axis, group, labels, colours(comparison)[case.variant])
        axis.set_title(case.variant)
    axes[0].set_yticks(range(len(labels)), [clipped(class_name(comparison.run, label)) for label in labels])
    axes[0].set_ylim(len(labels) - 0.4, -0.6)
    figure.supxlabel("drop of accuracy within the class, pp (right is worse)", fontsize=9)
    figure.supylabel("class", fontsize=9)
    return figure


def worst_classes(groups: Iterable[Sequence[ClassDrop]]) -> list[int]:
    worst: dict[int, float] = {}
    for drop in (drop for group in groups for drop in group):
        worst[drop.label] = max(drop.drop_pp, worst.get(drop.label, drop.drop_pp))
    return sorted(sorted(worst, key=lambda label: (-worst[label], label))[:MOST_CLASSES])


def draw_classes(axis: Axes, group: Sequence[ClassDrop], labels: list[int], colour: str) -> None:
    axis.axvline(0, color=GREY, linewidth=0.9)
    for drop in (drop for drop in group if drop.label in labels):
        y = labels.index(drop.label)
        axis.plot([drop.low_pp, drop.high_pp], [y, y], color=colour, linewidth=1.3, alpha=0.6)
        axis.plot(drop.drop_pp, y, "o", color=colour, markersize=4)
    axis.grid(visible=False, axis="y")


def clipped(name: str) -> str:
    return in_figure(name if len(name) <= 16 else f"{name[:15]}…")


def shown_once(comparison: Comparison) -> str:
    """Say which row represents each variant in figures of single samples."""
    where: dict[str, list[str]] = {}
    for case in first_cases(comparison):
        where.setdefault(f"{case.runtime} on {case.target}", []).append(case.variant)
    if len(where) == 1:
        return f" Drawn from {next(iter(where))}."
    return " Drawn from " + "; ".join(f"{place} for {', '.join(names)}" for place, names in where.items()) + "."


MARGINS = Plot(
    "margin",
    "Which answers could flip, and which did",
    "One point per test sample, at most 10,000 of either kind. Above the line (margin < 2·max |Δ|) the scores "
    "moved far enough for a flip to be possible; values of exactly 0 are drawn at the lower edge.",
    margins,
    shown_once,
    OF_CLASSES,
)
DIFFERENCES = Plot(
    "differences",
    "Each number against Keras'",
    "One point per test sample, at most 10,000: the variant's output less Keras', against Keras' output.",
    differences,
    shown_once,
    NO_CLASSES,
)
DISTANCES = Plot(
    "ecdf",
    "How far the outputs moved",
    "Share of test samples whose distance from Keras is at most x; curves further left are closer.",
    distances,
    shown_once,
)
CLASS_DROPS = Plot(
    "classes",
    "Drop per class",
    "Accuracy of Keras less the variant's within each class; the line is the two-sided 90 % interval, not "
    "corrected for multiple classes.",
    class_drops,
    shown_once,
    ("classification",),
)
