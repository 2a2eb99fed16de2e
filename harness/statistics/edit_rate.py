"""Edits over what there is to read, such as WER: a ratio of two sums over samples, which has no upper bound.

The samples are resampled whole, with their edits and their words, since long texts weigh more (bootstrap.py). What a
resample cannot show, texts that are lost in some of their kind though in none of these, is bounded by what could have
happened to the longest of them (bounded.py). A limit holds where both say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.records import Absent
from harness.statistics.bootstrap import Means, OwnLimits, Statistic
from harness.statistics.bounded import Effects, effects_of
from harness.statistics.by_label import Both


@dataclass(frozen=True, eq=False)
class EditRate(OwnLimits):
    """edits, units: of each sample, (samples,); the value is Σ edits / Σ units. Raises Absent without any unit."""

    edits: np.ndarray
    units: np.ndarray

    def __post_init__(self) -> None:
        if not self.units.any():
            raise Absent("no value: every label is empty")

    @property
    def size_bytes(self) -> int:
        """The size of what is copied where some samples are left out."""
        return self.edits.nbytes + self.units.nbytes

    def of(self, chosen: np.ndarray) -> EditRate:
        """Returns the same of these samples. chosen: bool, (samples,)."""
        return EditRate(self.edits[chosen], self.units[chosen])

    @cached_property
    def value(self) -> float:
        return float(self.edits.sum() / self.units.sum())

    @cached_property
    def _means(self) -> Means:
        return Means(np.stack([self.edits, self.units], axis=1), ratio)

    @cached_property
    def alone(self) -> Both:
        return Both(self._means.alone, self._effects(self.edits, 0.0))

    def less(self, other: Statistic) -> Both:
        assert isinstance(other, EditRate)
        return Both(self._means.less(other._means), self._effects(self.edits - other.edits, -1.0))

    def growth(self, other: Statistic) -> Both:
        assert isinstance(other, EditRate)
        moved = self._effects(self.edits - other.edits, -1.0)
        return Both(self._means.growth(other._means), moved.times(1 / other.value) if other.value else moved)

    def _effects(self, edits: np.ndarray, least: float) -> Effects:
        """Returns the rate of these edits by what each sample adds to it, linearised: the most is what the longest
        text adds where it is lost, or what one of these added.
        """
        rate, mean = edits.sum() / self.units.sum(), self.units.mean()
        each = rate + (edits - rate * self.units) / mean
        ends = [min(least, float(each.min()))], [max(float(self.units.max() / mean), float(each.max()))]
        return effects_of(np.zeros(len(each), int), each, *ends)


def ratio(means: np.ndarray) -> np.ndarray:
    return np.asarray(means[..., 0] / means[..., 1])
