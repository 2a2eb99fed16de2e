"""The area under the ROC curve up to a rate of false alarms, by what each positive sample adds and by the jackknife.

A positive sample adds the rates of false alarms, up to the highest, at which it is found: the area is their mean
(Dodd & Pepe, Biometrics 59, 2003, 614–623). It is put to a scale from ½ at chance to 1 (McClish, Medical Decision
Making 9, 1989, 190–195), as scikit-learn's roc_auc_score does with max_fpr.

The jackknife knows how the samples move it, but not what few of them hide. What could have happened to those of either
side knows that (bounded.py). A limit holds where both say so, as for F1 of several labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.statistics.bootstrap import Influences, Jackknifed, OwnLimits, Statistic, WithLimits
from harness.statistics.bounded import Effects, effects_of
from harness.statistics.by_label import Both
from harness.statistics.stats import Interval


class Known(Jackknifed):
    """A value that is known, and without each sample."""

    size = 1.0

    def __init__(self, value: float, without: np.ndarray) -> None:
        self.value, self.without, self.samples = value, without, len(without)


@dataclass(frozen=True, eq=False)
class PartialArea(OwnLimits):
    """positive: bool, (samples,), with some of either kind. scores: (samples,), higher where it is more likely to be
    positive. most: the highest rate of false alarms.
    """

    positive: np.ndarray
    scores: np.ndarray
    most: float

    @cached_property
    def _hits(self) -> np.ndarray:
        """The scores of the positive samples, which rise."""
        return np.sort(self.scores[self.positive])

    @cached_property
    def _over(self) -> tuple[np.ndarray, np.ndarray]:
        """How many negative samples are over each of _hits, and as high."""
        others = np.sort(self.scores[~self.positive])
        first, last = (np.searchsorted(others, self._hits, side) for side in ("left", "right"))
        return len(others) - last, last - first

    def _found(self, over: np.ndarray, equal: np.ndarray, negatives: int) -> np.ndarray:
        """Returns what positive samples add, on McClish's scale. Where negative samples are as high as it, the curve is
        a straight line.
        """
        start, end = over / max(negatives, 1), (over + equal) / max(negatives, 1)
        reached = np.clip(self.most - start, 0, end - start)
        line = np.divide(reached**2, 2 * (end - start), out=np.zeros(len(over)), where=end > start)
        chance = self.most**2 / 2
        return np.asarray((1 + (line + np.maximum(self.most - end, 0) - chance) / (self.most - chance)) / 2)

    @cached_property
    def _each(self) -> np.ndarray:
        """What each positive sample adds, in the order of the samples."""
        found = self._found(*self._over, int((~self.positive).sum()))
        return found[np.searchsorted(self._hits, self.scores[self.positive])]

    @cached_property
    def value(self) -> float:
        return float(self._each.mean())

    @cached_property
    def _without(self) -> np.ndarray:
        """The value without each sample, (samples,); NaN where nothing is left."""
        count, negatives, (over, equal) = len(self._each), int((~self.positive).sum()), self._over
        without = np.full(len(self.positive), np.nan)
        if count > 1:
            without[self.positive] = (self._each.sum() - self._each) / (count - 1)
        if negatives > 1:
            higher, level, lower = (  # of a negative sample over it, as high as it, and under it
                np.concatenate([[0.0], np.cumsum(self._found(o, e, negatives - 1))])
                for o, e in ((over - 1, equal), (over, np.maximum(equal - 1, 0)), (over, equal))
            )
            first, last = (np.searchsorted(self._hits, self.scores[~self.positive], s) for s in ("left", "right"))
            without[~self.positive] = (higher[first] + level[last] - level[first] + lower[-1] - lower[last]) / count
        return without

    @cached_property
    def _known(self) -> Known:
        return Known(self.value, self._without)

    @property
    def _slope(self) -> float:
        """How far the value falls, as a share, where a share of the negative samples comes to lie over all others."""
        return 1 / (2 * self.most - self.most**2)

    def _effects(self, each: np.ndarray, low: float, moved: WithLimits, below: float) -> Effects:
        """Returns what the positive samples add, and how far the negative ones move it, two strata. each, low: of the
        positive ones. below: how far a negative one may lie under the highest that is possible to it.
        """
        assert isinstance(moved, Influences)
        negative = ~self.positive
        others = moved.moved[negative] * negative.mean()  # as effects of a stratum by itself
        others = others - others.mean()
        high = max(float(others.max()), below - self._slope)
        ends = [low, min(float(others.min()), high - below)], [1.0, high]
        strata = np.repeat([0, 1], [len(each), len(others)])
        return effects_of(strata, np.concatenate([each, others]), *ends, [1, 0])

    @cached_property
    def alone(self) -> Both:
        found = self._known.alone
        least = float(self._found(np.array([1]), np.array([0]), 1)[0])
        return Both(found, self._effects(self._each, least, found, self._slope))

    def limits(self, confidence: float) -> Interval:
        found = super().limits(confidence)
        return Interval(max(found.low, 0.0), min(found.high, 1.0))

    def less(self, other: Statistic) -> Both:
        assert isinstance(other, PartialArea)
        found = self._known.less(other._known)
        return Both(found, self._effects(self._each - other._each, -1.0, found, 2 * self._slope))

    def growth(self, other: Statistic) -> Both:
        assert isinstance(other, PartialArea)
        return Both(self._known.growth(other._known), self.less(other).bounded.times(1 / other.value))
