"""Which detection is of which object, as COCO's evaluator has it, and which of two models' detections belong together.

COCO's (pycocotools, cocoeval.py): picture by picture and class by class, detections take objects in the order of their
scores, each the free one that it overlaps most, at ten thresholds. A detection on a crowd counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.detection.boxes import overlaps

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # COCO's own expression, to the last bit
MOST = 100  # detections of a picture and class that count
SAME_PLACE = 0.5  # detections that overlap less are not of one object


@dataclass(frozen=True)
class ClassMatches:
    """All detections of one class, the highest score first. hit, ignored: bool, (thresholds, D); picture: (D,); wanted:
    how many objects each picture has, (pictures,), without crowds.
    """

    label: int
    hit: np.ndarray
    ignored: np.ndarray
    picture: np.ndarray
    wanted: np.ndarray

    def of(self, chosen: np.ndarray) -> ClassMatches:
        """Returns the same of these pictures. chosen: bool, (pictures,)."""
        kept, number = chosen[self.picture], np.cumsum(chosen) - 1
        hit, ignored, picture = self.hit[:, kept], self.ignored[:, kept], number[self.picture[kept]]
        return ClassMatches(self.label, hit, ignored, picture, self.wanted[chosen])


def matches_of(objects: np.ndarray, detections: np.ndarray) -> tuple[ClassMatches, ...]:
    """Returns the matches of every class that an object is of, of (pictures, M, 6) and (pictures, D, 6)."""
    return tuple(of_class(label, objects, detections) for label in classes_of(objects))


def classes_of(objects: np.ndarray) -> list[int]:
    """Returns the classes of which there is an object that is no crowd."""
    there = (objects[..., 4] >= 0) & (objects[..., 5] == 0)
    return [int(label) for label in np.unique(objects[..., 4][there])]


def of_class(label: int, objects: np.ndarray, detections: np.ndarray) -> ClassMatches:
    said, wanted = (detections[..., 5] == label) & (detections[..., 4] > 0), objects[..., 4] == label
    pictures, hits, ignored = [], [np.zeros((len(THRESHOLDS), 0), bool)], [np.zeros((len(THRESHOLDS), 0), bool)]
    scores = [np.zeros(0)]
    for n in np.flatnonzero(said.any(axis=1)):
        rows = detections[n][said[n]]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")][:MOST]
        hit, left_out = of_picture(objects[n][wanted[n]], rows)
        scores.append(rows[:, 4])
        pictures.append(np.full(len(rows), n))
        hits.append(hit)
        ignored.append(left_out)
    order = np.argsort(-np.concatenate(scores), kind="mergesort")
    table, out = np.concatenate(hits, axis=1)[:, order], np.concatenate(ignored, axis=1)[:, order]
    picture = np.concatenate([np.zeros(0, int), *pictures])[order]
    return ClassMatches(label, table, out, picture, (wanted & (objects[..., 5] == 0)).sum(axis=1))


def of_picture(objects: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which detections hit an object, and which count for nothing: bool, (thresholds, rows) each."""
    hit = np.zeros((len(THRESHOLDS), len(rows)), bool)
    ignored = hit.copy()
    if not len(objects):
        return hit, ignored
    crowd = objects[:, 5] > 0
    overlap, least = overlaps(rows[:, :4], objects[:, :4], crowd), np.minimum(THRESHOLDS, 1 - 1e-10)
    taken = np.zeros((len(THRESHOLDS), len(objects)), bool)
    for n in range(len(rows)):
        free = np.where(taken | crowd, -1.0, overlap[n])
        place = free.shape[1] - 1 - free[:, ::-1].argmax(axis=1)  # of equal ones the last, as COCO's loop takes
        found = free[np.arange(len(free)), place] >= least
        taken[np.flatnonzero(found), place[found]] = True
        hit[:, n] = found
        if crowd.any():
            ignored[:, n] = ~found & (overlap[n][crowd].max() >= least)
    return hit, ignored


# --- two models ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """One picture's detections of two models, paired so that they overlap most, whatever their classes."""

    before: np.ndarray  # rows of the pairs' detections, (pairs, 6)
    after: np.ndarray
    overlap: np.ndarray  # of each pair, over 0, (pairs,)
    counts: tuple[int, int]  # how many detections each model has

    @property
    def same_class(self) -> np.ndarray:
        return np.asarray(self.before[:, 5] == self.after[:, 5])

    @property
    def kept(self) -> int:
        """How many are of the same class and in the same place."""
        return int((self.same_class & (self.overlap >= SAME_PLACE)).sum())

    @property
    def moved(self) -> float:
        """The mean of 1 − overlap of these; 0 where there is none."""
        kept = self.overlap[self.same_class & (self.overlap >= SAME_PLACE)]
        return float(1 - kept.mean()) if len(kept) else 0.0

    @property
    def box_overlap(self) -> float:
        """The mean overlap over all detections of the model that has more; 1 where neither has any."""
        return float(self.overlap.sum()) / max(self.counts) if max(self.counts) else 1.0

    @property
    def class_share(self) -> float:
        """The share of pairs that agree on the class; 0 where detections have no partner at all."""
        if not max(self.counts):
            return 1.0
        return float(self.same_class.mean()) if len(self.overlap) else 0.0


def pairs_of(before: np.ndarray, after: np.ndarray, least_score: float) -> Pairs:
    """Pairs detections, (D, 6) each, of at least that score, one to one, by the largest sum of overlaps."""
    from scipy.optimize import linear_sum_assignment  # .2 s to load, which every command would wait for

    one, other = (rows[(rows[:, 4] >= least_score) & (rows[:, 5] >= 0)] for rows in (before, after))
    overlap = overlaps(one[:, :4], other[:, :4])
    here, there = linear_sum_assignment(-overlap)
    paired = overlap[here, there] > 0
    here, there = here[paired], there[paired]
    return Pairs(one[here], other[there], overlap[here, there], (len(one), len(other)))
