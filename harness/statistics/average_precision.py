"""COCO's average precision and recall of detections, with limits by resampling pictures.

The numbers are pycocotools' (cocoeval.py, accumulate: precision made to fall, read at 101 recalls, averaged over ten
overlaps and the classes that have objects). Each picture has a weight, so that a resample costs a few sums.

Resamples, and pictures left out one by one, know how the classes of a picture hang together, but not what a class of
few pictures hides. Strata, the pictures with an object of a class, know that (bounded.py). A limit holds where both say
so, as for F1 of several labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from harness.detection.matching import ClassMatches
from harness.records import Absent
from harness.statistics.bootstrap import SEED, Influences, Jackknifed, OwnLimits, Statistic, affordable
from harness.statistics.bounded import Effects, effects_of
from harness.statistics.by_label import Both

RECALLS = np.linspace(0.0, 1.00, 101)  # COCO's own expression, to the last bit
AT_A_TIME = 4_000_000  # numbers
MOST_RESAMPLES = 500  # they only say how much wider than the influences a value spreads
Part = Literal["ap", "ap50", "ar"]


def value_of(each: ClassMatches, weights: np.ndarray, part: Part) -> np.ndarray:
    """Returns the class's average precision or recall, (resamples,), NaN where no picture of a resample has an object.

    weights: how often each picture is in a resample, (resamples, pictures).
    """
    wanted = weights @ each.wanted.astype(np.float64)
    levels = range(1) if part == "ap50" else range(len(each.hit))
    of_detection = weights[:, each.picture]
    of_level = recall_at if part == "ar" else precision_at
    with np.errstate(divide="ignore", invalid="ignore"):
        values = [of_level(each.hit[t], ~each.ignored[t], of_detection, wanted) for t in levels]
    return np.where(wanted > 0, np.mean(values, axis=0), np.nan)


def recall_at(hit: np.ndarray, counted: np.ndarray, weights: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.asarray(weights[:, hit].sum(axis=1) / wanted)


def precision_at(hit: np.ndarray, counted: np.ndarray, weights: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the mean over the recalls of the highest precision at that recall or a higher one. Only where a detection
    hits does recall rise, and is precision highest.
    """
    right = np.cumsum(weights[:, hit], axis=1)
    whole = np.cumsum(weights * counted, axis=1)[:, hit]
    precision = np.divide(right, whole, out=np.zeros_like(right), where=whole > 0)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, right / wanted[:, None], side="right")
    read = np.diff(reached, axis=1, prepend=0)  # how many recalls are read at each hit
    return np.asarray((highest * read).sum(axis=1) / len(RECALLS))


class Resampled(Jackknifed):
    """The mean over the classes, known without each picture and in resamples."""

    def __init__(self, of: MeanOverClasses) -> None:
        self.value, self.size, self.samples = of.value, 1.0, of.pictures
        left = of.left_out
        self.without = np.nanmean(left, axis=1)
        self.replicates = np.concatenate([np.nanmean(of.by_class(w), axis=1) for w in of.resamples()])

    def _of(self, value: float, without: np.ndarray, size: float, replicates: np.ndarray | None) -> Influences:
        """Returns the influences, and how far the value leans: resamples lie over it as far as it does over the truth,
        since the highest precision is taken at each recall.
        """
        found = super()._of(value, without, size, replicates)
        lean = 0.0 if replicates is None or found.still else float(np.nanmean(replicates)) - value
        return replace(found, over=max(0.0, lean), under=max(0.0, -lean))


@dataclass(frozen=True, eq=False)
class MeanOverClasses(OwnLimits):
    """The mean over the classes that have objects. Raises Absent where none has."""

    classes: Sequence[ClassMatches]
    part: Part

    def __post_init__(self) -> None:
        if not self.classes:
            raise Absent("no value: no picture has an object that is labelled")

    @property
    def pictures(self) -> int:
        return len(self.classes[0].wanted)

    @property
    def size_bytes(self) -> int:
        """The size of what is copied where some pictures are left out: their weights."""
        return 8 * self.pictures

    def of(self, chosen: np.ndarray) -> MeanOverClasses:
        """Returns the same of these pictures. chosen: bool, (pictures,). Raises Absent where none has an object."""
        return MeanOverClasses([some for each in self.classes if (some := each.of(chosen)).wanted.any()], self.part)

    def by_class(self, weights: np.ndarray) -> np.ndarray:
        """Returns the value of each class, (resamples, classes)."""
        return np.stack([value_of(each, weights, self.part) for each in self.classes], axis=1)

    @cached_property
    def values(self) -> np.ndarray:
        """The value of each class, (classes,)."""
        return self.by_class(np.ones((1, self.pictures)))[0]

    @cached_property
    def value(self) -> float:
        return float(self.values.mean())

    @cached_property
    def left_out(self) -> np.ndarray:
        """The value of each class without each picture, (pictures, classes)."""
        table = np.tile(self.values, (self.pictures, 1))
        for k, each in enumerate(self.classes):
            there = np.union1d(each.picture, np.flatnonzero(each.wanted))
            for some in np.array_split(there, max(1, len(there) * self.pictures // AT_A_TIME)):
                weights = np.ones((len(some), self.pictures))
                weights[np.arange(len(some)), some] = 0
                table[some, k] = value_of(each, weights, self.part)
        return table

    def resamples(self) -> Iterator[np.ndarray]:
        """Yields how often each picture is in each resample, some resamples at a time."""
        size = max(self.pictures, sum(each.hit.size for each in self.classes) // 10)
        count, rng = min(MOST_RESAMPLES, affordable(size)), np.random.default_rng(SEED)
        for first in range(0, count, step := max(1, AT_A_TIME // size)):
            drawn = rng.integers(0, self.pictures, (min(step, count - first), self.pictures))
            yield np.stack([np.bincount(row, minlength=self.pictures) for row in drawn]).astype(np.float64)

    @cached_property
    def resampled(self) -> Resampled:
        return Resampled(self)

    @cached_property
    def alone(self) -> Both:
        return Both(self.resampled.alone, effects(self, None))

    def less(self, other: Statistic) -> Both:
        assert isinstance(other, MeanOverClasses)
        return Both(self.resampled.less(other.resampled), effects(self, other))

    def growth(self, other: Statistic) -> Both:
        assert isinstance(other, MeanOverClasses)
        return Both(self.resampled.growth(other.resampled), effects(self, other).times(1 / other.value))


def effects(own: MeanOverClasses, other: MeanOverClasses | None) -> Effects:
    """Returns own − other, or own, by what each picture with an object of a class adds to that class: a whole class may
    be lost. How far a picture moves its class is seen by leaving it out.
    """
    value = own.value - (other.value if other else 0.0)
    moved = own.values - (other.values if other else 0.0)
    left = own.left_out - (other.left_out if other else 0.0)
    count, strata, each = len(own.classes), [], []
    for k, of_class in enumerate(own.classes):
        there = np.flatnonzero(of_class.wanted)
        if len(there) > 1:
            pulled = (len(there) - 1) * (moved[k] - left[there, k])
            added = moved[k] + pulled - pulled.mean()
        else:
            added = np.array([moved[k]])
        strata.append(np.full(len(there), k))
        each.append(added / count)
    low, high = [(-1 if other else 0) / count] * count, [1 / count] * count
    labels = [of_class.label for of_class in own.classes]
    found = effects_of(np.concatenate(strata), np.concatenate(each), low, high, labels)
    return found.plus(value - found.value)
