"""Limits of shares over samples that come in groups, such as frames of one clip: groups are independent of each other.

A share is a sum over groups, over another: samples lost less samples won, over all samples; or over the errors made
before. Its variance is that of a ratio estimator, from the groups' residuals (Durkalski et al., Statistics in Medicine
22, 2003, 279–290 and 2417–2428, for paired answers; Yang, Sun & Hardin, Computational Statistics & Data Analysis 56,
2012, 1301–1320). Its quantile is Student's, with as many degrees of freedom as there are groups of equal weight,
(Σn)² / Σn², less one.

Where few groups changed, that alone is far too narrow. Of 100 groups in which nothing changed its limit is 0; but if
one group in 50 fails whole, 100 groups without such a one are seen 13 times in 100. So a = (t² + 2) / 3 groups of the
largest size are added that went as badly as can be: to this order the upper limit of a Poisson count b is b + t √b + a,
by Cornish and Fisher's expansion. tests/test_clustered.py simulates how often a model at the limit passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from harness.statistics.power import times_until
from harness.statistics.stats import Interval, clopper_pearson, tango

LEAST_EFFECTIVE = 10  # of equal weight; with fewer nothing is decided
FARTHEST_T = 1e3
STEPS = 100  # of a bisection
MOST_SHARE = 1e6


def sizes_of(groups: np.ndarray) -> np.ndarray:
    """Returns how many samples each group has. groups: the group of each sample, (samples,)."""
    counts = np.bincount(groups)
    return counts[counts > 0]


def group_words(groups: np.ndarray) -> str:
    """Says how many groups there are, and of how many samples."""
    sizes = sizes_of(groups)
    least, most = int(sizes.min()), int(sizes.max())
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{len(sizes):,} {'group' if len(sizes) == 1 else 'groups'} of {each} sample{'' if most == 1 else 's'}"


@dataclass(frozen=True, eq=False)
class Clustered:
    """A share of group sums. counts, bases, sizes: of each group, (groups,): what is counted, what it is a share of,
    and its samples. most, least: count and base of the sample that raises the share most, and of the one that lowers
    it most.
    """

    counts: np.ndarray
    bases: np.ndarray
    sizes: np.ndarray
    most: tuple[float, float]
    least: tuple[float, float]

    @classmethod
    def of_rate(cls, counted: np.ndarray, groups: np.ndarray) -> Clustered:
        """Returns the share of samples that count. counted: of each sample, bool, (samples,)."""
        sums, sizes = summed(groups, counted)
        return cls(sums, sizes, sizes, (1, 1), (0, 1))

    @classmethod
    def of_drop(cls, before: np.ndarray, after: np.ndarray, groups: np.ndarray, of: str = "all") -> Clustered:
        """Returns what is lost of what was right before, of "all" samples, or of those "right" or "wrong" before.

        before, after: whether each sample is right, bool, (samples,).
        """
        base = {"all": np.ones(len(before)), "right": before, "wrong": ~before}[of]
        lost, bases, sizes = summed(groups, before.astype(float) - after, base)
        return cls(lost, bases, sizes, (1, float(of != "wrong")), (-1, float(of != "right")))

    @property
    def value(self) -> float:
        return float(self.counts.sum() / self.bases.sum())

    @property
    def effective(self) -> float:
        """How many groups of equal weight these are worth."""
        return float(self.sizes.sum() ** 2 / np.square(self.sizes).sum())

    @cached_property
    def freedom(self) -> float:
        return max(self.effective - 1, 1.0)

    def limits(self, confidence: float = 0.90, times: float = 1) -> Interval:
        """Returns two-sided limits of the share. times: as if there were so many times these groups."""
        t = self.t_at((1 + confidence) / 2, times)
        lowest, highest = (count / base if base else count * math.inf for count, base in (self.least, self.most))
        return Interval(max(lowest, -self.limit(t, -1, times)), min(highest, self.limit(t, 1, times)))

    def t_at(self, level: float, times: float = 1) -> float:
        return float(stdtrit(max(times * self.effective - 1, 1.0), level))

    def limit(self, t: float, sign: int, times: float = 1) -> float:
        """Returns the upper limit of the share, or where sign is −1 that of the share times −1: where `excess` is 0."""
        low = sign * self.value
        high = low + 1
        while self.excess(sign * high, t, sign, times) > 0:
            if high > MOST_SHARE:
                return math.inf
            high = 2 * high + 1
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.excess(sign * middle, t, sign, times) > 0 else (low, middle)
        return high

    def excess(self, share: float, t: float, sign: int, times: float = 1, luck: float = 0) -> float:
        """Returns the upper limit, in samples a sample, of how far the counts exceed this share of the bases; so many
        standard errors higher as bad luck may be.
        """
        count, base = self.most if sign > 0 else self.least
        largest, added = float(self.sizes.max()), (t * t + 2) / 3
        each, worst = sign * (self.counts - share * self.bases), sign * (count - share * base) * largest
        samples, groups = times * self.sizes.sum() + added * largest, times * len(self.sizes) + added
        mean = (times * each.sum() + added * worst) / samples
        squares = times * np.square(each - self.sizes * mean).sum() + added * (worst - largest * mean) ** 2
        return float(mean + (t + luck) * math.sqrt(groups / (groups - 1) * squares) / samples)

    def p(self, share: float, sign: int = 1) -> float:
        """Returns the one-sided p-value of H0: the share is at least this one; where sign is −1, at most. At most ½."""
        low, high = 0.0, FARTHEST_T
        if self.excess(share, low, sign) >= 0:
            return 0.5
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.excess(share, middle, sign) < 0 else (low, middle)
        return float(stdtr(self.freedom, -low))

    def times_to_settle(self, share: float, confidence: float, power: float = 0.5) -> float | None:
        """Returns how many times these groups would exclude the share from the limits, of two sides, so often, if they
        show the true share. None: never.
        """
        sign, luck, fewest = 1 if self.value < share else -1, float(ndtri(power)), LEAST_EFFECTIVE / self.effective

        def settled(times: float) -> bool:
            t = self.t_at((1 + confidence) / 2, times)
            return times >= fewest and self.excess(share, t, sign, times, luck) < 0

        return times_until(settled)

    def without_a_change(self) -> Clustered:
        """Returns the same groups as if nothing were counted in any."""
        return Clustered(np.zeros_like(self.counts), self.bases, self.sizes, self.most, self.least)


def drop_limits(
    before: np.ndarray, after: np.ndarray, groups: np.ndarray | None, confidence: float = 0.90
) -> tuple[Interval, str]:
    """Returns two-sided limits of the drop, and their method in words: by groups, or by Tango where there are none.

    before, after: whether each sample is right, bool, (samples,).
    """
    if groups is None:
        return tango(int((before & ~after).sum()), int((~before & after).sum()), len(before), confidence), "Tango"
    return Clustered.of_drop(before, after, groups).limits(confidence), words_of(groups)


def rate_limits(counted: np.ndarray, groups: np.ndarray | None, confidence: float = 0.90) -> tuple[Interval, str]:
    """Returns two-sided limits of the share of samples that count, and their method in words. counted: bool."""
    if groups is None:
        return clopper_pearson(int(counted.sum()), len(counted), confidence), "Clopper–Pearson"
    return Clustered.of_rate(counted, groups).limits(confidence), words_of(groups)


def words_of(groups: np.ndarray) -> str:
    return f"clustered, {group_words(groups)}"


def summed(groups: np.ndarray, *each: np.ndarray) -> list[np.ndarray]:
    """Returns the sum over each group of these numbers, one a sample, and last the groups' sizes: float64 arrays."""
    sizes = np.bincount(groups)
    there = sizes > 0
    return [np.bincount(groups, numbers)[there] for numbers in each] + [sizes[there].astype(np.float64)]
