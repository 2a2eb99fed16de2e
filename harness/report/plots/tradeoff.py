"""What answers are worth against latency against size: which variants no other beats in both worth and speed."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.records import Comparison
from harness.report.plots.style import (
    GREY,
    MARKERS,
    NothingToDrawError,
    colours,
    grid,
    legend,
    log_ticks,
    variant_handles,
)
from harness.report.primary import Primary, before_of, lowered, primary
from harness.report.rows import Row, rows
from harness.report.units import size_scale

LARGEST_AREA = 260.0  # square points, for the largest file; the others in proportion


def pareto(comparison: Comparison, width: float) -> Figure:
    """One panel a target: x p50 in µs (log), y the run's first metric, area = size, shape = runtime."""
    shown = drawable(comparison)
    if not shown:
        raise NothingToDrawError(
            f"It needs {worth(comparison).lowered} and a p50 latency of the same row; this run has none."
        )
    targets = list(dict.fromkeys(r.case.target for r in shown))
    figure, axes = grid(len(targets), width, 3.9 if width > 5 else 3.3, most=2)
    if width < 5 and len(targets) > 1:
        figure, axes = grid(len(targets), width, 3.0, most=1)
    for axis, target in zip(axes, targets, strict=True):
        _panel(axis, comparison, [r for r in shown if r.case.target == target])
        axis.set_title(f"{target} (emulated: no latency claim)" if _emulated(shown, target) else target)
        axis.set_xlabel("latency p50 per invoke, µs (log; left is better)")
    axes[0].set_ylabel(worth(comparison).label)
    legend(figure, [*variant_handles(comparison, _sized(comparison, shown)), *_shapes(shown)], width, wide_columns=5)
    return figure


def drawable(comparison: Comparison) -> list[Row]:
    """Rows with worth and latency, lowest thread count; a suspect one would press the others into one corner."""
    found = [r for r in rows(comparison) if r.standing.status == "ok" and worth(comparison).of(r) is not None]
    fewest = min((r.case.threads for r in found), default=1)
    return [r for r in found if r.case.threads == fewest and r.value("latency_p50") is not None]


@dataclass(frozen=True)
class Worth:
    """The metric on the vertical axis, in the numbers that it is told in."""

    metric: Primary

    def of(self, row: Row) -> float | None:
        value = row.value(self.metric.name)
        return None if value is None else value * self.scale

    @property
    def scale(self) -> float:
        return 100.0 if self.metric.is_share else 1.0

    @property
    def sign(self) -> int:
        """Up is better, or down is."""
        return 1 if self.metric.better == "higher" else -1

    @property
    def lowered(self) -> str:
        return f"an {lowered(self.metric.title)}" if self.metric.name == "accuracy" else lowered(self.metric.title)

    @property
    def label(self) -> str:
        unit = f", {self.metric.unit}" if self.metric.unit else ""
        return f"{lowered(self.metric.title)}{unit} ({'up' if self.sign > 0 else 'down'} is better)"

    def limits(self, row: Row) -> tuple[float, float] | None:
        """How far it may have moved, around Keras' own value: the drop's limits, or the change's, or its own."""
        change, own = row.interval(self.metric.change), row.interval(self.metric.name)
        before = before_of(row, self.metric)
        if self.metric.name == "accuracy" and (drop := row.interval("accuracy_drop")) and before is not None:
            return 100 * before - drop[1], 100 * before - drop[0]
        if change and before is not None:
            return self.scale * (before + change[0]), self.scale * (before + change[1])
        return (self.scale * own[0], self.scale * own[1]) if own else None


def worth(comparison: Comparison) -> Worth:
    return Worth(primary(comparison))


def left_out(comparison: Comparison) -> str:
    """Which measured rows the figure does not show, as a sentence, or nothing."""
    names = [
        f"{r.case.variant} ({r.case.runtime}, {r.case.target})"
        for r in rows(comparison)
        if r.standing.status == "suspect"
    ]
    return f" Suspect rows are not drawn: {', '.join(names)}." if names else ""


def front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (latency, accuracy) pairs that none is both at least as fast and more accurate than, by rising latency."""
    kept: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda p: (p[0], -p[1])):
        if not kept or y > kept[-1][1]:
            kept.append((x, y))
    return kept


def _panel(axis: Axes, comparison: Comparison, group: list[Row]) -> None:
    shade, shapes = colours(comparison), _runtime_markers(group)
    largest = max((r.value("size_bytes") or 0 for r in group), default=0) or 1
    metric = worth(comparison)
    edge = [(x, metric.sign * y) for x, y in front([(x, metric.sign * y) for x, y in points(metric, group)])]
    axis.step(*zip(*edge, strict=True), where="post", color=GREY, linewidth=1.2, zorder=1)
    if (before := before_of(group[0], metric.metric)) is not None:
        axis.axhline(metric.scale * before, color=GREY, linewidth=1, linestyle="--", zorder=1)
    for row in sorted(group, key=lambda r: -(r.value("size_bytes") or 0)):
        if limits := metric.limits(row):
            x = row.value("latency_p50") or 0
            axis.plot([x, x], limits, color=shade[row.case.variant], alpha=0.45, linewidth=1.3, zorder=2)
        area = LARGEST_AREA * (row.value("size_bytes") or 0) / largest
        axis.scatter(
            row.value("latency_p50") or 0,
            metric.of(row) or 0,
            s=max(12.0, area),
            marker=shapes[row.case.runtime],
            facecolor=(shade[row.case.variant], 0.55),
            edgecolor=shade[row.case.variant],
            zorder=3,
        )
    axis.set_xscale("log")
    axis.margins(x=0.12, y=0.1)
    log_ticks(axis.xaxis, axis.get_xlim())


def points(metric: Worth, group: list[Row]) -> list[tuple[float, float]]:
    """(latency, worth) of each row."""
    return [(row.value("latency_p50") or 0, metric.of(row) or 0) for row in group]


def _runtime_markers(shown: list[Row]) -> dict[str, str]:
    names = sorted({r.case.runtime for r in shown})
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(names)}


def _shapes(shown: list[Row]) -> list[Line2D]:
    shapes = [
        Line2D([], [], color=GREY, marker=m, linestyle="", markerfacecolor="none", label=n)
        for n, m in _runtime_markers(shown).items()
    ]
    line = Line2D([], [], color=GREY, linewidth=1.2, label="Pareto front")
    return [*shapes, line, Line2D([], [], color=GREY, linewidth=1, linestyle="--", label="Keras")]


def _sized(comparison: Comparison, shown: list[Row]) -> dict[str, str]:
    sizes = {r.case.variant: r.value("size_bytes") for r in shown}
    scale = size_scale([s for s in sizes.values() if s is not None])
    names = [v.name for v in comparison.run.variants if v.name in sizes]
    return {n: f"{n}, {scale.with_unit(sizes[n])}" if sizes[n] is not None else n for n in names}


def _emulated(shown: list[Row], target: str) -> bool:
    return any(r.emulated for r in shown if r.case.target == target)
