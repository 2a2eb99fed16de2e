"""Sample by sample: how far a variant's scores are from Keras', and where that changed the answer. Each file once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

import numpy as np

from harness.metrics.discrepancy import ClassDrop, fields_of
from harness.metrics.discrepancy import class_drops as drops_of
from harness.metrics.task_table import NO_CLASSES, OF_CLASSES, kind_of
from harness.records import Case, Comparison
from harness.records.names import class_name
from harness.records.terms import AnswerKind
from harness.report.charts.chart import Axis, Chart, Curve, Dot, Dots, Key, Limits, Mark, Panel, Strokes
from harness.report.material import Material
from harness.report.plots.cloud import MOST_DOTS, cloud, thinned
from harness.report.plots.drawing import Plot
from harness.report.plots.style import BLUE, FLIP, GREY, NothingToDrawError, colours, first_cases, lines_of
from harness.support.format import plural, points, signed, significant, with_limits

MOST_CLASSES = 20  # of more, those with the largest drops
MOST_STEPS = 300  # of one curve


def margins(material: Material) -> Chart:
    """Draw one panel a variant: x Keras' margin, y max |Δ|, both log; a flip needs margin ≤ 2·max |Δ|."""
    comparison = material.comparison
    tables = tables_with(comparison, "baseline_margin", "max_abs_diff", "flip")
    x = positive_range([t["baseline_margin"] for t in tables.values()])
    y = positive_range([t["max_abs_diff"] for t in tables.values()])
    axes = Axis(log=True, limits=x), Axis(log=True, limits=y)
    panels = [
        Panel(
            flip_marks(comparison, table, x, y, len(tables)),
            *axes,
            flips_told(case, table),
            height=150,
            variant=case.variant,
        )
        for case, table in tables.items()
    ]
    titles = {"x_title": "Keras' margin, top score − second (log)", "y_title": "max |Δ score| (log)"}
    return Chart(tuple(panels), MARGIN_KEYS, (3, 2), "xy", **titles)


MARGIN_KEYS = (
    Key("same answer as Keras", BLUE, "square"),
    Key("flip", FLIP, "cross"),
    Key("margin = 2·max |Δ|", GREY),
)


def flips_told(case: Case, table: np.ndarray) -> str:
    return f"{case.variant}: {plural(int(table['flip'].sum()), 'flip')}"


def tables_with(comparison: Comparison, *fields: str) -> dict[Case, np.ndarray]:
    tables = {c: comparison.samples[c] for c in first_cases(comparison) if c in comparison.samples}
    if not tables or any(field not in fields_of(table) for table in tables.values() for field in fields):
        raise NothingToDrawError("It needs the outputs of every sample; this run has none.")
    return tables


def positive_range(columns: list[np.ndarray]) -> Limits:
    """Return the range to draw on a log axis: zeros are drawn at its lower end."""
    values = np.concatenate(columns).astype(np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        raise NothingToDrawError("Every value is exactly 0: nothing differs from Keras.")
    low, high = max(float(values.min()), float(values.max()) * 1e-9), float(values.max())
    return low / 1.5, high * 1.5


def flip_marks(comparison: Comparison, table: np.ndarray, x: Limits, y: Limits, panels: int) -> list[Mark]:
    margin, delta = within(table["baseline_margin"], x), within(table["max_abs_diff"], y)

    def tip(n: int) -> str:
        says = [class_name(comparison.run, int(table[name][n])) for name in ("baseline_prediction", "prediction")]
        answer = " → ".join(says) if table["flip"][n] else says[0]
        figures = f"margin {significant(table['baseline_margin'][n])}, max |Δ| {significant(table['max_abs_diff'][n])}"
        return f"sample {comparison.run.number_of(n)}: {answer}; {figures}"

    same, other = np.flatnonzero(~table["flip"]), thinned(np.flatnonzero(table["flip"]), MOST_DOTS // panels)
    line = max(x[0], 2 * y[0]), min(x[1], 2 * y[1])
    limit = [Strokes([(line[0], line[0] / 2, line[1], line[1] / 2)], GREY, 1.2)] if line[0] < line[1] else []
    number = comparison.run.number_of
    crosses = [Dot(float(margin[n]), float(delta[n]), tip(n), 3.2, number(n)) for n in other.tolist()]
    return [cloud(margin, delta, same, panels, BLUE, tip, number, log=True), *limit, Dots(crosses, FLIP, "cross")]


def within(values: np.ndarray, limits: Limits) -> np.ndarray:
    """Return values that can be drawn between these limits: what is not finite is furthest."""
    return np.clip(np.nan_to_num(values.astype(np.float64), nan=limits[1]), *limits)


FAR: dict[AnswerKind, str] = {
    "boxes": "1 − overlap with Keras' boxes (log)",
    "points": "largest |Δ| of a coordinate from Keras', px (log)",
}


def distances(material: Material) -> Chart:
    """Draw max |Δ|, and for classes Jensen–Shannon divergence (bits): the share of samples within x (log)."""
    comparison = material.comparison
    panels = {"max_abs_diff": "max |Δ score| (log)", "js_divergence": "Jensen–Shannon divergence, bits (log)"}
    if comparison.run.task not in OF_CLASSES:
        panels = {"max_abs_diff": FAR.get(kind_of(comparison.run.task).says, "max |Δ output| (log)")}
    tables = tables_with(comparison, *panels)
    shade = colours(comparison)
    keys = [Key(case.variant, shade[case.variant], dash=n) for n, case in enumerate(tables)]
    drawn = [
        ecdf_panel({k: t[column] for k, t in zip(keys, tables.values(), strict=True)}, title)
        for column, title in panels.items()
    ]
    return Chart(tuple(drawn), tuple(keys), (2, 1))


def ecdf_panel(columns: dict[Key, np.ndarray], title: str) -> Panel:
    limits = positive_range(list(columns.values()))
    curves = [ecdf(values, limits, key) for key, values in columns.items()]
    return Panel(curves, Axis(title, log=True, limits=limits), Axis("samples, %", limits=(0, 102)), height=210)


def ecdf(values: np.ndarray, limits: Limits, key: Key) -> Curve:
    ordered = np.sort(np.maximum(values, limits[0], dtype=np.float64))  # NaN last
    finite = ordered[np.isfinite(ordered)]
    x = np.append(np.unique(thinned(finite, MOST_STEPS)), limits[1])
    y = 100 * np.searchsorted(finite, x, side="right") / len(ordered)
    middle, most = np.quantile(values, [0.5, 0.95])
    tip = f"{key.text}: half of the samples within {significant(middle)}, 95 % within {significant(most)}"
    return Curve(x.tolist(), y.tolist(), key.colour, tip, stepped=True, dash=key.dash)


def differences(material: Material) -> Chart:
    """Draw one panel a variant: x Keras' number, y the variant's less Keras'; it needs one number a sample."""
    comparison = material.comparison
    tables = tables_with(comparison)
    if not all("prediction" in fields_of(table) for table in tables.values()):
        raise NothingToDrawError("It needs one number a sample.")
    panels = [
        Panel(marks, Axis(), Axis(), case.variant, height=150, variant=case.variant)
        for case, table in tables.items()
        for marks in [difference_marks(comparison, table, len(tables))]
    ]
    titles = {"x_title": "Keras' output", "y_title": "variant less Keras"}
    return Chart(tuple(panels), (), (3, 2), "x", **titles)


def difference_marks(comparison: Comparison, table: np.ndarray, panels: int) -> list[Mark]:
    keras, own = (table[name].astype(np.float64) for name in ("baseline_prediction", "prediction"))
    less = own - keras

    def tip(n: int) -> str:
        return f"sample {comparison.run.number_of(n)}: Keras {significant(keras[n], 4)}, {signed(significant(less[n]))}"

    known = np.flatnonzero(np.isfinite(keras) & np.isfinite(less))
    points = cloud(keras, less, known, panels, BLUE, tip, comparison.run.number_of, log=False)
    return [Strokes([(-inf, 0, inf, 0)], GREY, 0.9), points]


def class_drops(material: Material) -> Chart:
    """Draw one panel a variant: the drop of each class in pp with its 90 % limits."""
    comparison = material.comparison
    tables = tables_with(comparison)
    if not all({"label", "correct"} <= set(fields_of(table)) for table in tables.values()):
        raise NothingToDrawError("It needs labels of classes; this run has none.")
    groups = {case: drops_of(table, comparison.run.groups) for case, table in tables.items()}
    labels = worst_classes(groups.values())
    names = [clipped(class_name(comparison.run, label)) for label in labels]
    panels = [
        Panel(
            class_marks(group, labels, names, colours(comparison)[case.variant]),
            Axis(),
            lines_of(names),
            case.variant,
            height=16 + 17 * len(labels),
            variant=case.variant,
        )
        for case, group in groups.items()
    ]
    titles = {"x_title": "drop of accuracy within the class, pp (right is worse)", "y_title": "class"}
    return Chart(tuple(panels), (), (3, 2), "xy", **titles)


def worst_classes(groups: Iterable[Sequence[ClassDrop]]) -> list[int]:
    worst: dict[int, float] = {}
    for drop in (drop for group in groups for drop in group):
        worst[drop.label] = max(drop.drop_pp, worst.get(drop.label, drop.drop_pp))
    return sorted(sorted(worst, key=lambda label: (-worst[label], label))[:MOST_CLASSES])


def class_marks(group: Sequence[ClassDrop], labels: list[int], names: list[str], colour: str) -> list[Mark]:
    line = {label: float(n) for n, label in enumerate(labels)}
    shown = [drop for drop in group if drop.label in line]
    limits = [(drop.low_pp, line[drop.label], drop.high_pp, line[drop.label]) for drop in shown]
    dots = [Dot(drop.drop_pp, line[drop.label], drop_told(drop, names[int(line[drop.label])])) for drop in shown]
    return [Strokes([(0, -inf, 0, inf)], GREY, 0.9), Strokes(limits, colour, 1.4, opacity=0.65), Dots(dots, colour)]


def drop_told(drop: ClassDrop, name: str) -> str:
    text, low, high = with_limits(points, drop.drop_pp, drop.low_pp, drop.high_pp)
    return f"class {name}: {text} pp ({low} to {high}), {plural(drop.n, 'sample')}"


def clipped(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


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
    "Every test sample, as a point or counted in a cell, the stronger the more it counts; flips are crosses, at "
    "most 2,000 in all. Above the line (margin < 2·max |Δ|) the scores moved far enough for a flip to be possible; "
    "values of exactly 0 are drawn at the lower edge, those that are not finite at the upper one.",
    margins,
    shown_once,
    OF_CLASSES,
    of_answers=True,
)
DIFFERENCES = Plot(
    "differences",
    "Each number against Keras'",
    "Every test sample, as a point or counted in a cell, the stronger the more it counts: the variant's output "
    "less Keras', against Keras' output.",
    differences,
    shown_once,
    NO_CLASSES,
    of_answers=True,
)
DISTANCES = Plot(
    "ecdf",
    "How far the outputs moved",
    "Share of test samples whose distance from Keras is at most x; curves further left are closer. A curve "
    "has 300 steps at most.",
    distances,
    shown_once,
    of_answers=True,
)
CLASS_DROPS = Plot(
    "classes",
    "Drop per class",
    "Accuracy of Keras less the variant's within each class; the line is the two-sided 90 % interval, not "
    "corrected for multiple classes.",
    class_drops,
    shown_once,
    ("classification",),
    of_answers=True,
)
