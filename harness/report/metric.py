"""The metric that a run's answers are judged by first, in words and columns, whatever it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.metrics import METRICS, Metric
from harness.metrics.fitting import primary_of
from harness.metrics.scores import metric_named
from harness.records import CONTROL, Change, Comparison, Run
from harness.report.format import MISSING, decimals, listed, percent, signed, significant
from harness.report.rows import Row
from harness.report.words.phrases import by_variant, names, place, span, trusted


@dataclass(frozen=True)
class Primary:
    """A metric as a report shows it. unit: that of the values shown. positive: Keras' own is over 0."""

    metric: Metric
    unit: str
    positive: bool = True

    # --- what it is called ---

    @property
    def name(self) -> str:
        return self.metric.name

    @property
    def title(self) -> str:
        return self.metric.title

    @property
    def lowered(self) -> str:
        """The title inside a sentence; abbreviations stay as they are."""
        title = self.title
        return title if title[:2].isupper() or not title[:1].isupper() else title[0].lower() + title[1:]

    @property
    def change(self) -> str:
        """The metric that says how far it moved from Keras'."""
        return f"{self.name}_change"

    # --- its values ---

    @property
    def is_share(self) -> bool:
        return self.metric.in_percent

    @property
    def scale(self) -> float:
        """By which a value is multiplied to be shown."""
        return 100.0 if self.is_share else 1.0

    @property
    def sign(self) -> int:
        """1 where higher is better, −1 where lower is."""
        return 1 if self.metric.better == "higher" else -1

    def text(self, value: float | None) -> str:
        if value is None:
            return MISSING
        return percent(value) if self.is_share else significant(value, 4)

    def with_unit(self, value: float | None) -> str:
        return f"{self.text(value)} {self.unit}".strip()

    def before(self, row: Row) -> float | None:
        """Keras' own value; None for agreement and distance, which compare with Keras themselves."""
        change = row.changes.get(self.name)
        return change.baseline if change and not self.metric.to_baseline else None

    # --- how far they moved ---

    @property
    def relative(self) -> bool:
        """Whether a change is shown in % of Keras' own value: of errors, which are positive."""
        return self.metric.better == "lower" and not self.is_share and self.positive

    @property
    def moved_unit(self) -> str:
        return "pp" if self.is_share else "%" if self.relative else self.unit

    def moved(self, value: float | None, before: float | None) -> str:
        """The change from Keras' own value, with a sign: in points of a share, in percent of an error."""
        if value is None or (self.relative and not before):
            return MISSING
        if self.relative and before:
            percents = 100 * value / before
            return signed(decimals(percents, 1 if abs(percents) >= 1 else 2))
        return signed(decimals(100 * value, 2) if self.is_share else significant(value))

    def drop_of(self, row: Row) -> tuple[float, float] | None:
        """The limits of the metric that says how far it fell, in pp; None where there is none."""
        falls = (m.name for m in METRICS.values() if m.fall_of == self.name and m.estimate)
        return next((limits for name in falls if (limits := row.interval(name))), None)

    def around(self, row: Row) -> tuple[float, float] | None:
        """Limits of the row's value as it is shown: Keras' own and those of the drop or the change, else its own."""
        change, own, before = row.interval(self.change), row.interval(self.name), self.before(row)
        if (drop := self.drop_of(row)) and before is not None:
            return 100 * before - drop[1], 100 * before - drop[0]
        if change and before is not None:
            return self.scale * (before + change[0]), self.scale * (before + change[1])
        return (self.scale * own[0], self.scale * own[1]) if own else None


def primary(comparison: Comparison) -> Primary:
    return described(comparison, primary_of(comparison.run.scoring, comparison.run.task))


def described(comparison: Comparison, name: str) -> Primary:
    """A metric of the run in the same words and units."""
    changes = [c for c in comparison.changes if c.metric == name]
    metric = metric_named(name, comparison.run.scoring) or undeclared(name, changes)
    shown = "%" if metric.in_percent else "" if metric.unit in ("fraction", "score") else metric.unit
    return Primary(metric, shown, all(c.baseline is None or c.baseline > 0 for c in changes))


def undeclared(name: str, changes: Sequence[Change]) -> Metric:
    """A user's metric in a run that was stored before runs kept what such metrics say of themselves."""
    unit, better = (changes[0].unit, changes[0].better) if changes else ("", "higher")
    return Metric(name, unit=unit, better=better, title=name, about="answers")


def by_accuracy(run: Run) -> bool:
    return primary_of(run.scoring, run.task) == "accuracy"


# --- words ---------------------------------------------------------------------------------------------------------


def headline(metric: Primary, shown: Iterable[Row]) -> str:
    """The metric over all rows, beside Keras'; of a single row also how far it moved."""
    found = _valued(metric, shown)
    if len(found) == 1:
        return _row(found[0], metric)
    values = [v for r in found if (v := r.value(metric.name)) is not None]
    kerass = f" against Keras' {metric.with_unit(before)}" if found and (before := metric.before(found[0])) else ""
    return span(f"{metric.title} {{}}{_spaced(metric.unit)}{kerass}", values, metric.text)


def _valued(metric: Primary, shown: Iterable[Row]) -> list[Row]:
    return [r for r in trusted(shown) if r.value(metric.name) is not None]


def sentences(metric: Primary, shown: Iterable[Row]) -> list[str]:
    """What each variant costs or gains: only where the interval excludes 0."""
    shown = list(shown)
    found = _valued(metric, shown)
    if shown and not found and (why := why_none(metric, shown)):
        return [why]
    limits = {r.case: ends for r in found if (ends := r.interval(metric.change))}
    same = [r for r in found if r.case in limits and limits[r.case][0] <= 0 <= limits[r.case][1]]
    moved = [r for r in found if r.case in limits and r not in same]
    said = [_furthest(group, metric) for group in by_variant(moved).values()]
    said += [f"{_row(r, metric)}." for r in found if r.case not in limits and metric.before(r) is None]
    return [*said, _unmoved(same, found, metric)] if same else said


def why_none(metric: Primary, shown: Iterable[Row]) -> str:
    """Why no row has a value of it; "" where one has, or nobody knows."""
    changes = [change for row in shown if (change := row.changes.get(metric.name))]
    if not changes or any(change.value is not None for change in changes):
        return ""
    return f"{metric.title} is not available: {changes[0].method}."


def _unmoved(same: list[Row], found: list[Row], metric: Primary) -> str:
    reach, before = max(_reach(r, metric) for r in same)
    shown = f"No change of {metric.lowered} is shown for {names(same, found)}: each 90 % interval includes 0"
    at_most = f"{_at_most(metric.moved(reach, before))}{_spaced(metric.moved_unit)}"
    return f"{shown}, and a change of {at_most} remains possible." if reach else f"{shown}."


def _reach(row: Row, metric: Primary) -> tuple[float, float]:
    """The larger end of the interval in size, and Keras' own value."""
    return max(abs(end) for end in row.interval(metric.change) or (0.0,)), metric.before(row) or 0.0


def _at_most(text: str) -> str:
    """A change that is rounded to nothing is still there."""
    return "under 0.01" if text == "0.00" else f"up to {text.lstrip('+')}"


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""


def _furthest(group: list[Row], metric: Primary) -> str:
    """The row of one variant that moved most."""
    row = max(group, key=lambda r: abs(r.value(metric.change) or 0))
    worse = metric.sign * (row.value(metric.change) or 0) < 0
    others = f"; the same way in {listed([place(r) for r in group if r is not row])}" if len(group) > 1 else ""
    hardly = "hardly " if metric.moved(row.value(metric.change), metric.before(row)) == "0.00" else ""
    return f"{_row(row, metric)}, {hardly}{'worse' if worse else 'better'} with {place(row)}{others}."


def _row(row: Row, metric: Primary) -> str:
    """int8: MAE 0.213 against Keras' 0.211: +0.8 % (90 % interval −0.1 to +1.9)."""
    text = f"{row.case.variant}: {metric.title} {metric.with_unit(row.value(metric.name))}"
    before = metric.before(row)
    if before is None:
        limits = row.interval(metric.name)
        return f"{text} (90 % interval {metric.text(limits[0])} to {metric.text(limits[1])})" if limits else text
    return f"{text} against Keras' {metric.with_unit(before)}{_apart(row, metric, before)}"


def _apart(row: Row, metric: Primary, before: float) -> str:
    """How far it moved from Keras' own value, with its interval."""
    value, limits = row.value(metric.change), row.interval(metric.change)
    if value is None:
        return ""
    ends = [metric.moved(end, before) for end in limits or ()]
    within = f" (90 % interval {ends[0]} to {ends[1]})" if ends else ""
    return f": {metric.moved(value, before)}{_spaced(metric.moved_unit)}{within}"


def conversion(shown: Iterable[Row]) -> list[str]:
    """The control against Keras, where outputs are numbers."""
    found = [r for r in trusted(shown) if r.case.variant == CONTROL and r.value("max_abs_diff") is not None]
    if not found:
        return []
    worst = max(found, key=lambda r: r.value("max_abs_diff") or 0)
    gap = significant(worst.value("max_abs_diff"), 2)
    text = (
        f"No output of the control float32 differs from Keras' by more than {gap} ({place(worst)}): this is due to "
        "conversion; any larger difference of another variant is due to quantisation."
    )
    return [text]
