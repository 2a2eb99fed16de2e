"""ECE, JS and SQNR as statistics of a sample: another test set would say something else.

The tables show their values (metrics/outputs.py); rules on them are judged by the limits that are made here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from scipy.special import bdtr, bdtrc, ndtr

from harness.metrics.discrepancy import divergence, top1
from harness.metrics.outputs import BINS, confidence, confidence_of_logits, energy, noise_energy
from harness.metrics.registry import Answers, OfAnswers
from harness.metrics.task import are_logits, row_by_row
from harness.records import Absent
from harness.statistics import stats
from harness.statistics.bootstrap import Influences, OwnLimits, Statistic, WithLimits, means
from harness.statistics.power import samples_to_settle
from harness.statistics.stats import Interval

QUANTILE = 0.99
ROUNDS = 40  # of bisection
NO_NOISE = "outputs are equal: no noise"


# --- SQNR ----------------------------------------------------------------------------------------------------------


def sqnr(answers: Answers) -> Statistic:
    """Returns 10·log10 of two means. Raises Absent where there is no noise, so that it is infinite."""
    signal, noise = row_by_row(energy, answers.baseline), row_by_row(noise_energy, answers.baseline, answers.outputs)
    if not noise.any():
        raise Absent(NO_NOISE)
    return means(np.stack([signal, noise], axis=1), lambda mean: 10 * np.log10(mean[..., 0] / mean[..., 1]))


# --- calibration ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Calibration(OwnLimits):
    """Expected calibration error: Σ |mean of (right − confidence) in the bin|, over bins of equal width.

    A sum of |…| lies over the truth in the mean, by σ·√(2/π) a bin at most, where the bin's truth is 0 (the mean of
    |x|, x normal: Leone, Nelson & Nottingham, Technometrics 3, 1961, 543–550). The limits are so much further out.
    """

    gap: np.ndarray  # right − confidence, (samples,)
    bin: np.ndarray  # (samples,)

    @cached_property
    def _sums(self) -> np.ndarray:
        return np.bincount(self.bin, self.gap, BINS) / len(self.gap)

    @property
    def value(self) -> float:
        return float(np.abs(self._sums).sum())

    @cached_property
    def each(self) -> np.ndarray:
        """How far each sample moves it: its gap, turned as its bin's is, less their mean."""
        return np.asarray(np.sign(self._sums)[self.bin] * self.gap - self.value)

    @property
    def bias(self) -> float:
        """How far the value may lie over the truth: of |x|, x normal, with a mean that may be two σ nearer to 0."""
        n = len(self.gap)
        sd = np.sqrt(np.maximum(np.bincount(self.bin, self.gap**2, BINS) / n - self._sums**2, 0) / n)
        sd, at = sd[sd > 0], np.maximum(0, np.abs(self._sums[sd > 0]) / sd[sd > 0] - 2)
        return float((2 * sd * (np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi) - at * ndtr(-at))).sum())

    @cached_property
    def alone(self) -> Influences:
        return Influences(self.value, self.each, len(self.gap), 1.0, False, over=self.bias)

    def less(self, other: Statistic) -> WithLimits:
        assert isinstance(other, Calibration)
        ends = {"over": self.bias, "under": other.bias}
        return Influences(self.value - other.value, self.each - other.each, len(self.gap), 1.0, False, **ends)

    def growth(self, other: Statistic) -> WithLimits:
        assert isinstance(other, Calibration)
        ratio, one = self.value / other.value, 1 / other.value
        ends = {"over": self.bias * one, "under": other.bias * ratio * one}
        return Influences(ratio - 1, (self.each - ratio * other.each) * one, len(self.gap), 1.0, False, **ends)


def ece(answers: Answers) -> Statistic:
    certain = confidence_of_logits if are_logits(answers.baseline) else confidence
    sure = row_by_row(certain, answers.outputs)
    right = row_by_row(top1, answers.outputs) == answers.truth
    return Calibration(right - sure, np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1))


# --- a quantile ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Quantile:
    """The .99 quantile of one number a sample, exactly, by order statistics (Hahn & Meeker, section 5.2)."""

    each: np.ndarray  # (samples,)

    @property
    def value(self) -> float:
        return float(np.quantile(self.each, QUANTILE))

    @property
    def doubt(self) -> str:
        return ""

    @property
    def unproven(self) -> str:
        return ""

    def p_of_loss(self, limit: float, better: int) -> float:
        return self.p(limit, -better)

    def p(self, limit: float, better: int = 1) -> float:
        """Returns the probability of so many samples, or more, on the good side of the limit if it is the truth."""
        n = len(self.each)
        if better == 1:
            under = int((self.each < limit).sum())
            return float(bdtrc(under - 1, n, QUANTILE)) if under else 1.0
        return float(bdtr(int((self.each <= limit).sum()), n, QUANTILE))

    def limits(self, confidence: float) -> Interval:
        n, ordered = len(self.each), np.sort(self.each)
        low, high = stats.order_statistic_ranks(n, QUANTILE, confidence)
        least = min(float(ordered[low - 1]), self.value) if low else 0.0  # of few, the value lies below the highest one
        return Interval(least, float(ordered[high - 1]) if high <= n else 1.0)

    def words(self, confidence: float) -> str:
        return f"order statistics of {len(self.each):,} samples, {100 * confidence:g} %"

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        """Returns how many times as many samples decide it: so many are over the limit as are seen, or under it."""
        n, over = len(self.each), float((self.each > limit).mean())
        under = over < 1 - QUANTILE
        seen, most = (over, 1 - QUANTILE) if under else (1 - over, QUANTILE)
        needed = samples_to_settle(seen, most, alpha, power, n)
        return needed / n if needed else None

    def less(self, other: Statistic) -> WithLimits:
        assert isinstance(other, Quantile)
        return Apart(self, other)

    def growth(self, other: Statistic) -> WithLimits:
        raise Absent("give an absolute limit, in bits", "not_comparable")


@dataclass(frozen=True, eq=False)
class Apart:
    """How far apart two quantiles are: the limits of both, each with half of the error (Bonferroni)."""

    own: Quantile
    other: Quantile

    @property
    def value(self) -> float:
        return self.own.value - self.other.value

    @property
    def doubt(self) -> str:
        return ""

    @property
    def unproven(self) -> str:
        return ""

    def p_of_loss(self, limit: float, better: int) -> float:
        return self.p(limit, -better)

    def limits(self, confidence: float) -> Interval:
        one, other = (each.limits((1 + confidence) / 2) for each in (self.own, self.other))
        return Interval(one.low - other.high, one.high - other.low)

    def p(self, limit: float, better: int = 1) -> float:
        """Returns the α at which the limit is the end of the interval, by bisection."""
        low, high = 0.0, 0.5
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            ends = self.limits(1 - 2 * middle) if middle < 0.5 else Interval(self.value, self.value)
            kept = ends.high < limit if better == 1 else ends.low > limit
            low, high = (low, middle) if kept else (middle, high)
        return high if high < 0.5 else 1.0

    def words(self, confidence: float) -> str:
        return f"order statistics of {len(self.own.each):,} samples, twice; {100 * confidence:g} %"

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        raise Absent("how many samples decide the difference of two quantiles is not known")


def js_p99(answers: Answers) -> Statistic:
    of = partial(divergence, logits=are_logits(answers.baseline))
    each = row_by_row(of, answers.baseline, answers.outputs)
    if unknown := int(np.isnan(each).sum()):
        raise Absent(f"{unknown} samples have no score over 0, and so no distribution")
    return Quantile(each)


STATISTICS: dict[str, OfAnswers] = {"sqnr": sqnr, "ece": ece, "js_p99": js_p99}
