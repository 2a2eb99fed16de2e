"""The test set in two halves: remedies are chosen by the one, and the one that is chosen is judged by the other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.records import Run
from harness.support.arrays import digests

Half = Literal["search", "held"]


@dataclass(frozen=True, eq=False)
class Halves:
    """Places in the test set, in order."""

    search: np.ndarray
    held: np.ndarray

    def of(self, half: Half) -> np.ndarray:
        return self.search if half == "search" else self.held


def halves_of(run: Run) -> Halves:
    """Divides the test set by the plan's seed. Samples that belong together are in one half; each class is in both
    alike, as far as that allows.
    """
    labels = classes_of(run)
    seed = random.Random(f"{run.plan.seed}/cure").getrandbits(32)
    units = units_of(run)
    held = in_turn(labels, seed) if units.max() + 1 == len(units) else by_group(labels, units, seed)
    return Halves(np.flatnonzero(~held), np.flatnonzero(held))


def units_of(run: Run) -> np.ndarray:
    """The number of what each sample belongs to, from 0: samples of one group, of one identity, or with equal inputs,
    belong together.
    """
    embedded = [run.labels] if run.task == "embedding" else []
    embedded += [run.head_labels[name] for name, head in run.heads.items() if head.task == "embedding"]
    marks = [
        np.array([int.from_bytes(digest[:8], "little") for digest in digests(run.inputs)], np.uint64),
        run.groups,
        *embedded,
    ]
    return joined([mark for mark in marks if mark is not None])


def joined(marks: Sequence[np.ndarray]) -> np.ndarray:
    """Numbers the samples, from 0: those that are linked by equal marks, over others too, have one number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    samples = len(marks[0])
    numbered = [np.unique(mark, return_inverse=True)[1].ravel() for mark in marks]
    firsts = samples + np.cumsum([0, *(numbers.max() + 1 for numbers in numbered)])
    ends = np.concatenate([numbers + first for numbers, first in zip(numbered, firsts[:-1], strict=True)])
    links = (np.ones(len(ends), bool), (np.tile(np.arange(samples), len(marks)), ends))
    return np.asarray(connected_components(coo_array(links, (firsts[-1], firsts[-1])), directed=False)[1][:samples])


def classes_of(run: Run) -> np.ndarray:
    """The class of each sample, (samples,); all the same where labels are no classes."""
    if run.labels is None or run.labels.ndim > 1 or run.task != "classification":
        return np.zeros(run.test_count, np.int64)
    return run.labels.astype(np.int64)


def in_turn(labels: np.ndarray, seed: int) -> np.ndarray:
    """Returns which samples are held: of each class every other one, in an order that is drawn."""
    order = np.random.default_rng(seed).permutation(len(labels))
    held = np.zeros(len(labels), bool)
    held[order[np.argsort(labels[order], kind="stable")][1::2]] = True
    return held


def by_group(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold

    if len(np.unique(groups)) < 2:
        return np.zeros(len(labels), bool)
    folds = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=seed)
    _, places = next(folds.split(labels, labels, groups))
    held = np.zeros(len(labels), bool)
    held[places] = True
    return held
