"""The metric that a run's answers are judged by first, in words and columns, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.rows import Row
from harness.metrics import METRICS, Metric
from harness.metrics.fitting import primary_of
from harness.metrics.scores import metric_named
from harness.records import Change, Comparison, Run
from harness.support.format import MISSING, Write, decimals, percent, signed, significant


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
        """The factor from a value to what is shown."""
        return 100.0 if self.is_share else 1.0

    @property
    def sign(self) -> int:
        """1 where higher is better, −1 where lower is."""
        return 1 if self.metric.better == "higher" else -1

    def text(self, value: float | None, more: int = 0) -> str:
        if value is None:
            return MISSING
        return percent(value, more) if self.is_share else significant(value, 4 + more)

    def with_unit(self, value: float | None) -> str:
        return f"{self.text(value)} {self.unit}".strip()

    def before(self, row: Row) -> float | None:
        """Return Keras' own value; None for agreement and distance, which compare with Keras themselves."""
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

    def moved_from(self, before: float | None) -> Write:
        return lambda value, more=0: self.moved(value, before, more)

    def moved(self, value: float | None, before: float | None, more: int = 0) -> str:
        """Write the change from Keras' own value with a sign: in points of a share, in percent of an error."""
        if value is None or (self.relative and not before):
            return MISSING
        if self.relative and before:
            percents = 100 * value / before
            return signed(decimals(percents, (1 if abs(percents) >= 1 else 2) + more))
        return signed(decimals(100 * value, 2 + more) if self.is_share else significant(value, 3 + more))

    def drop_of(self, row: Row) -> tuple[float, float] | None:
        """Return the limits of the metric that says how far this one fell, in pp; None where there is none."""
        falls = (m.name for m in METRICS.values() if m.fall_of == self.name and m.estimate)
        return next((limits for name in falls if (limits := row.interval(name))), None)

    def around(self, row: Row) -> tuple[float, float] | None:
        """Return the limits of the row's value as it is shown: from those of its drop or change, else its own."""
        change, own, before = row.interval(self.change), row.interval(self.name), self.before(row)
        if (drop := self.drop_of(row)) and before is not None:
            return 100 * before - drop[1], 100 * before - drop[0]
        if change and before is not None:
            return self.scale * (before + change[0]), self.scale * (before + change[1])
        return (self.scale * own[0], self.scale * own[1]) if own else None


def primary(comparison: Comparison) -> Primary:
    return described(comparison, primary_of(comparison.run.scoring, comparison.run.task))


def described(comparison: Comparison, name: str) -> Primary:
    """Describe any metric of the run in the words and units of the first."""
    changes = [c for c in comparison.changes if c.metric == name]
    metric = metric_named(name, comparison.run.scoring) or undeclared(name, changes)
    shown = "%" if metric.in_percent else "" if metric.unit in ("fraction", "score") else metric.unit
    return Primary(metric, shown, all(c.baseline is None or c.baseline > 0 for c in changes))


def undeclared(name: str, changes: Sequence[Change]) -> Metric:
    """Describe a user's metric in a run that was stored before runs kept what such metrics say of themselves."""
    unit, better = (changes[0].unit, changes[0].better) if changes else ("", "higher")
    return Metric(name, unit=unit, better=better, title=name, about="answers")


def by_accuracy(run: Run) -> bool:
    return primary_of(run.scoring, run.task) == "accuracy"
