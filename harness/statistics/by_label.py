"""Macro F1 of samples with several labels: by the bootstrap-t and by what could have happened to each label.

Resamples know that the labels of a sample may be lost together, but not what a rare label hides that the test set does
not show. Strata, the samples with a label and those without it, know that (bounded.py), but take labels for
independent. A limit holds where both say so, and the interval is as wide as the wider of the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.statistics.bootstrap import SILENT, Influences, Means, OwnLimits, Statistic, Unmoved, WithLimits
from harness.statistics.bounded import Effects, effects_of
from harness.statistics.stats import Interval

OF_LOSS = (
    1.5  # how much wider an interval is that few samples carry, to prove a loss: by 1, 7.6 % failed at their limit
)


@dataclass(frozen=True, eq=False)
class Both:
    """One value with two kinds of limits: both have to hold."""

    resampled: WithLimits
    bounded: Effects

    @property
    def value(self) -> float:
        return self.resampled.value

    @property
    def still(self) -> bool:
        """Whether resamples say nothing, since all are the same, as of a model that lost every answer."""
        found = self.resampled
        return isinstance(found, Influences) and found.still and not isinstance(found.nothing(), Unmoved)

    @property
    def doubt(self) -> str:
        return "" if self.resampled.doubt == SILENT else self.resampled.doubt

    @property
    def unproven(self) -> str:
        """Nothing: what samples that were not seen could make better is bounded, however few were seen."""
        return self.bounded.unproven

    def limits(self, confidence: float) -> Interval:
        other = self.bounded.limits(confidence)
        if self.still:
            return other
        try:
            one = self.resampled.limits(confidence)
        except Unmoved:
            return other
        return Interval(min(one.low, other.low), max(one.high, other.high))

    def p(self, limit: float, better: int = 1) -> float:
        other = self.bounded.p(limit, better)
        return other if self.still else max(self.resampled.p(limit, better), other)

    def p_of_loss(self, limit: float, better: int) -> float:
        """Few samples may carry the value here: those that were not seen are bounded, and so is what they carry."""
        other = self.bounded.p(limit, -better)
        if self.still or not isinstance(self.resampled, Influences):
            return other
        return max(replace(self.resampled, wariness=OF_LOSS).p(limit, -better), other)

    def words(self, confidence: float) -> str:
        labels = len(set(self.bounded.labels))
        bounds = f"likelihood with what could have happened{f' to {labels} labels' if labels > 1 else ''}"
        return bounds if self.still else f"{self.resampled.words(confidence)}, and {bounds}"

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        each = [kind.times_to_settle(limit, better, alpha, power) for kind in (self.resampled, self.bounded)]
        times = [found for found in each if found is not None]
        return max(times) if len(times) == len(each) else None


@dataclass(frozen=True, eq=False)
class LabelF1(OwnLimits):
    """The mean over the labels of 2·hits / (wanted + given). wanted, given: bool, (samples, labels)."""

    wanted: np.ndarray
    given: np.ndarray

    @cached_property
    def _means(self) -> Means:
        columns = [2.0 * (self.wanted & self.given), 1.0 * self.wanted + self.given]
        return Means(np.concatenate(columns, axis=1), mean_share)

    @property
    def value(self) -> float:
        return self._means.value

    @cached_property
    def alone(self) -> Both:
        perfect = replace(self, given=self.wanted)
        return Both(self._means.alone, self._from(perfect).plus(1.0))

    def less(self, other: Statistic) -> Both:
        assert isinstance(other, LabelF1)
        return Both(self._means.less(other._means), self._from(other))

    def growth(self, other: Statistic) -> Both:
        assert isinstance(other, LabelF1)
        return Both(self._means.growth(other._means), self._from(other).times(1 / other.value))

    @cached_property
    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """How far one more hit, and one more answer, of each label moves the mean, (labels,) each."""
        whole = self.wanted.sum(axis=0) + self.given.sum(axis=0)
        counted, hits = whole > 0, (self.wanted & self.given).sum(axis=0)
        divisor = np.where(counted, whole, np.inf)
        return 2 / divisor / counted.sum(), -2 * hits / divisor**2 / counted.sum()

    def _from(self, before: LabelF1) -> Effects:
        """Returns value − before.value by what each sample adds to each label, by the mean of the slopes at both."""
        hit, given = (sum(both) / 2 for both in zip(self.slopes, before.slopes, strict=True))
        moved = 1.0 * self.given - before.given
        each = moved * (given + hit * self.wanted)
        strata = 2 * np.arange(each.shape[1]) + self.wanted  # without the label, and with it
        sizes = np.bincount(strata.ravel(), minlength=2 * each.shape[1])
        there = np.flatnonzero(sizes)
        worst = np.abs(np.stack([given, given + hit], axis=1).ravel() * sizes)[there]
        scaled = (each * sizes[strata]).ravel()
        labels = (there // 2).tolist()
        found = effects_of(np.searchsorted(there, strata.ravel()), scaled, (-worst).tolist(), worst.tolist(), labels)
        return found.plus(self.value - before.value - found.value)


def mean_share(mean: np.ndarray) -> np.ndarray:
    """Divides the first half of the columns by the second, and averages where the divisor is not 0."""
    part, whole = np.split(mean, 2, axis=-1)
    shares = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return np.asarray(shares.sum(axis=-1) / (whole > 0).sum(axis=-1))
