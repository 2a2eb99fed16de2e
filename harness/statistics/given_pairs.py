"""The equal error rate of pairs that are given, as a protocol of verification lists them: two samples each.

The rate is that of verification.py, as scikit-learn's roc_curve of these pairs has it. The limits are the same
jackknife: leaving an identity out leaves out all pairs that it is in. Identities that are in no pair do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.records import Absent
from harness.statistics.neighbours import Leaving, Space, units_of
from harness.statistics.verification import COARSE, FEWEST_THRESHOLDS, LEVELS, ONE_KIND, crossed

STRETCH = 65_536  # pairs that are worked through at a time


@dataclass(frozen=True, eq=False)
class Alike:
    """How alike the samples of each pair are, (pairs,); its kind: 0 of one identity, 1 of two; and the identities of
    both, numbered from 0, (pairs, 2).
    """

    near: np.ndarray
    kind: np.ndarray
    units: np.ndarray

    @property
    def identities(self) -> int:
        return int(self.units.max()) + 1

    def counted(self, place: np.ndarray, places: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many pairs of either kind are at each place, (2, places), and of each identity alone, (2,
        identities, places): a pair of two identities is one of either's.
        """
        whole, own = np.zeros((2, places)), np.zeros((2, self.identities, places))
        np.add.at(whole, (self.kind, place), 1)
        np.add.at(own, (self.kind, self.units[:, 0], place), 1)
        two = self.kind == 1
        np.add.at(own, (1, self.units[two, 1], place[two]), 1)
        return whole, own

    @property
    def in_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many pairs there are of either kind, (2,), and of each identity, (2, identities)."""
        whole, own = self.counted(np.zeros(len(self.kind), np.int64), 1)
        return whole[:, 0], own[..., 0]

    @property
    def moves(self) -> np.ndarray:
        """Returns how far each identity moves the rate at most: by its share of the pairs of either kind."""
        whole, own = self.in_pairs
        return np.asarray((own / whole[:, None]).max(axis=0))


def alike(space: Space, identities: np.ndarray, pairs: np.ndarray) -> Alike:
    """Raises Absent where the pairs are of one kind."""
    parts = [space.of_pairs(pairs[n : n + STRETCH]) for n in range(0, len(pairs), STRETCH)]
    return replace(paired(identities, pairs), near=np.concatenate(parts))


def paired(identities: np.ndarray, pairs: np.ndarray) -> Alike:
    """Returns the pairs before it is known how alike they are. Raises Absent where they are of one kind."""
    kind = (identities[pairs[:, 0]] != identities[pairs[:, 1]]).astype(np.int64)
    if len(np.unique(kind)) < 2:
        raise Absent(ONE_KIND)
    return Alike(np.zeros(len(pairs)), kind, units_of(identities[pairs]).reshape(-1, 2))


def equal_error_rate_of(space: Space, identities: np.ndarray, pairs: np.ndarray) -> Leaving:
    """Returns the equal error rate of these pairs. pairs: the places of two samples each, (pairs, 2). Raises Absent."""
    given = alike(space, identities, pairs)
    values, place = np.unique(given.near, return_inverse=True)
    counts = np.zeros((2, len(values)))
    np.add.at(counts, (given.kind, place), 1)
    under = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    from_0 = np.pad(under, ((0, 0), (1, 0)))
    rate = float(crossed(from_0[:1], 1 - from_0[1:])[0])
    lead = under.sum(axis=0) - 1
    thresholds = values[np.unique(np.clip(np.searchsorted(lead, LEVELS), 0, len(values) - 1))]
    whole, own = given.counted(np.searchsorted(thresholds, given.near), len(thresholds) + 1)
    weights = given.in_pairs[1].sum(axis=0)
    if len(thresholds) < FEWEST_THRESHOLDS:
        return Leaving(rate, np.zeros(0), weights, COARSE.format(len(thresholds)), given.moves)
    left = np.cumsum(np.concatenate([whole[:, None] - own, whole[:, None]], axis=1), axis=2)
    share = np.divide(left[..., :-1], left[..., -1:], out=np.zeros_like(left[..., :-1]), where=left[..., -1:] > 0)
    each = crossed(share[0], 1 - share[1])  # the last is that of all
    return Leaving(rate, rate + each[:-1] - each[-1], weights, moves=given.moves)
