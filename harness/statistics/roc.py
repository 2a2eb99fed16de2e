"""The area under the ROC curve, as a mean of placements: each is bounded, and so is what could have happened to it.

A sample's placement is the share of the other side's scores that its own is over. The area is their mean over either
side (DeLong et al., Biometrics 44, 1988, 837–845). The side with fewer samples is judged by what could have happened to
its placements; what the other side adds to the variance is normal. How far an area of two classes moved is bounded by
DeLong's variance itself, where both have many samples and many of each move.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy.special import stdtr

from harness.statistics.bootstrap import FEW_CARRIERS, OwnLimits, Statistic
from harness.statistics.bounded import Effects, effects_of

LEAST = 100  # samples of either class, for which a t of the move is as good as normal
SHIFT = 0.1  # of the error, to the side that does not pass: without it 5.9 % passed at the limit, with it up to 4.9
FAR = 0.02  # a p under which a tail is not known to be Student's: what could have happened says it, too


@dataclass(frozen=True, eq=False)
class ManyMoved(Effects):
    """How far an area moved, of which many samples of either class carry the variance: by Student's t. A share of the
    rarer class that would make the loss by itself, and may have been missed, is bounded by what could have happened.
    """

    error: float = 0.0  # the standard one, by DeLong
    freedom: float = 1.0
    worth: float = 1.0  # of a whole class that is lost: how far the value moves

    def p(self, limit: float, better: int = 1) -> float:
        room = better * (limit - self.value)
        found = float(stdtr(self.freedom, SHIFT - room / self.error))
        unseen = max(0.0, 1 - room / self.worth) ** float(self.sizes[0]) if room > 0 else 1.0
        floor = max(unseen, FAR if found < FAR else 0.0)
        return max(found, min(floor, super().p(limit, better))) if floor > found else found

    def times(self, factor: float) -> Self:
        return replace(super().times(factor), error=self.error * factor, worth=self.worth * factor)

    def scaled(self, times: float) -> Self:
        return replace(super().scaled(times), error=self.error / math.sqrt(times), freedom=self.freedom * times)

    def words(self, confidence: float) -> str:
        return f"DeLong {100 * confidence:g} %, Student's t, {int(self.sizes[0]):,} samples of the rarer class"


def by_many(found: Effects, positive: np.ndarray, each: np.ndarray) -> Effects:
    """Returns the same by Student's t where both classes have many samples, and many of either carry the variance.

    each: how far the placement of each sample moved, (samples,).
    """
    sides = each[positive], each[~positive]
    fewest = min(map(len, sides))
    if fewest < LEAST or min(map(carriers, sides)) < FEW_CARRIERS:
        return found
    error = math.sqrt(sum(side.var(ddof=1) / len(side) for side in sides))
    return ManyMoved(found.counts, found.effects, found.offset, found.noise, found.labels, "", error, fewest - 1.0)


def carriers(each: np.ndarray) -> float:
    """Returns how many of these carry their variance; 0 where they are all equal."""
    squares = np.square(each - each.mean())
    return float(squares.sum() ** 2 / np.square(squares).sum()) if squares.any() else 0.0


@dataclass(frozen=True, eq=False)
class RankArea(OwnLimits):
    """Area under the ROC curve, the mean over the classes that are there, each against the rest (macro).

    P(a score of the class's own samples is higher than one of the others') + ½ P(equal): Hanley & McNeil, Radiology
    143, 1982, 29–36. labels: (samples,). scores: (samples, classes); of two classes the second alone counts.
    """

    labels: np.ndarray
    scores: np.ndarray

    @cached_property
    def _placements(self) -> tuple[np.ndarray, ...]:
        """Returns for each class that counts the placement of each sample, (samples,)."""
        return tuple(placements(self.labels == k, self.scores[:, k]) for k in self._classes)

    @cached_property
    def _classes(self) -> list[int]:
        return classes_of(self.labels, self.scores)

    @cached_property
    def value(self) -> float:
        if not self._classes:
            return float("nan")
        return float(np.mean([each[self.labels == k].mean() for k, each in self._by_class(self._placements)]))

    def _by_class(self, of: tuple[np.ndarray, ...]) -> Iterator[tuple[int, np.ndarray]]:
        return zip(self._classes, of, strict=True)

    def _effects(self, of: tuple[np.ndarray, ...], low: float) -> Effects:
        """Returns the area, or how far it moved, from the placements of each class. low: the least of one."""
        if len(self._classes) == 1:
            return self._of_two(of[0], low)
        own = np.full(len(self.labels), np.nan)  # each sample's placement among the others of its own class
        rest = np.zeros(len(self.labels))  # what it does to the areas of the others
        for k, placed in self._by_class(of):
            positive = self.labels == k
            own[positive] = placed[positive]
            rest[~positive] += (placed[~positive] - placed[~positive].mean()) / (~positive).sum()
        return self._of_strata(own, self._classes, low, float(np.square(rest).sum()) / len(self._classes) ** 2)

    def _of_two(self, placed: np.ndarray, low: float) -> Effects:
        positive = self.labels == self._classes[0]
        fewer = positive if positive.sum() <= (~positive).sum() else ~positive
        noise = float(placed[~fewer].var(ddof=1)) / int((~fewer).sum()) if (~fewer).sum() > 1 else 0.0
        label = int(self.labels[fewer][0])
        return self._of_strata(np.where(fewer, placed, np.nan), [label], low, noise)

    def _of_strata(self, own: np.ndarray, labels: list[int], low: float, noise: float) -> Effects:
        there = np.isfinite(own)
        count = len(labels)
        strata = np.searchsorted(labels, self.labels[there])
        effects = effects_of(strata, own[there] / count, [low / count] * count, [1 / count] * count, labels)
        return replace(effects, noise=noise)

    @cached_property
    def alone(self) -> Effects:
        return self._effects(self._placements, 0.0)

    def less(self, other: Statistic) -> Effects:
        assert isinstance(other, RankArea)
        moved = tuple(one - before for one, before in zip(self._placements, other._placements, strict=True))
        found = self._effects(moved, -1.0)
        return by_many(found, self.labels == self._classes[0], moved[0]) if len(moved) == 1 else found

    def growth(self, other: Statistic) -> Effects:
        return self.less(other).times(1 / other.value)


def placements(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns each sample's placement, (n,): of a positive one, how many negatives are under it; of a negative one, how
    many positives are over it. positive: whether it is of the class, (n,).
    """
    order = np.argsort(scores)  # ascending scores are looked up ten times as fast
    hits, misses = order[positive[order]], order[~positive[order]]
    placed = np.empty(len(positive))
    placed[hits] = share_under(scores[misses], scores[hits])
    placed[misses] = 1 - share_under(scores[hits], scores[misses])
    return placed


def share_under(others: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the share of the others' sorted scores that is under each score; ties count half."""
    ends = (np.searchsorted(others, scores, side) for side in ("left", "right"))
    return np.asarray(sum(ends) / (2 * len(others)))


def classes_of(labels: np.ndarray, scores: np.ndarray) -> list[int]:
    """Returns the classes that some samples are of, and not all. Of two classes, the second alone."""
    count = scores.shape[1]
    if count == 2:
        return [1] if 0 < int((labels == 1).sum()) < len(labels) else []
    return [k for k in range(count) if 0 < int((labels == k).sum()) < len(labels)]
