"""The metric that a run's answers are judged by first, in words and columns, whatever it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.metrics.fitting import primary_of
from harness.records import Comparison, Run
from harness.report.phrases import by_variant, names, place, span, trusted
from harness.report.rows import Row
from harness.report.units import MISSING, decimals, listed, percent, significant

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "agreement": "Agreement",
    "f1": "F1",
    "auc": "AUC",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "distance": "Distance",
}
SHARES = re.compile(r"accuracy|agreement|balanced_accuracy|top\d+_accuracy")  # told in %
TOP_K = re.compile(r"top(\d+)_accuracy")


@dataclass(frozen=True)
class Primary:
    """unit: as its values are told. better: lower, higher."""

    name: str
    unit: str
    better: str

    @property
    def title(self) -> str:
        found = TOP_K.fullmatch(self.name)
        return f"Top-{found[1]} accuracy" if found else TITLES.get(self.name, self.name)

    @property
    def change(self) -> str:
        """The metric that says how far it moved from Keras'."""
        return f"{self.name}_change"

    @property
    def is_share(self) -> bool:
        return bool(SHARES.fullmatch(self.name))

    def text(self, value: float | None) -> str:
        if value is None:
            return MISSING
        return percent(value) if self.is_share else significant(value, 4)

    def told(self, value: float | None) -> str:
        """With its unit."""
        return f"{self.text(value)} {self.unit}".strip()

    def moved(self, value: float | None, before: float | None) -> str:
        """How far it moved from Keras' own value, with a sign: in points of a share, in percents of an error."""
        if value is None or (self.relative and not before):
            return MISSING
        if self.relative and before:
            return signed(100 * value / before)
        text = decimals(100 * value, 2) if self.is_share else significant(value)
        return text if text.startswith("−") or not text.strip("0.") else f"+{text}"

    @property
    def relative(self) -> bool:
        """Whether how far it moved is told in % of Keras' own value: of errors, which are over zero."""
        return self.better == "lower" and not self.is_share

    @property
    def moved_unit(self) -> str:
        return "pp" if self.is_share else "%" if self.relative else self.unit


def primary(comparison: Comparison) -> Primary:
    run = comparison.run
    name = primary_of(run.scoring, run.task)
    found = next((c for c in comparison.changes if c.metric == name), None)
    unit, better = (found.unit, found.better) if found else ("", "higher")
    shown = "%" if SHARES.fullmatch(name) else "" if unit in ("fraction", "score") else unit
    return Primary(name, shown, better)


def by_accuracy(run: Run) -> bool:
    return primary_of(run.scoring, run.task) == "accuracy"


# --- words ---------------------------------------------------------------------------------------------------------


def headline(comparison: Comparison, shown: tuple[Row, ...]) -> str:
    """The metric over all rows, beside Keras'; of the one row there is also how far it moved."""
    metric = primary(comparison)
    found = [r for r in trusted(shown) if r.value(metric.name) is not None]
    if len(found) == 1:
        return said(found[0], metric)
    values = [v for r in found if (v := r.value(metric.name)) is not None]
    kerass = f" against Keras' {metric.told(before)}" if found and (before := before_of(found[0], metric)) else ""
    return span(f"{metric.title} {{}}{f' {metric.unit}' if metric.unit else ''}{kerass}", values, metric.text)


def before_of(row: Row, metric: Primary) -> float | None:
    """Keras' own value; None where the metric has none but being equal."""
    change = row.changes.get(metric.name)
    return change.baseline if change and metric.name not in ("agreement", "distance") else None


def sentences(comparison: Comparison, shown: tuple[Row, ...]) -> list[str]:
    """What each variant costs or gains: only where the interval leaves no change out."""
    metric = primary(comparison)
    found = [r for r in trusted(shown) if r.value(metric.name) is not None]
    moved = [r for r in found if r.interval(metric.change)]
    same = [
        r for r in moved if (r.interval(metric.change) or (0, 0))[0] <= 0 <= (r.interval(metric.change) or (0, 0))[1]
    ]
    told = [furthest(group, metric) for group in by_variant(r for r in moved if r not in same).values()]
    told += [f"{said(r, metric)}." for r in found if r not in moved and before_of(r, metric) is None]
    if same:
        reach, before = max(reaches(r, metric) for r in same)
        unit = f" {metric.moved_unit}" if metric.moved_unit else ""
        told.append(
            f"For {names(same, found)} no change of {lowered(metric.title)} is shown: each 90 % interval holds 0, and "
            f"one of {at_most(metric.moved(reach, before))}{unit} remains possible."
        )
    return told


def at_most(text: str) -> str:
    """Rounded to nothing is not nothing."""
    return "under 0.01" if text == "0.00" else text.lstrip("+")


def reaches(row: Row, metric: Primary) -> tuple[float, float]:
    """The larger end of the interval in size, and Keras' own value."""
    return max(abs(end) for end in row.interval(metric.change) or (0.0,)), before_of(row, metric) or 0.0


def furthest(group: list[Row], metric: Primary) -> str:
    """Of the rows of one variant the one that moved most."""
    row = max(group, key=lambda r: abs(r.value(metric.change) or 0))
    worse = ((row.value(metric.change) or 0) > 0) == (metric.better == "lower")
    others = f"; the same way in {listed([place(r) for r in group if r is not row])}" if len(group) > 1 else ""
    hardly = "hardly " if metric.moved(row.value(metric.change), before_of(row, metric)) == "0.00" else ""
    return f"{said(row, metric)}, {hardly}{'worse' if worse else 'better'} with {place(row)}{others}."


def said(row: Row, metric: Primary) -> str:
    """int8: MAE 0.213 against Keras' 0.211: +0.8 % (90 % interval −0.1 to +1.9)."""
    text = f"{row.case.variant}: {metric.title} {metric.told(row.value(metric.name))}"
    before = before_of(row, metric)
    if before is None:
        limits = row.interval(metric.name)
        return f"{text} (90 % interval {metric.text(limits[0])} to {metric.text(limits[1])})" if limits else text
    return f"{text} against Keras' {metric.told(before)}{apart(row, metric, before)}"


def apart(row: Row, metric: Primary, before: float) -> str:
    """How far it moved: points of a share, percents of a positive number, else in its unit."""
    value, limits = row.value(metric.change), row.interval(metric.change)
    if value is None:
        return ""
    ends = [metric.moved(end, before) for end in limits or ()]
    within = f" (90 % interval {ends[0]} to {ends[1]})" if ends else ""
    return f": {metric.moved(value, before)}{f' {metric.moved_unit}' if metric.moved_unit else ''}{within}"


def signed(value: float) -> str:
    text = decimals(value, 1 if abs(value) >= 1 else 2)
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"


def lowered(title: str) -> str:
    """A word in the middle of a sentence; abbreviations stay."""
    return title if title[:2].isupper() or not title[:1].isupper() else title[0].lower() + title[1:]


def conversion(shown: tuple[Row, ...]) -> list[str]:
    """The control against Keras, where answers are numbers."""
    found = [r for r in trusted(shown) if r.case.variant == "float32" and r.value("max_abs_diff") is not None]
    if not found:
        return []
    worst = max(found, key=lambda r: r.value("max_abs_diff") or 0)
    gap = significant(worst.value("max_abs_diff"), 2)
    told = (
        f"No number of the control float32 is further than {gap} from Keras' ({place(worst)}): that is conversion; "
        "what the other variants differ by beyond it is quantisation."
    )
    return [told]
