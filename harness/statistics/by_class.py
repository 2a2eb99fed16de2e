"""Scores of classes, balanced accuracy and macro F1, as sums of what each sample adds: the strata are the classes.

Both are the mean over the classes of hits / (a · samples + b · answers): a, b = 1, 0 for recall and ½, ½ for F1. From
one set of answers to another, each sample that got another answer adds its part, by the mean of the slopes at both
(trapezoid); a sample that did not adds nothing. The score itself is how far the answers are from the labels, which
score 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.statistics.bootstrap import OwnLimits, Statistic
from harness.statistics.bounded import Effects, effects_of

FEWEST_SAMPLES = 299  # with fewer, a class of which the test set has no sample may be more than one in a hundred
ABSENT = "the test set has no sample of class {}, and of {} samples a class that is one in 100 may be missing"


@dataclass(frozen=True, eq=False)
class Slopes:
    """How the score moves with one more hit, and one more answer, of each class, (classes,)."""

    hits: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True, eq=False)
class ClassScore(OwnLimits):
    """One model's answers, scored."""

    labels: np.ndarray  # (samples,), 0 to classes − 1
    answers: np.ndarray  # (samples,)
    classes: int
    share: float  # how much the answers count in the divisor, the samples the rest: 0 for recall, ½ for F1

    @cached_property
    def _samples(self) -> np.ndarray:
        return np.bincount(self.labels, minlength=self.classes)

    @cached_property
    def _given(self) -> np.ndarray:
        return np.bincount(self.answers, minlength=self.classes)

    @cached_property
    def _hits(self) -> np.ndarray:
        return np.bincount(self.labels[self.labels == self.answers], minlength=self.classes)

    @cached_property
    def _divisor(self) -> np.ndarray:
        return (1 - self.share) * self._samples + self.share * self._given

    @cached_property
    def _scored(self) -> np.ndarray:
        """Whether a class counts: it has samples or, where answers count, answers."""
        return self._divisor > 0

    @cached_property
    def value(self) -> float:
        """NaN where no class counts."""
        if not self._scored.any():
            return math.nan
        return float((self._hits[self._scored] / self._divisor[self._scored]).mean())

    def without_units(self, units: np.ndarray) -> np.ndarray:
        """Returns the score without each unit. units: of each sample, from 0."""
        shape = int(units.max()) + 1, self.classes
        samples, given, hits = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        np.add.at(samples, (units, self.labels), 1)
        np.add.at(given, (units, self.answers), 1)
        np.add.at(hits, (units, self.labels), self.labels == self.answers)
        left = self._hits - hits
        divisor = (1 - self.share) * (self._samples - samples) + self.share * (self._given - given)
        scores = np.divide(left, divisor, out=np.zeros(shape), where=divisor > 0)
        return np.asarray(scores.sum(axis=1) / (divisor > 0).sum(axis=1))

    @cached_property
    def _slopes(self) -> Slopes:
        divisor = np.where(self._scored, self._divisor, np.inf)
        count = self._scored.sum()
        return Slopes(1 / divisor / count, -self.share * self._hits / divisor**2 / count)

    @cached_property
    def alone(self) -> Effects:
        perfect = replace(self, answers=self.labels)
        return self._from(perfect).plus(1.0)

    def _from(self, before: ClassScore) -> Effects:
        """Returns value − before.value by what each sample adds."""
        both = (self._slopes, before._slopes)
        hit, given = (sum(getattr(s, name) for s in both) / 2 for name in ("hits", "answers"))
        y, one, other = self.labels, before.answers, self.answers
        each = hit[y] * ((other == y) * 1.0 - (one == y)) + given[other] - given[one]
        present = np.flatnonzero(self._samples)
        sizes = self._samples[present]
        worst = hit[present] + given[present] - given.min()  # a right answer that becomes the costliest wrong one
        strata = np.searchsorted(present, y)
        ends = -worst * sizes, worst * sizes
        low, high = (end.tolist() for end in ends)
        effects = effects_of(strata, each * sizes[strata], low, high, present.tolist())
        moved = self.value - before.value - effects.value
        return replace(effects.plus(moved), doubt=self.doubt)

    @property
    def doubt(self) -> str:
        absent = np.flatnonzero(self._samples == 0)
        few = len(absent) and len(self.labels) < FEWEST_SAMPLES
        return ABSENT.format(", ".join(map(str, absent[:5])), len(self.labels)) if few else ""

    def less(self, other: Statistic) -> Effects:
        assert isinstance(other, ClassScore)
        return self._from(other)

    def growth(self, other: Statistic) -> Effects:
        return self.less(other).times(1 / other.value)
