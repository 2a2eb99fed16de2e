"""What the rounds of a row say of its typical process: the value that half of its processes keep, and its limits.

One estimand for every value, ratio and limit of rounds: the median over processes. Where rounds look normal (on the
logarithm, where they are over zero) it is estimated by their mean and bounded by Student's t. Where they are skewed or
of two kinds, as with a slow clock in one round of six, t does not hold: then it is the rounds' median, bounded by order
statistics. Where each round is like the one before it, so many rounds say less, and the limits are wider.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import bdtr, ndtr, ndtri, stdtr, stdtrit

from harness.metrics.two_stage import first_of, stage_words
from harness.statistics import stats
from harness.statistics.stats import Interval

UNLIKELY = 0.05  # of normal rounds, how many are taken for skewed
CORRELATED_Z = -1.96  # of independent rounds, 2.5 % are taken for correlated
WIDER = 3.0  # times, where rounds are correlated
FEWEST_FOR_SHAPE = 5
ALIKE = 1e-9  # relative: what rounds that say the same may differ by
SKEWED = "they are skewed or of two kinds"
CORRELATED = "three times as wide, since each is like the one before it"


@dataclass(frozen=True, eq=False)
class Typical:
    """Rounds in the order of time, as logarithms where `logarithmic`.

    at: of pairs, how far the two rows' own values are apart where that says the opposite of the pairs; it is the value
    then, so that no table contradicts itself, and the limits reach as far.
    """

    each: np.ndarray  # (rounds,)
    logarithmic: bool
    at: float | None = None
    kind: str = ""  # what each is, in words
    first: int | None = None  # how many are of the first of two stages, as in stats.half_width

    @classmethod
    def of(cls, values: Sequence[float], first: int | None = None) -> Typical:
        """values: one a round, in the order of time. Logarithms are taken where all are over zero and they differ."""
        array = np.asarray(values, dtype=np.float64)
        positive = bool((array > 0).all() and np.ptp(array) > 0)
        kind = "log of {} rounds" if positive else "{} rounds"
        return cls(np.log(array) if positive else array, positive, kind=kind, first=first)

    @classmethod
    def of_pairs(
        cls,
        before: Mapping[int, float],
        after: Mapping[int, float],
        ratio: bool = True,
        first_stage: int | None = None,
    ) -> Typical:
        """Returns after / before, or after − before, over the rounds that both have. before, after: round → value.

        first_stage: the plan's.
        """
        shared = sorted(before.keys() & after.keys())
        sides = [np.array([side[index] for index in shared], dtype=np.float64) for side in (before, after)]
        one, other = np.log(sides) if ratio else sides
        kind = "log ratios of {} paired rounds" if ratio else "differences of {} paired rounds"
        pairs = cls(other - one, ratio, kind=kind, first=first_of(first_stage, shared))
        if not shared:
            return pairs
        first, second = (cls.of([v for _, v in sorted(side.items())]).value for side in (before, after))
        at = math.log(second / first) if ratio else second - first
        return replace(pairs, at=at) if at * pairs.centre < 0 else pairs

    def __len__(self) -> int:
        return len(self.each)

    @cached_property
    def alike(self) -> bool:
        """Whether every round says the same, as memory may."""
        scale = 1.0 if self.logarithmic else float(np.abs(self.each).max(initial=0.0))
        return float(np.ptp(self.each)) <= ALIKE * scale

    @cached_property
    def skewed(self) -> bool:
        """Whether the rounds are unlikely to be normal (Shapiro & Francia, JASA 67, 1972; p by Royston 1993)."""
        return len(self) >= FEWEST_FOR_SHAPE and not self.alike and normality_p(self.each) < UNLIKELY

    @cached_property
    def correlated(self) -> bool:
        """Whether each round is like the one before it (von Neumann's ratio, Annals of Math. Statistics 12, 1941)."""
        return len(self) >= FEWEST_FOR_SHAPE and not self.alike and von_neumann_z(self.each) < CORRELATED_Z

    @cached_property
    def centre(self) -> float:
        return float(np.median(self.each) if self.skewed else self.each.mean())

    @property
    def value(self) -> float:
        if self.alike and not self.logarithmic:
            return float(self.each[0])
        return self.back(self.centre if self.at is None else self.at)

    @property
    def values(self) -> np.ndarray:
        return np.exp(self.each) if self.logarithmic else self.each

    def limits(self, confidence: float = 0.95) -> Interval | None:
        """Returns two-sided limits; None where there are too few rounds for any, in all or of a first stage."""
        if len(self.each[: self.first]) < 2:
            return None
        below, above = self.ends(confidence)
        if math.isinf(below):
            return None
        at = self.centre if self.at is None else self.at
        return Interval(self.back(min(below, at)), self.back(max(above, at)))

    def ends(self, confidence: float) -> tuple[float, float]:
        """Returns the limits on the scale of `each`; infinite where order statistics have none."""
        below, above = self.ranked(confidence) if self.skewed else self.student(confidence)
        wider = WIDER if self.correlated else 1.0
        return self.centre - wider * (self.centre - below), self.centre + wider * (above - self.centre)

    def student(self, confidence: float) -> tuple[float, float]:
        half = stats.half_width(self.each, confidence, self.first)
        return self.centre - half, self.centre + half

    def ranked(self, confidence: float) -> tuple[float, float]:
        """Returns the order statistics that bound the median (Hahn & Meeker, Statistical Intervals, section 5.2)."""
        low, high = stats.order_statistic_ranks(len(self), 0.5, confidence)
        ordered = np.sort(self.each)
        return (float(ordered[low - 1]), float(ordered[high - 1])) if low >= 1 else (-math.inf, math.inf)

    def p(self, limit: float, less_is_better: bool = True) -> float:
        """Returns the one-sided p-value of H0: the value is the limit, or on its wrong side."""
        sign = 1 if less_is_better else -1
        at_limit = sign * (math.log(limit) if self.logarithmic else limit)
        if self.at is not None and sign * self.at >= at_limit:
            return max(0.5, self.p_of_each(sign, at_limit))
        return self.p_of_each(sign, at_limit)

    def p_of_each(self, sign: int, limit: float) -> float:
        each, centre = sign * self.each, sign * self.centre
        wider = WIDER if self.correlated else 1.0
        nearer = centre + (limit - centre) / wider
        if self.skewed:
            return float(bdtr(int((each >= nearer - ALIKE * abs(nearer)).sum()), len(self), 0.5))
        sd, freedom = stats.round_sd(self.each, self.first)
        return float(stdtr(freedom, (centre - nearer) / sd * math.sqrt(len(self))))

    def back(self, number: float) -> float:
        return math.exp(number) if self.logarithmic else number

    def words(self) -> str:
        what = self.kind.format(len(self))
        made = f"order statistics of {what.removeprefix('log of ').removeprefix('log ')}: {SKEWED}"
        student = f"t on {what}{stage_words(len(self), self.first)}"
        return (made if self.skewed else student) + (f"; {CORRELATED}" if self.correlated else "")


def normality_p(values: np.ndarray) -> float:
    """Returns the p-value of Shapiro & Francia's W′ (Royston, Statistics and Computing 3, 1993, 117–120).

    W′ is the squared correlation of the ordered values with normal scores; ln(1 − W′) is nearly normal from n = 5 on.
    """
    n = len(values)
    scores = ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    w = min(1 - 1e-15, float(np.corrcoef(np.sort(values), scores)[0, 1]) ** 2)
    logs = math.log(math.log(n))
    mean = -1.2725 + 1.0521 * (logs - math.log(n))
    sd = 1.0308 - 0.26758 * (logs + 2 / math.log(n))
    return float(ndtr((mean - math.log(1 - w)) / sd))


def von_neumann_z(values: np.ndarray) -> float:
    """Returns Σ(xᵢ₊₁ − xᵢ)² / Σ(xᵢ − x̄)², less its mean 2 and over its sd under independence."""
    n = len(values)
    ratio = float((np.diff(values) ** 2).sum() / ((values - values.mean()) ** 2).sum())
    return (ratio - 2) / math.sqrt(4 * (n - 2) / (n * n - 1))


@dataclass(frozen=True, eq=False)
class TwoSessions:
    """How far the typical process of two sessions that share no round is apart, as a ratio: after / before."""

    before: Typical
    after: Typical

    @property
    def well_behaved(self) -> bool:
        return not any(side.skewed or side.correlated for side in (self.before, self.after))

    @property
    def ratio(self) -> float:
        return self.after.value / self.before.value

    def limits(self, confidence: float = 0.95) -> Interval | None:
        """Returns Welch's limits; else those of both values, each with half of the error (Bonferroni)."""
        if min(len(side.each[: side.first]) for side in (self.before, self.after)) < 2:
            return None
        if self.well_behaved:
            firsts = self.before.first, self.after.first
            return stats.welch_ratio_interval(self.before.values, self.after.values, confidence, firsts)[1]
        one, other = (side.limits((1 + confidence) / 2) for side in (self.before, self.after))
        return Interval(other.low / one.high, other.high / one.low) if one and other else None

    def words(self) -> str:
        if self.well_behaved:
            return f"Welch t on log of {len(self.before)} and {len(self.after)} rounds"
        return f"limits of both, with half of the error each: {self.before.words()}; {self.after.words()}"


@dataclass(frozen=True, eq=False)
class OneMoreSession:
    """How far one more session is from the mean of S stored ones: as a ratio where logarithmic, else a difference.

    d ± t_{S−1}·s·√(1 + 1/S), the prediction interval for one more of the same draws (Hahn & Meeker, Statistical
    Intervals, 2nd ed., chapter 4): s is the sd of the sessions' typical values, which holds the variance between
    rounds too.
    """

    centres: np.ndarray  # (S,): the typical value of each, as a logarithm where logarithmic
    own: float
    logarithmic: bool

    @classmethod
    def of(cls, stored: Sequence[Sequence[float]], own: Sequence[float], logarithmic: bool) -> OneMoreSession:
        """stored, own: values by round, over 0 where logarithmic."""
        scaled = math.log if logarithmic else float
        return cls(np.array([scaled(Typical.of(s).value) for s in stored]), scaled(Typical.of(own).value), logarithmic)

    @property
    def alike(self) -> bool:
        """Whether every session says the same, as memory may."""
        return float(np.ptp(self.centres)) <= ALIKE

    @property
    def move(self) -> float:
        return self.own - float(self.centres.mean())

    @property
    def error(self) -> float:
        return float(self.centres.std(ddof=1)) * math.sqrt(1 + 1 / len(self.centres))

    @property
    def value(self) -> float:
        return self.back(self.move)

    def limits(self, confidence: float) -> Interval:
        half = float(stdtrit(len(self.centres) - 1, (1 + confidence) / 2)) * self.error
        return Interval(self.back(self.move - half), self.back(self.move + half))

    def p(self, limit: float, less_is_better: bool = True) -> float:
        """Returns the one-sided p-value of H0: the move is the limit."""
        over = self.move - (math.log(limit) if self.logarithmic else limit)
        return float(stdtr(len(self.centres) - 1, (over if less_is_better else -over) / self.error))

    def back(self, number: float) -> float:
        return math.exp(number) if self.logarithmic else number

    def words(self) -> str:
        return f"t on {'log of ' if self.logarithmic else ''}{len(self.centres)} stored sessions, one more predicted"
