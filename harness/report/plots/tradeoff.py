"""The first metric against latency and size: which variants no other beats in both quality and speed."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from harness.compare.rows import Row
from harness.records import Comparison
from harness.records.names import row_name
from harness.report.charts.chart import Axis, Chart, Curve, Dot, Dots, Key, Mark, Panel, Strokes
from harness.report.material import Material
from harness.report.metric import Primary
from harness.report.plots.drawing import Plot
from harness.report.plots.style import (
    GREY,
    NothingToDrawError,
    colours,
    emulated_note,
    runtime_keys,
    runtime_shapes,
    variant_keys,
)
from harness.support.format import MICROSECONDS, size_scale

LARGEST, SMALLEST = 12.0, 3.0  # px, radius of the largest file's point; the areas of the others in proportion


def pareto(material: Material) -> Chart:
    """Draw one panel a target: x p50 in µs (log), y the run's first metric, area = size, shape = runtime."""
    comparison, metric, shown = material.comparison, material.primary, drawable(material)
    if not shown and comparison.early:
        raise NothingToDrawError(
            f"Rows stopped after different numbers of samples: their {metric.lowered} cannot be compared."
        )
    if not shown:
        raise NothingToDrawError(f"It needs {metric.lowered} and p50 latency of the same row; this run has none.")
    targets = dict.fromkeys(r.case.target for r in shown)
    panels = [target_panel(comparison, metric, t, [r for r in shown if r.case.target == t]) for t in targets]
    return Chart(tuple(panels), tuple(keys_of(comparison, shown)), (2, 1))


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


def target_panel(comparison: Comparison, metric: Primary, target: str, group: list[Row]) -> Panel:
    x = Axis("latency p50 per invoke, µs (log; left is better)", log=True, margin=0.12)
    y = Axis(axis_label(metric), margin=0.1)
    marks, note = target_marks(comparison, metric, group), emulated_note(comparison, target)
    return Panel(marks, x, y, target, note, 280, target=target)


def target_marks(comparison: Comparison, metric: Primary, group: list[Row]) -> list[Mark]:
    """Draw the front and Keras' own value behind the rows, the largest of them behind the smaller ones."""
    edge = front([(x, metric.sign * y) for x, y in (point_of(row, metric) for row in group)])
    x, y = [*(x for x, _ in edge), inf], [*(metric.sign * y for _, y in edge), metric.sign * edge[-1][1]]
    marks: list[Mark] = [Curve(x, y, GREY, stepped=True, width=1.3)]
    if (before := metric.before(group[0])) is not None:
        marks.append(Strokes([(-inf, metric.scale * before, inf, metric.scale * before)], GREY, dash=1))
    largest = max(size_of(row) for row in group) or 1.0
    for row in sorted(group, key=size_of, reverse=True):
        marks += bubble(comparison, metric, row, max(SMALLEST, LARGEST * (size_of(row) / largest) ** 0.5))
    return marks


def bubble(comparison: Comparison, metric: Primary, row: Row, radius: float) -> list[Mark]:
    (x, y), colour = point_of(row, metric), colours(comparison)[row.case.variant]
    shape = runtime_shapes(comparison)[row.case.runtime]
    marks: list[Mark] = [Dots([Dot(x, y, row_told(row, metric), radius)], colour, shape, opacity=0.7)]
    if limits := metric.around(row):
        marks.insert(0, Strokes([(x, limits[0], x, limits[1])], colour, 1.4, opacity=0.6))
    return marks


def row_told(row: Row, metric: Primary) -> str:
    quality = f"{metric.lowered} {metric.with_unit(row.value(metric.name))}"
    speed, size = row.value("latency_p50"), row.value("size_bytes")
    weight = [size_scale([size]).with_unit(size)] if size is not None else []
    return f"{row_name(row.case)}: {', '.join([quality, f'p50 {MICROSECONDS.with_unit(speed)}', *weight])}"


def point_of(row: Row, metric: Primary) -> tuple[float, float]:
    """Return (latency in µs, the metric as it is shown)."""
    return row.value("latency_p50") or 0.0, metric.scale * (row.value(metric.name) or 0.0)


def size_of(row: Row) -> float:
    return row.value("size_bytes") or 0.0


def axis_label(metric: Primary) -> str:
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.lowered}{unit} ({'up' if metric.sign > 0 else 'down'} is better)"


def keys_of(comparison: Comparison, shown: list[Row]) -> list[Key]:
    return [
        *variant_keys(comparison, names_with_sizes(comparison, shown)),
        *runtime_keys(comparison, {r.case.runtime for r in shown}),
        Key("Pareto front", GREY),
        Key("Keras", GREY, dash=1),
    ]


def names_with_sizes(comparison: Comparison, shown: list[Row]) -> dict[str, str]:
    """Return each variant's name with its size."""
    sizes = {r.case.variant: r.value("size_bytes") for r in shown}
    scale = size_scale([s for s in sizes.values() if s is not None])
    names = [v.name for v in comparison.run.variants if v.name in sizes]
    return {n: f"{n}, {scale.with_unit(sizes[n])}" if sizes[n] is not None else n for n in names}


TRADEOFF = Plot(
    "pareto",
    "{}, latency and size",
    "The quality of the answers, with the 90 % limits of their change from Keras', against the p50 of a typical "
    "round's invokes, at the lowest thread count. Area is proportional to the file's size, shape shows the runtime; "
    "the line joins the rows that no other row beats in both.",
    pareto,
    left_out,
    of_answers=True,
)
