"""Limits of any metric by resampling its samples: the bootstrap, bias-corrected and accelerated (BCa).

    Statistic    what a metric is: of the samples, of each resample of them, and with some of them left out
    Means        a function of means of numbers that stand for one sample each: MAE, RMSE, F1, …
    Called       anything else: a function, called anew for each resample; roc.py has the area under the ROC curve

Two statistics of the same samples are drawn alike, so `difference` and `growth` of them are paired. The seed is fixed:
the same samples have the same limits. Samples count as independent of each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from scipy.special import ndtr, ndtri

from harness.metrics.stats import Interval
from harness.records import Absent

RESAMPLES, FEWEST_RESAMPLES = 2000, 200
BLOCKS, FEWEST_BLOCKS = 20_000, 1000  # more samples are put into so many blocks at random, as independent as they are
MOST_KEPT = 4_000_000  # numbers in all blocks: with many columns there are fewer of them
DRAWS = 10_000_000  # samples looked at in all, where each resample is worked through anew
LEFT_OUT = 100  # groups, each left out once, where a statistic has to be worked through anew
LONGEST_S = 60.0
ROWS = 50  # resamples worked through at a time
SEED = 20_231
MOST_SEEN = 0.9  # of the replicates must be numbers
ROUNDING = 1e-12  # of a statistic's size: replicates closer together than this do not vary


class Statistic(Protocol):
    @property
    def value(self) -> float: ...
    @property
    def size(self) -> float: ...  # of the numbers that the value was made of, for their rounding
    @property
    def replicates(self) -> np.ndarray: ...  # of each resample
    @property
    def jackknife(self) -> np.ndarray: ...  # without each sample, or each group of them


@dataclass(frozen=True, eq=False)
class Combined:
    """Values that are made of two statistics of the same samples."""

    value: float
    size: float
    replicates: np.ndarray
    jackknife: np.ndarray


def difference(own: Statistic, other: Statistic) -> Combined:
    size = max(own.size, other.size)
    return Combined(own.value - other.value, size, own.replicates - other.replicates, own.jackknife - other.jackknife)


@np.errstate(divide="ignore", invalid="ignore")
def growth(own: Statistic, other: Statistic) -> Combined:
    """Returns (own − other) / other, paired by sample."""
    change = difference(own, other)
    value = change.value / other.value if other.value else np.nan
    return Combined(value, 1.0, change.replicates / other.replicates, change.jackknife / other.jackknife)


def bca(statistic: Statistic, confidence: float = 0.90) -> Interval:
    """Returns two-sided limits (Efron, JASA 82, 1987, 171–185). Raises Absent, which says why there are none.

    The acceleration is the jackknife's. What is zero for all samples and in every resample has the limits 0 and 0.
    """
    if is_zero(statistic):
        return Interval(0.0, 0.0)
    seen = finite_replicates(statistic)
    bias, acceleration = corrections(statistic, seen)
    tails = bias + ndtri(np.array([1 - confidence, 1 + confidence]) / 2)
    levels = ndtr(bias + tails / (1 - acceleration * tails))
    if not 1 / len(seen) <= levels.min() <= levels.max() <= 1 - 1 / len(seen):
        raise Absent(f"{len(seen):,} resamples do not reach so far out")
    low, high = np.quantile(seen, levels)
    return Interval(float(low), float(high))


def bca_p(statistic: Statistic, limit: float, better: int = 1) -> float:
    """Returns the one-sided α at which `limit` is the limit of `bca`:
    the upper where less is better (1), else (−1) the lower.

    Small where the statistic is on the good side of it; never under 1/2B. Raises Absent.
    """
    if is_zero(statistic):
        return float(better * limit < 0)
    seen = finite_replicates(statistic)
    bias, acceleration = corrections(statistic, seen)
    least = 0.5 / len(seen)
    away = ndtri(np.clip((seen < limit).mean(), least, 1 - least)) - bias
    return float(ndtr(better * (bias - away / (1 + acceleration * away))))


def is_zero(statistic: Statistic) -> bool:
    return statistic.value == 0 and not statistic.replicates.any()


def finite_replicates(statistic: Statistic) -> np.ndarray:
    """Returns the replicates that are finite. Raises Absent where too many are not, or all are equal."""
    seen = statistic.replicates[np.isfinite(statistic.replicates)]
    if len(seen) < MOST_SEEN * len(statistic.replicates):
        raise Absent("too many resamples have no value, as where a class has but few samples")
    if np.ptp(seen) <= ROUNDING * statistic.size:
        raise Absent("it is the same in every resample")
    return seen


@np.errstate(divide="ignore", invalid="ignore")
def corrections(statistic: Statistic, seen: np.ndarray) -> tuple[float, float]:
    """Returns bias z₀, from where the value lies among the replicates, and acceleration a, the jackknife's skewness."""
    bias = ndtri(((seen < statistic.value).mean() + (seen <= statistic.value).mean()) / 2)
    spread = statistic.jackknife.mean() - statistic.jackknife
    acceleration = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    if not np.isfinite([bias, acceleration]).all():
        raise Absent("its resamples lie all on one side of it, or it has no value where one sample is left out")
    return float(bias), float(acceleration)


# --- how samples are drawn -----------------------------------------------------------------------------------------


def blocks_of(n: int, columns: int = 1) -> int:
    """Returns how many blocks n samples are resampled in. columns: how many numbers are kept of each block."""
    return min(n, BLOCKS, max(FEWEST_BLOCKS, MOST_KEPT // columns))


def block_of(n: int, blocks: int) -> np.ndarray:
    """Returns each sample's block, (n,): its own, or where there are more samples than blocks a random one."""
    block = np.arange(n) % blocks
    return np.random.default_rng(SEED).permutation(block) if n > blocks else block


@lru_cache(maxsize=2)
def weights(blocks: int) -> np.ndarray:
    """Returns how often each block is in each resample: uint8, (RESAMPLES, blocks)."""
    rng = np.random.default_rng(SEED)
    counts = np.empty((RESAMPLES, blocks), np.uint8)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, blocks, blocks, dtype=np.int32), minlength=blocks)
    return counts


def affordable(n: int) -> int:
    """Returns how many resamples of n samples there is time for, where each is computed from its samples."""
    return min(RESAMPLES, max(FEWEST_RESAMPLES, DRAWS // n))


def groups_of(n: int) -> np.ndarray:
    """Returns each sample's jackknife group, (n,): the samples of a group are left out together."""
    return np.random.default_rng(SEED).permutation(np.arange(n) % LEFT_OUT)


# --- kinds of statistics -------------------------------------------------------------------------------------------

Combine = Callable[[np.ndarray], np.ndarray]  # means (…, columns) → the statistic (…)


def only(means: np.ndarray) -> np.ndarray:
    """Returns the one column there is."""
    return np.asarray(means[..., 0])


class Means:
    """A function of column means; each column holds one number a sample. `means` and `tallies` make it."""

    def __init__(self, sums: np.ndarray, counts: np.ndarray, combine: Combine = only) -> None:
        """Keeps the sums of each column over each block, (blocks, columns), and
        the samples of each block, (blocks,).
        """
        self._sums = np.concatenate([sums, counts[:, None]], axis=1)
        self._combine = combine

    @np.errstate(divide="ignore", invalid="ignore")
    def _of(self, sums: np.ndarray) -> np.ndarray:
        return np.asarray(self._combine(sums[..., :-1] / sums[..., -1:]))

    @cached_property
    def value(self) -> float:
        return float(self._of(self._sums.sum(axis=0)))

    @property
    def size(self) -> float:
        return abs(self.value)

    @cached_property
    def replicates(self) -> np.ndarray:
        drawn = weights(len(self._sums))
        parts = (drawn[row : row + ROWS].astype(np.float64) @ self._sums for row in range(0, len(drawn), ROWS))
        return np.concatenate([self._of(part) for part in parts])

    @cached_property
    def jackknife(self) -> np.ndarray:
        return self._of(self._sums.sum(axis=0) - self._sums)


def means(columns: np.ndarray, combine: Combine = only) -> Means:
    """Returns the statistic combine(means of the columns). columns: (samples,) or (samples, columns)."""
    columns = columns.reshape(len(columns), -1)
    blocks = blocks_of(*columns.shape)
    block = block_of(len(columns), blocks)
    sums = [np.bincount(block, column, blocks) for column in columns.T]
    return Means(np.stack(sums, axis=1), np.bincount(block, minlength=blocks).astype(np.float64), combine)


def tallies(classes: int, kinds: Sequence[Sequence[np.ndarray]], combine: Combine) -> Means:
    """Returns a statistic of how many samples each class has, counted in several ways: a column a kind and class.

    kinds: of each the arrays (samples,) of classes that are counted together; −1 counts nowhere.
    """
    n = len(kinds[0][0])
    blocks = blocks_of(n, classes * len(kinds))
    block = block_of(n, blocks)
    width = classes * len(kinds)
    sums = np.zeros(blocks * width)
    for kind, arrays in enumerate(kinds):
        for array in arrays:
            there = array >= 0
            sums += np.bincount((block * width + kind * classes + array)[there], minlength=len(sums))
    counts = np.bincount(block, minlength=blocks).astype(np.float64)
    return Means(sums.reshape(blocks, width), counts, combine)


class Called:
    """A function(labels, outputs) → float, called again on each resample.
    Raises Absent if that takes over LONGEST_S.
    """

    def __init__(
        self, function: Callable[[np.ndarray | None, np.ndarray], float], labels: np.ndarray | None, outputs: np.ndarray
    ) -> None:
        self._function, self._labels, self._outputs = function, labels, outputs

    @cached_property
    def value(self) -> float:
        return float(self._function(self._labels, self._outputs))

    @property
    def size(self) -> float:
        return abs(self.value)

    def _each(self, chosen: Iterator[np.ndarray]) -> np.ndarray:
        start_s, values = time.monotonic(), []
        for index in chosen:
            if time.monotonic() - start_s > LONGEST_S:
                raise Absent(f"resampling took over {LONGEST_S:g} s: return one value a sample, which is faster")
            labels = None if self._labels is None else self._labels[index]
            values.append(float(self._function(labels, self._outputs[index])))
        return np.array(values)

    @cached_property
    def replicates(self) -> np.ndarray:
        n, rng = len(self._outputs), np.random.default_rng(SEED)
        return self._each(rng.integers(0, n, n) for _ in range(affordable(n)))

    @cached_property
    def jackknife(self) -> np.ndarray:
        group = groups_of(len(self._outputs))
        return self._each(np.flatnonzero(group != out) for out in range(min(LEFT_OUT, len(group))))
