"""The first metric against latency and size: which variants no other beats in both quality and speed."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.compare.rows import Row
from harness.records import Comparison
from harness.records.names import row_name
from harness.report.material import Material
from harness.report.metric import Primary
from harness.report.plots.drawing import Plot
from harness.report.plots.style import (
    GREY,
    NothingToDrawError,
    colours,
    grid,
    legend,
    log_ticks,
    runtime_handles,
    runtime_markers,
    variant_handles,
)
from harness.support.format import size_scale

LARGEST_AREA = 260.0  # square points, for the largest file; the others in proportion
SMALLEST_AREA = 12.0


def pareto(material: Material, width: float) -> Figure:
    """Draw one panel a target: x p50 in µs (log), y the run's first metric, area = size, shape = runtime."""
    comparison, metric, shown = material.comparison, material.primary, drawable(material)
    if not shown and comparison.early:
        raise NothingToDrawError(
            f"Rows stopped after different numbers of samples: their {metric.lowered} cannot be compared."
        )
    if not shown:
        raise NothingToDrawError(f"It needs {metric.lowered} and p50 latency of the same row; this run has none.")
    targets = list(dict.fromkeys(r.case.target for r in shown))
    high = 3.9 if width > 5 else 3.3 if len(targets) == 1 else 3.0
    figure, axes = grid(len(targets), width, high, most=2 if width > 5 else 1)
    for axis, target in zip(axes, targets, strict=True):
        draw_panel(axis, comparison, metric, [r for r in shown if r.case.target == target])
        axis.set_title(f"{target} (emulated: no latency claim)" if any_emulated(shown, target) else target)
        axis.set_xlabel("latency p50 per invoke, µs (log; left is better)")
    axes[0].set_ylabel(axis_label(metric))
    legend(figure, handles_of(comparison, shown), width, wide_columns=5)
    return figure


def drawable(material: Material) -> list[Row]:
    """Find the rows with both values at the lowest thread count; a suspect one would squeeze the others, and one that
    stopped early is of other samples than they.
    """
    name, early = material.primary.name, material.comparison.early
    ok = [r for r in material.rows if r.standing.status == "ok" and r.case not in early]
    rows = [r for r in ok if r.value(name) is not None]
    fewest = min((r.case.threads for r in rows), default=1)
    return [r for r in rows if r.case.threads == fewest and r.value("latency_p50") is not None]


def left_out(comparison: Comparison) -> str:
    """Say which measured rows the figure does not show, as a sentence, or ""."""
    names = [row_name(s.case) for s in comparison.standings if s.status == "suspect"]
    early = " Rows that stopped before the end of the test set are not drawn." if comparison.early else ""
    return early + (f" Suspect rows are not drawn: {'; '.join(names)}." if names else "")


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Find the (latency, quality) pairs that no other equals in latency and beats in quality, by rising latency."""
    kept: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda p: (p[0], -p[1])):
        if not kept or y > kept[-1][1]:
            kept.append((x, y))
    return kept


def draw_panel(axis: Axes, comparison: Comparison, metric: Primary, group: list[Row]) -> None:
    edge = front([(x, metric.sign * y) for x, y in (point_of(row, metric) for row in group)])
    axis.step(
        *zip(*((x, metric.sign * y) for x, y in edge), strict=True), where="post", color=GREY, linewidth=1.2, zorder=1
    )
    if (before := metric.before(group[0])) is not None:
        axis.axhline(metric.scale * before, color=GREY, linewidth=1, linestyle="--", zorder=1)
    largest = max(size_of(row) for row in group) or 1.0
    for row in sorted(group, key=size_of, reverse=True):
        draw_bubble(axis, comparison, metric, row, max(SMALLEST_AREA, LARGEST_AREA * size_of(row) / largest))
    axis.set_xscale("log")
    axis.margins(x=0.12, y=0.1)
    log_ticks(axis.xaxis, axis.get_xlim())


def draw_bubble(axis: Axes, comparison: Comparison, metric: Primary, row: Row, area: float) -> None:
    (x, y), colour = point_of(row, metric), colours(comparison)[row.case.variant]
    if limits := metric.around(row):
        axis.plot([x, x], limits, color=colour, alpha=0.45, linewidth=1.3, zorder=2)
    shape = runtime_markers(comparison)[row.case.runtime]
    axis.scatter(x, y, s=area, marker=shape, facecolor=(colour, 0.55), edgecolor=colour, zorder=3)


def point_of(row: Row, metric: Primary) -> tuple[float, float]:
    """Return (latency in µs, the metric as it is shown)."""
    return row.value("latency_p50") or 0.0, metric.scale * (row.value(metric.name) or 0.0)


def size_of(row: Row) -> float:
    return row.value("size_bytes") or 0.0


def axis_label(metric: Primary) -> str:
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.lowered}{unit} ({'up' if metric.sign > 0 else 'down'} is better)"


def handles_of(comparison: Comparison, shown: list[Row]) -> list[Line2D]:
    return [
        *variant_handles(comparison, names_with_sizes(comparison, shown)),
        *runtime_handles(comparison, {r.case.runtime for r in shown}),
        Line2D([], [], color=GREY, linewidth=1.2, label="Pareto front"),
        Line2D([], [], color=GREY, linewidth=1, linestyle="--", label="Keras"),
    ]


def names_with_sizes(comparison: Comparison, shown: list[Row]) -> dict[str, str]:
    """Return each variant's name with its size."""
    sizes = {r.case.variant: r.value("size_bytes") for r in shown}
    scale = size_scale([s for s in sizes.values() if s is not None])
    names = [v.name for v in comparison.run.variants if v.name in sizes]
    return {n: f"{n}, {scale.with_unit(sizes[n])}" if sizes[n] is not None else n for n in names}


def any_emulated(shown: list[Row], target: str) -> bool:
    return any(r.emulated for r in shown if r.case.target == target)


TRADEOFF = Plot(
    "pareto",
    "{}, latency and size",
    "The quality of the answers, with the 90 % limits of their change from Keras', against the p50 of a typical "
    "round's invokes, at the lowest thread count. Area is proportional to the file's size, shape shows the runtime; "
    "the line joins the rows that no other row beats in both.",
    pareto,
    left_out,
)
