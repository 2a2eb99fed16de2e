"""IoU, Dice and pixel accuracy of pictures: the mean over classes of what two maps share, by the area of each class.

The index of a class is Tversky's (Psychological Review 84, 1977, 327–352) over the pixels of all pictures: hits /
(hits + w · (answers without label + labels without answer)), where w = 1 is IoU (Jaccard) and w = ½ Dice (F1).

The sample is the picture. What it adds is its jackknife pseudo-value (Miller, Biometrika 61, 1974, 1–15), between that
of a picture that is lost and that of a perfect one: the limits are those of bounded.py. A class that few pictures have
may be lost in some of its kind though in none of these: of n pictures with it, x of which lost it, by the binomial
distribution (Clopper & Pearson, Biometrika 26, 1934, 404–413). Pictures differ in size, and a lost one that is larger
than those that were seen is known to neither: the bootstrap-t is. A limit holds where all say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import bdtr, bdtri

from harness.statistics.bootstrap import FEW_CARRIERS, FEWEST_SAMPLES, Influences, OwnLimits, Statistic
from harness.statistics.bounded import Effects, effects_of
from harness.statistics.power import tail_for, times_until
from harness.statistics.stats import Interval

WIDER = 1.5  # the interval where few pictures carry the value: without, 7 to 10 % passed at a limit of lognormal areas
LOST = 0.5  # of its pixels: a class that keeps fewer of those that were right is lost in a picture


@dataclass(frozen=True, eq=False)
class Rare:
    """What pictures say of each class, (classes,): how many had it, in how many it is lost, what it is worth."""

    pictures: np.ndarray
    lost: np.ndarray
    worth: np.ndarray  # how far the mean falls where the class is lost in all pictures

    def p(self, loss: float) -> float:
        """Returns the largest probability, of any class, of no more lost pictures than were seen, if what is lost of
        the class beyond them made the loss. The loss is over 0.
        """
        further = np.divide(loss, self.worth, out=np.ones_like(self.worth), where=self.worth > 0)
        share = self.lost / self.pictures + further
        each = np.where(share < 1, bdtr(self.lost, self.pictures.astype(int), np.minimum(share, 1)), 0.0)
        return float(each.max(initial=0.0))

    def hidden(self, alpha: float) -> float:
        """Returns the largest loss, of any class, that has no less than this probability of not being seen."""
        most = np.where(self.lost < self.pictures, bdtri(self.lost, self.pictures.astype(int), alpha), 1.0)
        return float(((most - self.lost / self.pictures) * self.worth).max(initial=0.0))


class Pulls(Influences):
    """How far each picture pulls the value. Where few large ones carry it, larger ones may be missing."""

    @property
    def wary(self) -> float:
        return WIDER if self.carriers < FEW_CARRIERS else 1.0

    def wider(self, found: Interval, confidence: float) -> Interval:
        own = self.limits(confidence)
        return Interval(min(found.low, own.low), max(found.high, own.high))


@dataclass(frozen=True, eq=False)
class AreaLimits:
    """A value with the limits of both: of all pictures, and of the classes that few of them have."""

    pictures: Effects
    rare: Rare
    pulls: Pulls

    @property
    def value(self) -> float:
        return self.pictures.value

    @property
    def doubt(self) -> str:
        return self.pictures.doubt

    @property
    def unproven(self) -> str:
        return self.pictures.unproven

    def limits(self, confidence: float) -> Interval:
        found = self.pictures.limits(confidence)
        low = min(found.low, self.value - self.rare.hidden((1 - confidence) / 2))
        return (
            Interval(low, found.high) if self.pulls.still else self.pulls.wider(Interval(low, found.high), confidence)
        )

    def p(self, limit: float, better: int = 1) -> float:
        found = self.pictures.p(limit, better)
        found = found if self.pulls.still else max(found, self.pulls.p(limit, better))
        return max(found, self.rare.p(self.value - limit)) if better == -1 and limit < self.value else found

    def p_of_loss(self, limit: float, better: int) -> float:
        return self.p(limit, -better)

    def words(self, confidence: float) -> str:
        classes, told = len(self.rare.worth), self.pictures.words(confidence)
        return f"{told}, and in those with each of {classes} classes" if classes > 1 else told

    def times_to_settle(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        """Returns how many times as many pictures decide the limit so often, if these show the truth. None: never."""
        times, loss = self._pulled(limit, better, alpha, power), self.value - limit
        if better == 1 or loss <= 0:
            return times
        rare, tail = self.rare, tail_for(alpha, power)

        def shown(many: float) -> bool:
            return replace(rare, pictures=many * rare.pictures, lost=many * rare.lost).p(loss) <= tail

        rarest = times_until(shown)
        return None if times is None or rarest is None else max(times, rarest)

    def _pulled(self, limit: float, better: int, alpha: float, power: float) -> float | None:
        """Returns the same of all pictures. Raises Absent where few of them carry the value."""
        times, pulls = self.pictures.times_to_settle(limit, better, alpha, power), self.pulls
        if times is None or pulls.still or (own := pulls.times_to_settle(limit, better, alpha, power)) is None:
            return times if pulls.still else None
        return max(times, own) if own * pulls.samples > FEWEST_SAMPLES else times


@dataclass(frozen=True, eq=False)
class AreaScore(OwnLimits):
    """hits, labels, answers: pixels of each picture and class, whole numbers, (pictures, classes)."""

    hits: np.ndarray
    labels: np.ndarray
    answers: np.ndarray
    weight: float  # w: 1 of IoU, ½ of Dice

    @property
    def size_bytes(self) -> int:
        return self.hits.nbytes

    def of(self, chosen: np.ndarray) -> AreaScore:
        """Returns the score of these pictures alone. chosen: bool, (pictures,)."""
        return replace(self, hits=self.hits[chosen], labels=self.labels[chosen], answers=self.answers[chosen])

    @cached_property
    def _whole(self) -> np.ndarray:
        both = self.labels.astype(np.float64) + self.answers
        return np.asarray(self.hits + self.weight * (both - 2.0 * self.hits))

    @cached_property
    def by_class(self) -> np.ndarray:
        """The index of each class, (classes,); NaN where no pixel has it or is given it."""
        return shares(self.hits.sum(axis=0), self._whole.sum(axis=0))

    @cached_property
    def value(self) -> float:
        """NaN where no class has a pixel."""
        return mean_known(self.by_class)

    @cached_property
    def pseudo_values(self) -> np.ndarray:
        """What each picture adds, (pictures,): n · value − (n − 1) · the value without it; their mean is the value, but
        for what the mean of quotients leans.
        """
        n, hits, whole = len(self.hits), self.hits.sum(axis=0), self._whole.sum(axis=0)
        without = mean_known(shares(hits - self.hits, whole - self._whole))
        return np.where(np.isfinite(without), n * self.value - (n - 1) * without, self.value)

    @cached_property
    def alone(self) -> AreaLimits:
        perfect = replace(self, hits=self.labels, answers=self.labels)
        pictures = self._pictures(self.pseudo_values, 0.0, 1.0, self.value)
        return AreaLimits(pictures, self._rare(perfect), pulls(self.pseudo_values, self.value))

    def less(self, other: Statistic) -> AreaLimits:
        assert isinstance(other, AreaScore)
        each, moved = self.pseudo_values - other.pseudo_values, self.value - other.value
        pictures = self._pictures(each, -other.value, 1 - other.value, moved)
        return AreaLimits(pictures, self._rare(other), pulls(each, moved))

    def growth(self, other: Statistic) -> AreaLimits:
        assert isinstance(other, AreaScore)
        moved = self.less(other)
        rare = replace(moved.rare, worth=moved.rare.worth / other.value)
        grown = replace(moved.pulls, value=moved.value / other.value, each=moved.pulls.each / other.value)
        return AreaLimits(moved.pictures.times(1 / other.value), rare, grown)

    @staticmethod
    def _pictures(each: np.ndarray, low: float, high: float, value: float) -> Effects:
        """Returns the limits of what pictures add. low, high: what a picture adds that is lost, or becomes perfect."""
        ends = [min(low, float(each.min()))], [max(high, float(each.max()))]
        found = effects_of(np.zeros(len(each), int), each, *ends)
        return found.plus(value - found.value)

    def _rare(self, before: AreaScore) -> Rare:
        had = before.hits > 0
        pictures, lost = had.sum(axis=0), (had & (self.hits < LOST * before.hits)).sum(axis=0)
        there = np.flatnonzero(pictures)
        kept = np.maximum(1 - lost[there] / pictures[there], 1 / pictures[there])
        worth = np.minimum(np.nan_to_num(self.by_class[there]) / kept, 1) / np.isfinite(self.by_class).sum()
        return Rare(pictures[there].astype(float), lost[there].astype(float), worth)


def pulls(each: np.ndarray, value: float) -> Pulls:
    """each: what each picture adds, (pictures,)."""
    return Pulls(value, each - each.mean(), len(each), 1.0)


def shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divides; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def mean_known(indices: np.ndarray):  # type: ignore[no-untyped-def]
    """Returns the mean over the classes, the last axis, that have an index; NaN where none has."""
    known = np.isfinite(indices)
    return shares(np.where(known, indices, 0).sum(axis=-1), known.sum(axis=-1))[()]
