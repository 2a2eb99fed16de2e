"""How often a limit is passed, and how much data decides it so often."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import bdtr, gammaln, ndtr, ndtri, xlog1py, xlogy

from harness.statistics.exact import MOST_SAMPLES, most_lost, passes
from harness.statistics.paired_limit import PairedLimit

MOST_SIZES = 96  # numbers of discordant samples at which the test is asked; between them its answer is interpolated
MOST_TIMES, LEAST_TIMES = 10**6, 1e-3  # as much data: more is never
DEVIATIONS = 5.0  # of each count from its mean; what is further out has a probability under 1e-6


@lru_cache(maxsize=256)  # rows of one model differ in threads alone
def passing_share(limit: PairedLimit, lost: float, won: float, samples: int, alpha: float) -> float:
    """Returns how often the exact test passes the limit, where these are the true shares of samples lost and won.

    The number of samples that change is binomial, and so is how many of them are lost; of each such number the test
    passes up to a count of lost ones. alpha: what the p-value has to be under.
    """
    changed = lost + won
    sizes = counts(changed, samples)
    most = most_passing(limit, sizes, samples, alpha)
    ways = gammaln(samples + 1) - gammaln(sizes + 1) - gammaln(samples - sizes + 1)
    sized = np.exp(ways + xlogy(sizes, changed) + xlog1py(samples - sizes, -changed))
    passes = np.where(most >= 0, bdtr(np.maximum(most, 0), sizes, lost / changed if changed else 0.0), 0.0)
    return float(sized @ passes)


def counts(share: float, samples: int) -> np.ndarray:
    """Returns the counts that are likely enough, whole numbers that rise."""
    mean, far = samples * share, DEVIATIONS * (samples * share * (1 - share)) ** 0.5 + DEVIATIONS
    return np.arange(max(0, int(mean - far)), min(samples, int(mean + far) + 1) + 1)


def most_passing(limit: PairedLimit, sizes: np.ndarray, samples: int, alpha: float) -> np.ndarray:
    """Returns how many of each number of discordant samples may be lost, so that the test passes; -1: not even 0.

    The exact test is near the score's normal approximation, by a distance that hardly changes from size to size: of
    many sizes it is asked at MOST_SIZES, and the distance is interpolated to the next whole number.
    """
    if len(sizes) <= MOST_SIZES:
        return most_by_test(limit, sizes, samples, alpha)
    at = np.unique(np.linspace(0, len(sizes) - 1, MOST_SIZES).astype(int))
    guesses = most_lost(limit, -float(ndtri(1 - alpha)), sizes, samples)
    off = np.interp(sizes, sizes[at], most_by_test(limit, sizes[at], samples, alpha) - guesses[at])
    return np.clip(guesses + np.rint(off).astype(int), -1, sizes)


def most_by_test(limit: PairedLimit, sizes: np.ndarray, samples: int, alpha: float) -> np.ndarray:
    """Returns the same by the test itself, at every size.

    The search starts where the score's normal approximation has its quantile: the exact test is near it.
    """
    guesses, off, found = most_lost(limit, -float(ndtri(1 - alpha)), sizes, samples), 0, []
    for size, guess in zip(map(int, sizes), map(int, guesses), strict=True):
        lost = min(max(guess + off, -1), size)
        while lost >= 0 and not passes(limit, lost, size - lost, samples, alpha):
            lost -= 1
        while lost < size and passes(limit, lost + 1, size - lost - 1, samples, alpha):
            lost += 1
        off = lost - guess
        found.append(lost)
    return np.array(found)


# --- how much data ---------------------------------------------------------------------------------------------------


def samples_to_settle(seen: float, limit: float, alpha: float, power: float, start: int) -> int | None:
    """Returns how many samples show with this power that a rate which is really `seen` is under the limit.
    None: never.
    """

    def enough(size: int) -> bool:
        allowed = bisect_left(range(size), alpha, key=lambda count: bdtr(count, size, limit)) - 1
        return allowed >= 0 and bool(bdtr(allowed, size, seen) >= power)

    return smallest(enough, start) if seen < limit else None


def smallest(good: Callable[[int], bool], start: int) -> int | None:
    """Returns the smallest good number over start. Every number after a good one is good, or nearly every."""
    low, high = start, 2 * start
    while not good(high):
        low, high = high, 2 * high
        if high > MOST_SAMPLES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def times_until(settled: Callable[[float], bool]) -> float | None:
    """Returns how many times as much data settles it, to 1 %. None: never."""
    high = 1.0
    while not settled(high):
        high *= 2
        if high > MOST_TIMES:
            return None
    low = high / 2
    while low > LEAST_TIMES and settled(low):
        low, high = low / 2, low
    while high - low > 0.01 * low:
        middle = (low + high) / 2
        low, high = (low, middle) if settled(middle) else (middle, high)
    return high


def tail_for(alpha: float, power: float) -> float:
    """Returns the p-value of just what is expected where a test at α passes so often: both are of a normal."""
    return float(ndtr(ndtri(alpha) - ndtri(power)))
