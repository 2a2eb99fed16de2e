"""Sample by sample: how far a variant's scores are from Keras', and where that changed the answer. Each file once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.records import Case, Comparison
from harness.report.material import class_name, classifies
from harness.report.plots.style import (
    FLIP,
    GREY,
    OKABE_ITO,
    NothingToDrawError,
    colours,
    first_cases,
    grid,
    legend,
    log_ticks,
)

MOST_POINTS = 10_000
MOST_CLASSES = 20  # more would be a thicket; then those that may have lost most
LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), "-.", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))


def margins(comparison: Comparison, width: float) -> Figure:
    """One panel a variant: x Keras' margin, y max |Δ|, both log; a flip needs margin ≤ 2·max |Δ|."""
    frames = _frames(comparison, "baseline_margin", "max_abs_diff", "flip")
    figure, axes = grid(len(frames), width, 2.3 if width > 5 else 1.85, most=3, sharex=True, sharey=True)
    x = _positive([f["baseline_margin"] for f in frames.values()])
    y = _positive([f["max_abs_diff"] for f in frames.values()])
    for axis, (case, frame) in zip(axes, frames.items(), strict=True):
        _scatter(axis, frame, x, y, labels=5 if width > 5 else 3)
        flips = int(frame["flip"].sum())
        axis.set_title(f"{case.variant}: {flips:,} flip{'' if flips == 1 else 's'}")
    figure.supxlabel("Keras' margin, top score − second (log)", fontsize=9)
    figure.supylabel("max |Δ score| (log)", fontsize=9)
    legend(figure, _margin_handles(), width, above=True)
    return figure


def _frames(comparison: Comparison, *columns: str) -> dict[Case, pd.DataFrame]:
    frame = comparison.samples
    if not len(frame) or any(c not in frame.columns for c in columns):
        raise NothingToDrawError("It needs the outputs of every sample; this run has none.")
    rows = {
        case: (frame.variant == case.variant) & (frame.target == case.target) & (frame.runtime == case.runtime)
        for case in first_cases(comparison)
    }
    return {case: frame.loc[chosen, list(columns)] for case, chosen in rows.items()}


def _positive(columns: list[pd.Series]) -> tuple[float, float]:
    """The range to draw on a log axis: zeros are drawn at its lower end."""
    values = np.concatenate([c.to_numpy(dtype=float) for c in columns])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        raise NothingToDrawError("Every value is exactly 0: nothing differs from Keras.")
    low, high = max(float(values.min()), float(values.max()) * 1e-9), float(values.max())
    return low / 1.5, high * 1.5


def _scatter(axis: Axes, frame: pd.DataFrame, x: tuple[float, float], y: tuple[float, float], labels: int) -> None:
    flip = frame["flip"].to_numpy(dtype=bool)
    margin = np.maximum(frame["baseline_margin"].to_numpy(dtype=float), x[0])
    delta = np.maximum(frame["max_abs_diff"].to_numpy(dtype=float), y[0])
    same, other = _thinned(np.flatnonzero(~flip)), _thinned(np.flatnonzero(flip))
    axis.plot(margin[same], delta[same], ".", color=OKABE_ITO[1], alpha=0.25, markersize=3, markeredgewidth=0)
    axis.plot(
        margin[other], delta[other], "X", color=FLIP, markersize=4.5, markeredgecolor="white", markeredgewidth=0.3
    )
    ends = np.array(x)
    axis.plot(ends, ends / 2, color=GREY, linewidth=1)
    axis.set(xscale="log", yscale="log", xlim=x, ylim=y)
    log_ticks(axis.xaxis, ends, labels)
    log_ticks(axis.yaxis, np.array(y), 5)


def _thinned(of: np.ndarray) -> np.ndarray:
    """At most MOST_POINTS, evenly chosen, the first and the last among them: more are a blot, and much memory."""
    return of if len(of) <= MOST_POINTS else of[np.linspace(0, len(of) - 1, MOST_POINTS).astype(int)]


def _margin_handles() -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            marker="o",
            color=OKABE_ITO[1],
            alpha=0.5,
            markersize=3.5,
            linestyle="",
            label="same answer as Keras",
        ),
        Line2D([], [], marker="X", color=FLIP, markersize=5, linestyle="", label="flip"),
        Line2D([], [], color=GREY, linewidth=1, label="margin = 2·max |Δ|"),
    ]


def distances(comparison: Comparison, width: float) -> Figure:
    """max |Δ|, and of classes Jensen–Shannon divergence (bits): which share of the samples is within x (log)."""
    panels = {"max_abs_diff": "max |Δ score| (log)", "js_divergence": "Jensen–Shannon divergence, bits (log)"}
    if not classifies(comparison.run):
        panels = {"max_abs_diff": "max |Δ output| (log)"}
    frames = _frames(comparison, *panels)
    figure, axes = grid(len(panels), width, 2.9 if width > 5 else 2.4, most=2 if width > 5 else 1, sharey=True)
    shade, handles = colours(comparison), []
    for axis, (column, label) in zip(axes, panels.items(), strict=True):
        limits = _positive([f[column] for f in frames.values()])
        handles = [
            _ecdf(axis, f[column], limits, shade[c.variant], i, c.variant) for i, (c, f) in enumerate(frames.items())
        ]
        axis.set(xscale="log", xlim=limits, ylim=(0, 102), xlabel=label, ylabel="samples, %")
        log_ticks(axis.xaxis, np.array(limits))
    legend(figure, handles, width)
    return figure


def _ecdf(axis: Axes, values: pd.Series, limits: tuple[float, float], colour: str, i: int, name: str) -> Line2D:
    ordered = np.sort(np.maximum(values.to_numpy(dtype=float), limits[0]))
    share = 100 * np.arange(1, len(ordered) + 1) / len(ordered)
    x, y = np.append(_thinned(ordered), limits[1]), np.append(_thinned(share), 100.0)
    return axis.step(x, y, where="post", color=colour, linestyle=LINES[i % len(LINES)], linewidth=1.5, label=name)[0]


def differences(comparison: Comparison, width: float) -> Figure:
    """One panel a variant: x Keras' number, y the variant's less Keras'; of models that give one number a sample."""
    if "prediction" not in comparison.samples:
        raise NothingToDrawError("It needs one number a sample.")
    frames = _frames(comparison, "baseline_prediction", "prediction")
    figure, axes = grid(len(frames), width, 2.3 if width > 5 else 1.85, most=3, sharex=True)
    for axis, (case, frame) in zip(axes, frames.items(), strict=True):
        keras, own = (frame[name].to_numpy(dtype=float) for name in ("baseline_prediction", "prediction"))
        chosen = _thinned(np.arange(len(keras)))
        axis.axhline(0, color=GREY, linewidth=0.9)
        axis.plot(keras[chosen], (own - keras)[chosen], ".", color=OKABE_ITO[1], alpha=0.35, markeredgewidth=0)
        axis.set_title(case.variant)
    figure.supxlabel("Keras' output", fontsize=9)
    figure.supylabel("variant less Keras", fontsize=9)
    return figure


def class_drops(comparison: Comparison, width: float) -> Figure:
    """One panel a variant: the drop of each class in pp with its 90 % Tango limits."""
    frame = comparison.class_drops
    if not len(frame):
        raise NothingToDrawError("It needs labels of classes; this run has none.")
    cases = first_cases(comparison)
    groups = {
        c: frame[(frame.variant == c.variant) & (frame.target == c.target) & (frame.runtime == c.runtime)]
        for c in cases
    }
    labels = _classes(pd.concat(groups.values()))
    figure, axes = grid(len(cases), width, 0.5 + 0.17 * len(labels), most=3, sharex=True, sharey=True)
    for axis, (case, group) in zip(axes, groups.items(), strict=True):
        _class_panel(axis, group, labels, colours(comparison)[case.variant])
        axis.set_title(case.variant)
    axes[0].set_yticks(range(len(labels)), [_clipped(class_name(comparison.run, label)) for label in labels])
    axes[0].set_ylim(len(labels) - 0.4, -0.6)
    figure.supxlabel("drop of accuracy within the class, pp (right is worse)", fontsize=9)
    figure.supylabel("class", fontsize=9)
    return figure


def _classes(frame: pd.DataFrame) -> list[int]:
    worst = frame.groupby("label")["drop_pp"].max().sort_values(ascending=False, kind="stable")
    return sorted(int(label) for label in worst.index[:MOST_CLASSES])


def _class_panel(axis: Axes, group: pd.DataFrame, labels: list[int], colour: str) -> None:
    axis.axvline(0, color=GREY, linewidth=0.9)
    columns = (group[c].tolist() for c in ("label", "drop_pp", "low_pp", "high_pp"))
    for label, drop, low, high in zip(*columns, strict=True):
        if label in labels:
            y = labels.index(label)
            axis.plot([low, high], [y, y], color=colour, linewidth=1.3, alpha=0.6)
            axis.plot(drop, y, "o", color=colour, markersize=4)
    axis.grid(visible=False, axis="y")


def _clipped(name: str) -> str:
    return (name if len(name) <= 16 else f"{name[:15]}…").replace("$", r"\$")
