"""The area under the ROC curve as a statistic that can be resampled."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from harness.metrics.bootstrap import LEFT_OUT, ROWS, Statistic, groups_of, means, weights

SORTED_ANEW = 2000  # samples, of which the area is worked through anew for each resample


def rank_area(labels: np.ndarray, scores: np.ndarray) -> Statistic:
    """Returns the area under the ROC curve:
    RankArea, or for many samples the mean of their influences, so that no resample is sorted again.

    A sample's influence is its placement among the others' scores less the area, over its side's share of the samples
    (DeLong et al., Biometrics 44, 1988, 837–845); the area is their mean, and a resample's area to first order too.
    """
    if len(labels) <= SORTED_ANEW:
        return RankArea(labels, scores)
    influences = [influence(labels == k, scores[:, k]) for k in classes_of(labels, scores)]
    return means(np.mean(influences, axis=0) if influences else np.full(len(labels), np.nan))


def influence(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns each sample's influence on the area, (n,). positive: whether it is of the class, (n,)."""
    hits, misses = np.sort(scores[positive]), np.sort(scores[~positive])
    placed = np.empty(len(positive))
    placed[positive] = placement(misses, scores[positive])
    placed[~positive] = 1 - placement(hits, scores[~positive])
    area = placed[positive].mean()
    return np.asarray(area + (placed - area) * len(positive) / np.where(positive, len(hits), len(misses)))


def placement(others: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the share of the others' sorted scores that is under each score; ties count half."""
    ends = (np.searchsorted(others, scores, side) for side in ("left", "right"))
    return np.asarray(sum(ends) / (2 * len(others)))


def classes_of(labels: np.ndarray, scores: np.ndarray) -> list[int]:
    """Returns the classes that some samples are of, and not all. Of two classes, the second alone."""
    count = scores.shape[1]
    if count == 2:
        return [1] if 0 < int((labels == 1).sum()) < len(labels) else []
    return [k for k in range(count) if 0 < int((labels == k).sum()) < len(labels)]


class RankArea:
    """Area under the ROC curve, the mean over the classes that are there, each against the rest (macro).

    P(a score of the class's own samples is higher than one of the others') + ½ P(equal): Hanley & McNeil, Radiology
    143, 1982, 29–36. labels: (samples,). scores: (samples, classes); of two classes the second alone counts.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray) -> None:
        self._labels, self._scores = labels, scores
        self._classes = classes_of(labels, scores)

    @cached_property
    def value(self) -> float:
        return float(self._areas(np.ones((1, len(self._labels)), np.uint8))[0])

    @property
    def size(self) -> float:
        return 1.0

    @cached_property
    def replicates(self) -> np.ndarray:
        drawn = weights(len(self._labels))
        return np.concatenate([self._areas(drawn[row : row + ROWS]) for row in range(0, len(drawn), ROWS)])

    @cached_property
    def jackknife(self) -> np.ndarray:
        group = groups_of(len(self._labels))
        return self._areas((group != np.arange(min(LEFT_OUT, len(group)))[:, None]).astype(np.uint8))

    def _areas(self, counts: np.ndarray) -> np.ndarray:
        """Returns the area for each resample. counts: how often each sample is in it, (resamples, samples)."""
        if not self._classes:
            return np.full(len(counts), np.nan)
        return np.mean([self._area(counts, k) for k in self._classes], axis=0)

    @np.errstate(divide="ignore", invalid="ignore")
    def _area(self, counts: np.ndarray, of: int) -> np.ndarray:
        scores = self._scores[:, of]
        order = np.argsort(scores, kind="stable")
        levels = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)  # where each value begins
        positive = (self._labels == of)[order]
        drawn = counts[:, order].astype(np.float32)
        hits, misses = (np.add.reduceat(drawn * side, levels, axis=1) for side in (positive, ~positive))
        below = np.cumsum(misses, axis=1, dtype=np.float64) - misses / 2
        return (hits * below).sum(axis=1) / (hits.sum(axis=1, dtype=np.float64) * misses.sum(axis=1, dtype=np.float64))
