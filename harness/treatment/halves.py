"""The test set in two halves: remedies are chosen by the one, and the one that is chosen is judged by the other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.records import Run

Half = Literal["search", "held"]


@dataclass(frozen=True, eq=False)
class Halves:
    """Places in the test set, in order."""

    search: np.ndarray
    held: np.ndarray

    def of(self, half: Half) -> np.ndarray:
        return self.search if half == "search" else self.held


def halves_of(run: Run) -> Halves:
    """Divides the test set by the plan's seed. Each class is in both halves alike, and a group is in one of them."""
    labels = classes_of(run)
    seed = random.Random(f"{run.plan.seed}/cure").getrandbits(32)
    held = in_turn(labels, seed) if run.groups is None else by_group(labels, run.groups, seed)
    return Halves(np.flatnonzero(~held), np.flatnonzero(held))


def classes_of(run: Run) -> np.ndarray:
    """The class of each sample, (samples,); all the same where labels are no classes."""
    if run.labels is None or run.labels.ndim > 1 or run.task != "classification":
        return np.zeros(run.test_count, np.int64)
    return run.labels.astype(np.int64)


def in_turn(labels: np.ndarray, seed: int) -> np.ndarray:
    """Of each class every other sample, in an order that is drawn."""
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
