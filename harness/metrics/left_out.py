"""Limits of any metric over samples that come in groups: by leaving out one group after the other.

The jackknife over groups (Efron & Tibshirani, An Introduction to the Bootstrap, chapter 11; of clusters Rust & Rao,
Statistical Methods in Medical Research 5, 1996, 283–310): what leaving a group out moves is that group's influence, and
the variance of the influences over the number of groups is the value's. The quantile is Student's, over groups; to the
groups that were seen some are added that move the value as far as the worst of them, as in clustered.py. What was not
seen at all has no size: where no group, or a handful of them, moves the value, nothing is decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self, TypeVar

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from harness.records import Absent
from harness.statistics.bootstrap import Unmoved
from harness.statistics.power import times_until
from harness.statistics.stats import Interval

UNITS = 400  # of more groups, so many units are made of them at random
LONGEST_S = 60.0
SEED = 20_231
ROUNDING = 1e-12
FEWEST_GROUPS = 299  # with fewer, one group in a hundred that goes wrong is missing in over 5 % of the test sets
FEWEST_CARRIERS = 5.0
RARE = 0.01
MOST_BYTES = 256 << 20  # of outputs, which are copied without each unit
TOO_LARGE = f"they are made of outputs of {MOST_BYTES >> 20} MiB at most, and these take {{:,}}"
TOO_SLOW = f"leaving them out took over {LONGEST_S:g} s"
FEW = "{:,} groups: {:,} are the fewest with which it can pass"
CARRIED = "about {:.0f} of {:,} groups carry nearly all of its spread: other groups may say something else"
NONE_MOVED = "none of {:,} groups differs, which does not say how far another may"
STILL = "none of {:,} groups moves it: that does not say how far another may"


class Divisible(Protocol):
    """What samples say, which can be had of some of them: answers, or a statistic that is made of little."""

    @property
    def size_bytes(self) -> int: ...  # of what is copied
    def of(self, chosen: np.ndarray) -> Self: ...  # chosen: bool, (samples,)


Whole = TypeVar("Whole", bound=Divisible)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A value, and what it is without each unit, (units,): a group, or several at random where there are many. why: it
    has no limits; "" where it may. fewest: groups with which a limit can be shown to be kept.
    """

    value: float
    without: np.ndarray
    groups: int
    weights: np.ndarray  # the samples of each unit, (units,)
    why: str = ""
    fewest: int = FEWEST_GROUPS

    @cached_property
    def influences(self) -> np.ndarray:
        """How far each unit moves the value, (units,); their mean is about 0."""
        units = len(self.without)
        each = (units - 1) * (self.without.mean() - self.without)
        return np.where(np.abs(each) > ROUNDING * units * max(1.0, abs(self.value)), each, 0.0)

    @property
    def still(self) -> bool:
        return not self.influences.any()

    @property
    def doubt(self) -> str:
        """Why nothing may be decided by its limits; "" where it may."""
        if self.why:
            return self.why
        few = FEW.format(self.groups, self.fewest) if self.groups < self.fewest else ""
        if not self.still and not few:
            return CARRIED.format(max(self.carriers, 1), self.groups) if self.carriers < FEWEST_CARRIERS else ""
        still = STILL.format(self.groups) if self.still and (few or self.value != 0) else ""
        return "; ".join(filter(None, (still, few)))

    @property
    def unproven(self) -> str:
        """Why no loss may be proved by its limits; "" where it may."""
        return self.doubt

    @property
    def carriers(self) -> float:
        """How many units carry the variance."""
        squares = np.square(self.influences / np.abs(self.influences).max())
        return float(squares.sum() ** 2 / np.square(squares).sum())

    @property
    def freedom(self) -> float:
        return self.freedom_of(1)

    @property
    def effective(self) -> float:
        """How many units of equal weight these are worth."""
        return float(self.weights.sum() ** 2 / np.square(self.weights).sum())

    def freedom_of(self, times: float) -> float:
        return max(times * self.effective - 1, 1.0)

    def upper(self, t: float, better: int, times: float = 1, luck: float = 0) -> float:
        """Returns the upper limit of the value, or where better is −1 of the value times −1. times: as if there were so
        many times these groups. luck: so many standard errors higher.
        """
        units, added = times * len(self.without), (t * t + 2) / 3
        each, worst = better * self.influences, float((better * self.influences).max())
        shift = added * worst / (units + added)
        squares = times * np.square(each - shift).sum() + added * (worst - shift) ** 2
        error = float(np.sqrt(squares / (units + added - 1) / (units + added)))
        return better * self.value + shift + (t + luck) * error

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        """Returns how many times these groups decide the limit so often, if they show the truth. None: never."""
        fewest, luck = self.fewest / self.groups, float(ndtri(power))
        if self.still:
            return fewest
        side = better if better * self.value < better * limit else -better

        def settled(times: float) -> bool:
            t = float(stdtrit(self.freedom_of(times), 1 - alpha))
            enough = times >= fewest and times * self.carriers >= FEWEST_CARRIERS
            return enough and self.upper(t, side, times, luck) < side * limit

        return times_until(settled)

    def limits(self, confidence: float) -> Interval:
        """Returns two-sided limits. Raises Absent where there are none."""
        if self.why:
            raise Absent(self.why)
        if not np.isfinite(self.without).all():
            raise Absent("it has no value where some groups are left out")
        if self.still:
            raise Absent(self.doubt) if self.doubt else Unmoved(NONE_MOVED.format(self.groups))
        t = float(stdtrit(self.freedom, (1 + confidence) / 2))
        return Interval(-self.upper(t, -1), self.upper(t, 1))

    def p(self, limit: float, better: int = 1) -> float:
        """Returns the one-sided p-value of H0: truth = limit, never over ½. better: 1 where less is better, else −1.

        Where no group moves it nothing has a size, so that the limit does not matter: so many groups show none of a
        fault of one in 100. What has bounds is held against the limit by what a whole group may lose, besides.
        """
        if self.still:
            return float((1 - RARE) ** self.groups) if better * limit > 0 else 1.0
        low, high = 0.0, 1e3
        if self.upper(low, better) >= better * limit:
            return 0.5
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.upper(middle, better) < better * limit else (low, middle)
        return float(stdtr(self.freedom, -low))

    def p_of_loss(self, limit: float, better: int) -> float:
        return self.p(limit, -better)

    def words(self, confidence: float) -> str:
        """Says how the limits were made."""
        return f"jackknife {100 * confidence:g} % over {self.groups:,} groups"

    def less(self, other: LeftOut) -> LeftOut:
        """Returns self − other, paired by sample."""
        value, why = self.value - other.value, self.why or other.why
        without = self.without if why else self.without - other.without
        return LeftOut(value, without, self.groups, self.weights, why)

    @np.errstate(divide="ignore", invalid="ignore")
    def growth(self, other: LeftOut) -> LeftOut:
        """Returns (self − other) / other."""
        change = self.less(other)
        without = change.without if change.why else change.without / other.without
        return LeftOut(change.value / other.value, without, self.groups, self.weights, change.why)


def left_out(value_of: Callable[[Whole], float], answers: Whole, groups: np.ndarray) -> LeftOut:
    """Returns the value of answers to samples in groups, and without each. groups: of each sample, from 0."""
    count = int(groups.max()) + 1
    units = unit_of(count)[groups]
    value, weights = value_of(answers), np.bincount(units).astype(np.float64)
    try:
        return LeftOut(value, without_each(value_of, answers, units), count, weights)
    except Absent as absent:
        why = absent.reason
    except Exception as error:  # a user's function, of fewer samples
        why = f"without some of them it raised {type(error).__name__}: {error}"
    return LeftOut(value, np.zeros(0), count, weights, f"no limits over groups: {why}")


class Summed(Protocol):
    """A statistic of sums, which is known without each unit at once."""

    @property
    def value(self) -> float: ...
    def without_units(self, units: np.ndarray) -> np.ndarray: ...  # units: of each sample, from 0


def of_sums(made: Summed, groups: np.ndarray) -> LeftOut:
    """Returns a statistic of sums over samples in groups, and without each. groups: of each sample, from 0."""
    count = int(groups.max()) + 1
    units = unit_of(count)[groups]
    return LeftOut(made.value, made.without_units(units), count, np.bincount(units).astype(np.float64))


def without_each(value_of: Callable[[Whole], float], answers: Whole, units: np.ndarray) -> np.ndarray:
    """Returns the value without each unit, (units,). Raises Absent where that takes too much memory or time."""
    if answers.size_bytes > MOST_BYTES:
        raise Absent(TOO_LARGE.format(answers.size_bytes >> 20))
    values, start_s = [], time.monotonic()
    for unit in range(int(units.max()) + 1):
        if time.monotonic() - start_s > LONGEST_S:
            raise Absent(TOO_SLOW)
        values.append(value_of(answers.of(units != unit)))
    return np.array(values)


def unit_of(groups: int) -> np.ndarray:
    """Returns each group's unit, (groups,): its own, or where there are more groups than UNITS a random one."""
    unit = np.arange(groups) % UNITS
    return np.random.default_rng(SEED).permutation(unit) if groups > UNITS else unit
