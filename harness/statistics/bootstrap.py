"""Limits of what has no bounds, such as MAE, RMSE, R² and a user's own, by the bootstrap-t over samples.

    Influences   how far each sample moves a value: what the limits are made of
    Means        a statistic that is a function of means of numbers, one row of them a sample
    Called       anything else: a function, called anew for each resample

The bootstrap-t (Efron, Canadian Journal of Statistics 9, 1981, 139–158; Hall, Annals of Statistics 16, 1988, 927–953)
takes its quantiles from resamples' own t, so that the limit is far out where a few large values might be missing. To
the samples that were seen half a sample is added that is as bad as the worst (much as by Chen, Variyath & Abraham, J.
Comp. Graph. Stat. 17, 2008, 426–443). Where few samples carry the variance the interval is drawn wider; where a handful
do no limit holds, and `doubt` says so. tests/false_passes.py has the figures.

Two statistics of the same samples are paired. The seed is fixed. Samples count as independent of each other.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from scipy.special import ndtri

from harness.records import Absent
from harness.statistics.bounded import Effects, effects_of
from harness.statistics.power import times_until
from harness.statistics.stats import Interval

RESAMPLES, FEWEST_RESAMPLES = 2000, 200
ENDLESS = 1e300  # a t as large is of a resample without spread: there is no limit on that side
BLOCKS = 2000  # units that are resampled: of more samples, each is so many at random, as independent as they are
DRAWS = 10_000_000  # samples looked at in all, where each resample is worked through anew
LEFT_OUT = 400  # groups, each left out once, where a statistic has to be worked through anew
LONGEST_S = 60.0
SEED = 20_231
ROUNDING = 1e-12  # of a statistic's size: influences under it are none
FEWEST_SAMPLES = 299  # with fewer, one sample in a hundred that goes wrong may be missing in over 5 % of the test sets
RARE = 0.01
FEW_CARRIERS = 30.0  # the limits of squared t₃ errors with fewer miss the truth in 15 to 24 %
FEWEST_CARRIERS = 5.0
ADDED = 0.5  # of a sample
WARY = 3.0
FEW = f"{{}} samples: {FEWEST_SAMPLES} are the fewest that show a fault of one sample in 100"
CARRIED = "{:.0f} of {:,} samples carry nearly all of its spread: another test set may say something else"
TOO_FEW_CARRY = "how many samples decide it is not known: {:.0f} of these carry nearly all of its spread"
SILENT = "it is the same for every sample"
NONE_MOVED = "none of {:,} samples differs, which does not say how far another may"


class Unmoved(Absent):
    """There are no limits, since nothing moved: what has no bounds is not bounded by that."""


class WithLimits(Protocol):
    """A value with limits: of a statistic, or of how far it moved."""

    @property
    def value(self) -> float: ...
    @property
    def doubt(self) -> str: ...  # why nothing may pass by its limits; "" where it may
    @property
    def unproven(self) -> str: ...  # why no loss may be proved by them; "" where it may
    def limits(self, confidence: float) -> Interval: ...  # two-sided; raises Absent, which says why there are none
    def p(self, limit: float, better: int = 1) -> float: ...  # one-sided, of H0: truth = limit; 1: less is better
    def p_of_loss(self, limit: float, better: int) -> float: ...  # of H0: truth = limit, where the value is beyond it
    def words(self, confidence: float) -> str: ...  # how the limits were made
    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None: ...


class Statistic(WithLimits, Protocol):
    """A metric of one model's answers."""

    def less(self, other: Statistic) -> WithLimits: ...  # self − other, paired by sample
    def growth(self, other: Statistic) -> WithLimits: ...  # (self − other) / other


class OwnLimits(ABC):
    """A statistic whose limits are those of its effects, or of its influences."""

    @property
    @abstractmethod
    def alone(self) -> WithLimits:
        """The value by itself, not how far it moved."""

    @property
    def doubt(self) -> str:
        return self.alone.doubt

    @property
    def unproven(self) -> str:
        return self.alone.unproven

    def limits(self, confidence: float) -> Interval:
        return self.alone.limits(confidence)

    def p(self, limit: float, better: int = 1) -> float:
        return self.alone.p(limit, better)

    def p_of_loss(self, limit: float, better: int) -> float:
        return self.alone.p_of_loss(limit, better)

    def words(self, confidence: float) -> str:
        return self.alone.words(confidence)

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        return self.alone.times_to_settle(limit, better, alpha, power)


@dataclass(frozen=True, eq=False)
class Influences:
    """A value, and how far each unit moves it: the mean of `each` is 0 but for rounding, and their variance over the
    number of units is the value's.
    """

    value: float
    each: np.ndarray  # (units,)
    samples: int
    size: float  # of the numbers that it was made of, for their rounding
    one_each: bool = True  # each unit is a sample, so that nothing is hidden where none moves
    widened: float = 1.0  # at least 1: by how much resamples vary more than the influences say
    over: float = 0.0  # by how much the value may lie over the truth in the mean, and under it, as of sums of |…|
    under: float = 0.0
    wariness: float = WARY  # how much wider an interval is that few samples carry

    @cached_property
    def moved(self) -> np.ndarray:
        """The influences that are more than rounding."""
        return np.where(np.abs(self.each) > ROUNDING * len(self.each) * self.size, self.each, 0.0)

    @property
    def still(self) -> bool:
        return not self.moved.any()

    @cached_property
    def carriers(self) -> float:
        """How many samples carry the variance: (Σψ²)² / Σψ⁴, which is n / 3 of normal influences."""
        squares = np.square(self.moved / np.abs(self.moved).max())
        return float(squares.sum() ** 2 / np.square(squares).sum())

    @property
    def doubt(self) -> str:
        if self.samples < FEWEST_SAMPLES:
            return FEW.format(self.samples)
        if self.still:
            return "" if self.one_each and self.value == 0 else SILENT
        return CARRIED.format(max(self.carriers, 1), self.samples) if self.carriers < FEWEST_CARRIERS else ""

    @property
    def unproven(self) -> str:
        """The same: a sample that is not in the test set can be better by any amount, too."""
        return self.doubt

    @property
    def wary(self) -> float:
        """How much wider the interval is for the few samples that carry it: 1 where there are enough."""
        return self.wariness if self.carriers < FEW_CARRIERS else 1.0

    @property
    def sd(self) -> float:
        return float(np.sqrt(np.square(self.moved).sum())) / len(self.moved) * self.widened * self.wary

    def worst(self, better: int) -> float:
        """Returns how far the added sample, as bad as the worst, moves the value, and how far the value leans."""
        added = ADDED * max(0.0, float((better * self.moved).max())) / (len(self.moved) + 1)
        return added * self.wary + (self.under if better == 1 else self.over)

    @cached_property
    def t(self) -> np.ndarray:
        """The t of each resample, in order, (RESAMPLES,)."""
        blocks = min(len(self.moved), BLOCKS)
        block = block_of(len(self.moved), blocks)
        sums = np.bincount(block, self.moved, blocks)
        drawn = weights(blocks) @ np.stack([sums, np.square(sums)], axis=1)
        variance = drawn[:, 1] - np.square(drawn[:, 0]) / blocks
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sort(np.nan_to_num(drawn[:, 0] / np.sqrt(variance)))

    def limits(self, confidence: float) -> Interval:
        if self.still:
            raise self.nothing()
        alpha = (1 - confidence) / 2
        if alpha * RESAMPLES < 1:
            raise Absent(f"{RESAMPLES:,} resamples do not reach so far out")
        first, last = (q if abs(q) < ENDLESS else np.sign(q) * np.inf for q in np.quantile(self.t, [alpha, 1 - alpha]))
        low, high = self.value - last * self.sd, self.value - first * self.sd
        return Interval(float(low) - self.worst(-1), float(high) + self.worst(1))

    def nothing(self) -> Absent:
        """Returns why there are no limits where nothing moved."""
        return Unmoved(NONE_MOVED.format(self.samples)) if self.value == 0 and self.one_each else Absent(SILENT)

    def p(self, limit: float, better: int = 1) -> float:
        if self.still:
            if not isinstance(why := self.nothing(), Unmoved):
                raise why
            return float((1 - RARE) ** self.samples) if better * limit > 0 else 1.0
        away = (self.value - limit) / self.sd + better * self.worst(better) / self.sd
        share = float((self.t <= away).mean())
        return max(share if better == 1 else 1 - share, 0.5 / RESAMPLES)

    def p_of_loss(self, limit: float, better: int) -> float:
        return self.p(limit, -better)

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        """Returns how many times as many samples decide the limit so often, if these show the truth. None: never.

        The quantile is that of these samples' t. Raises Absent where few samples carry the variance: of more samples
        others would, and theirs is larger.
        """
        fewest = FEWEST_SAMPLES / self.samples
        if self.still:
            return fewest
        if self.wary > 1:
            raise Absent(TOO_FEW_CARRY.format(self.carriers))
        side = better if better * self.value < better * limit else -better
        t = np.quantile(-side * self.t, 1 - alpha) + ndtri(power)
        room = side * (limit - self.value)
        times = times_until(lambda times: bool(t * self.sd / np.sqrt(times) + self.worst(side) / times < room))
        return None if times is None else max(times, fewest)

    def drawn(self, limit: float, better: int, rng: np.random.Generator) -> Influences:
        """Returns the same of another test set, as large, of a model whose truth is the limit: what its samples add is
        that of these, moved to the limit. Raises Absent where nothing moves.
        """
        if self.still:
            raise Absent(SILENT)
        each = self.moved[rng.integers(0, len(self.moved), len(self.moved))]
        return replace(self, value=limit + float(each.mean()), each=each - each.mean())

    def words(self, confidence: float) -> str:
        if self.still:
            return f"no sample of {self.samples:,} differs"
        wary = (
            f", {self.wariness:g} times as wide since few samples carry it ({self.carriers:.0f})"
            if self.wary > 1
            else ""
        )
        return f"bootstrap-t {100 * confidence:g} %, {RESAMPLES:,} resamples{wary}"


# --- how units are drawn -------------------------------------------------------------------------------------------


def block_of(n: int, blocks: int) -> np.ndarray:
    """Returns each unit's block, (n,): its own, or where there are more units than blocks a random one."""
    block = np.arange(n) % blocks
    return np.random.default_rng(SEED).permutation(block) if n > blocks else block


@lru_cache(maxsize=2)
def weights(blocks: int) -> np.ndarray:
    """Returns how often each block is in each resample: float32, (RESAMPLES, blocks)."""
    rng = np.random.default_rng(SEED)
    counts = np.empty((RESAMPLES, blocks), np.float32)
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


class Jackknifed(OwnLimits):
    """A statistic that is known without each unit. The influences follow: (units − 1) · (value − without)."""

    value: float
    size: float
    samples: int
    one_each = True
    without: np.ndarray  # (units,)
    replicates: np.ndarray | None = None  # of resamples, where they are worked through anew

    @cached_property
    def alone(self) -> Influences:
        return self._of(self.value, self.without, self.size, self.replicates)

    def _of(self, value: float, without: np.ndarray, size: float, replicates: np.ndarray | None) -> Influences:
        units = len(without)
        with np.errstate(invalid="ignore"):  # infinite less infinite has no value, and that is said below
            each = (units - 1) * (without.mean() - without)
        if not np.isfinite(each).all():
            raise Absent("it has no value where some samples are left out")
        found = Influences(value, each, self.samples, size, self.one_each)
        if replicates is None or found.still:
            return found
        widened = max(1.0, float(np.nanstd(replicates)) / found.sd)
        return Influences(value, each, self.samples, size, self.one_each, widened)

    def less(self, other: Statistic) -> WithLimits:
        assert isinstance(other, Jackknifed)
        drawn = None if self.replicates is None or other.replicates is None else self.replicates - other.replicates
        without, size = self.without - other.without, max(self.size, other.size)
        return self._of(self.value - other.value, without, size, drawn)

    @np.errstate(divide="ignore", invalid="ignore")
    def growth(self, other: Statistic) -> WithLimits:
        assert isinstance(other, Jackknifed)
        both = self.replicates is not None and other.replicates is not None
        drawn = self.replicates / other.replicates - 1 if both else None  # type: ignore[operator]
        value = (self.value - other.value) / other.value if other.value else np.nan
        return self._of(value, (self.without - other.without) / other.without, 1.0, drawn)


class Means(Jackknifed):
    """A function of column means; each column holds one number a sample."""

    def __init__(self, columns: np.ndarray, combine: Combine = only) -> None:
        """columns: (samples,) or (samples, columns)."""
        self._columns, self._combine = columns.reshape(len(columns), -1).astype(np.float64), combine
        self.samples = len(columns)

    @np.errstate(divide="ignore", invalid="ignore")
    def _of_sums(self, sums: np.ndarray, samples: int) -> np.ndarray:
        return np.asarray(self._combine(sums / samples))

    @cached_property
    def value(self) -> float:  # type: ignore[override]
        return float(self._of_sums(self._columns.sum(axis=0), self.samples))

    @property
    def size(self) -> float:  # type: ignore[override]
        return abs(self.value)

    @cached_property
    def without(self) -> np.ndarray:  # type: ignore[override]
        return self._of_sums(self._columns.sum(axis=0) - self._columns, self.samples - 1)

    def without_units(self, units: np.ndarray) -> np.ndarray:
        sums = np.zeros((int(units.max()) + 1, self._columns.shape[1]))
        np.add.at(sums, units, self._columns)
        return self._of_sums(self._columns.sum(axis=0) - sums, self.samples - np.bincount(units)[:, None])  # type: ignore[arg-type]


def means(columns: np.ndarray, combine: Combine = only) -> Means:
    return Means(columns, combine)


class Bounded(OwnLimits):
    """The mean of one number a sample, each between two bounds."""

    def __init__(self, each: np.ndarray, low: float, high: float) -> None:
        """each: (samples,)."""
        self._each, self._low, self._high = each.astype(np.float64), low, high

    @cached_property
    def value(self) -> float:
        return float(self._each.mean())

    @cached_property
    def alone(self) -> Effects:
        return self._effects(self._each, self._low, self._high)

    @staticmethod
    def _effects(each: np.ndarray, low: float, high: float) -> Effects:
        return effects_of(np.zeros(len(each), int), each, [low], [high])

    def less(self, other: Statistic) -> Effects:
        assert isinstance(other, Bounded)
        width = self._high - self._low
        return self._effects(self._each - other._each, -width, width)

    def growth(self, other: Statistic) -> Effects:
        return self.less(other).times(1 / other.value)


class Called(Jackknifed):
    """A function(labels, outputs) → float, called again on each resample.
    Raises Absent if that takes over LONGEST_S.
    """

    one_each = False

    def __init__(
        self, function: Callable[[np.ndarray | None, np.ndarray], float], labels: np.ndarray | None, outputs: np.ndarray
    ) -> None:
        self._function, self._labels, self._outputs = function, labels, outputs
        self.samples = len(outputs)

    @cached_property
    def value(self) -> float:  # type: ignore[override]
        return float(self._function(self._labels, self._outputs))

    @property
    def size(self) -> float:  # type: ignore[override]
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
    def replicates(self) -> np.ndarray:  # type: ignore[override]
        n, rng = len(self._outputs), np.random.default_rng(SEED)
        return self._each(rng.integers(0, n, n) for _ in range(affordable(n)))

    @cached_property
    def without(self) -> np.ndarray:  # type: ignore[override]
        group = groups_of(len(self._outputs))
        return self._each(np.flatnonzero(group != out) for out in range(min(LEFT_OUT, len(group))))
