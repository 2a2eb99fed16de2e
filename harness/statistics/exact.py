"""The exact test of a paired limit: how likely so good an outcome is with a model at the limit, whatever else is true.

Tango's p-value is that of a normal: with few discordant samples a model at the limit passes in up to 7 % at a nominal
5 %. The exact unconditional p-value sums the trinomial over all outcomes that are at least as good by the score, and
takes the largest sum over what is not known, the share of discordant samples (Hsueh, Liu & Chen, Biometrics 57, 2001,
478–483; Berger & Sidik, Statistical Methods in Medical Research 12, 2003, 91–108). It is taken over a confidence set of
that share, whose risk is added (Berger & Boos, JASA 89, 1994, 1012–1016).

The number of discordant samples is Binomial(n, s), and those lost among S of them Binomial(S, share_lost(s)). At a
given s, a model over the limit loses more of the S; so it has good outcomes less often than one at the limit, and the
p-value is that of all models at or over the limit.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, gammaln, xlog1py, xlogy

from harness.statistics.paired_limit import PairedLimit
from harness.statistics.stats import clopper_pearson

SPARED = 1e-5  # the risk that the share of discordant samples lies outside its confidence set; part of every p
SHARES = 25  # at which the sum is taken; it is taken again around the largest of them
PEAKS, AROUND = 3, 8  # how many of them, and at how many shares
NEGLIGIBLE = 1e-14  # a probability that is left out of the sum
EQUAL = 1e-9  # scores of equally good outcomes differ by less
MIDDLE = [8, 12, 16]  # of the shares, where the largest sum often is
MOST_SAMPLES = 10**9  # more is never


@lru_cache(maxsize=100_000)
def exact_p(limit: PairedLimit, b: int, c: int, n: int) -> float:
    """Returns the one-sided p-value of H0: a model at the limit, or over it, has so good an outcome or a better one.

    For the other side, that a model within the limit has so bad an outcome: exact_p(limit.mirrored, c, b, n).
    """
    believed = clopper_pearson(b + c, n, 1 - SPARED)
    low, high = max(believed.low, limit.least), believed.high
    if low > high:
        return SPARED
    worst = largest(Outcomes(limit, float(limit.score(b, c, n)), n, low, high), low, high)
    return min(worst + SPARED, 1.0)


@lru_cache(maxsize=100_000)
def passes(limit: PairedLimit, b: int, c: int, n: int, alpha: float) -> bool:
    """Returns whether exact_p(limit, b, c, n) < alpha. What fails is known as soon as one of its shares says so."""
    believed = clopper_pearson(b + c, n, 1 - SPARED)
    low, high = max(believed.low, limit.least), believed.high
    if low <= high:
        outcomes = Outcomes(limit, float(limit.score(b, c, n)), n, low, high)
        if float(outcomes.probability(np.sin(angles_of(low, high)[MIDDLE]) ** 2).max()) + SPARED >= alpha:
            return False
    return exact_p(limit, b, c, n) < alpha


def largest(outcomes: Outcomes, low: float, high: float) -> float:
    """Returns the largest probability of the outcomes over the shares from low to high, which it wavers along."""
    angles = angles_of(low, high)
    sums = outcomes.probability(np.sin(angles) ** 2)
    step, peaks = angles[1] - angles[0], angles[np.argsort(sums)[-PEAKS:]]
    around = (peaks[:, None] + step * np.linspace(-1, 1, AROUND)).ravel()
    between = outcomes.probability(np.sin(np.clip(around, angles[0], angles[-1])) ** 2)
    return float(max(sums.max(), between.max()))


def angles_of(low: float, high: float) -> np.ndarray:
    """Returns SHARES shares as angles, along which the sum wavers evenly."""
    return np.linspace(math.asin(math.sqrt(low)), math.asin(math.sqrt(high)), SHARES)


class Outcomes:
    """The outcomes of n samples whose score is at most `score`: of each number of discordant ones, the most lost."""

    def __init__(self, limit: PairedLimit, score: float, n: int, low: float, high: float) -> None:
        self.limit, self.n = limit, n
        self.sizes = np.arange(*likely_counts(n, low, high))
        self.most_lost = most_lost(limit, score, self.sizes, n)
        self.log_ways = gammaln(n + 1) - gammaln(self.sizes + 1) - gammaln(n - self.sizes + 1)

    def probability(self, shares: np.ndarray) -> np.ndarray:
        """Returns their probability at the limit, for each share of discordant samples. What is left out is added."""
        column = shares[:, None]
        sized = np.exp(self.log_ways + xlogy(self.sizes, column) + xlog1py(self.n - self.sizes, -column))
        row, place = np.nonzero((sized > NEGLIGIBLE) & (self.most_lost >= 0))
        lost = bdtr(self.most_lost[place], self.sizes[place], self.limit.share_lost(shares)[row])
        sums = np.bincount(row, sized[row, place] * lost, minlength=len(shares))
        return np.asarray(sums + np.maximum(1 - sized.sum(axis=1), 0))


def likely_counts(n: int, low: float, high: float) -> tuple[int, int]:
    """Returns from where to where counts of Binomial(n, share) lie: all but 1e-9 for shares from low to high."""
    fewest, most = n * low - 7 * math.sqrt(n * low), n * high + 7 * math.sqrt(n * high) + 30
    return max(math.floor(fewest), 0), min(math.ceil(most), n) + 1


def most_lost(limit: PairedLimit, score: float, sizes: np.ndarray, n: int) -> np.ndarray:
    """Returns, for each number of discordant samples, how many may be lost at that score: by bisection, since the score
    grows with them. −1: not even 0.
    """
    low, high = np.full_like(sizes, -1), sizes + 1
    while (open_ := high - low > 1).any():
        middle = (low + high) // 2
        lost = np.clip(middle, 0, sizes)
        good = np.asarray(limit.score(lost, sizes - lost, n)) <= score + EQUAL
        low, high = np.where(open_ & good, middle, low), np.where(open_ & ~good, middle, high)
    return low


@lru_cache(maxsize=1000)
def fewest_to_pass(limit: PairedLimit, alpha: float) -> int | None:
    """Returns how few samples pass the limit where none is lost and none won; None where no number does.

    At least those of which a model at the limit shows no discordant one with a probability under alpha.
    """
    if limit.least == 0:
        return None
    high = math.floor(math.log(alpha - SPARED) / math.log1p(-limit.least)) + 1
    low = high - 1
    while exact_p(limit, 0, 0, high) >= alpha:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if exact_p(limit, 0, 0, middle) < alpha else (middle, high)
    return high
