"""Vectors with an identity each: who is nearest to whom, by cosine or Euclidean distance, a stretch of rows at a time.

Recall at k leaves one out: each sample asks all others of the test set, and is right where one of the k nearest has its
identity (Musgrave, Belongie & Lim, ECCV 2020, section 3). Of equally near ones those of other identities come first, so
that vectors that are all equal find nothing. A sample whose identity has no other is not asked, only found.

The limits are a jackknife over identities: without one, neither are its samples asked, nor do they hide others'. It is
never over samples: one that is not in the test set may hide many others, and such limits let too much pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.records import Absent

VALUES = 2_000_000  # similarities that are in memory at a time
TIED = 1e-12  # of the largest: similarities that lie closer are equal but for rounding
NO_PARTNER = "no value: no two of {:,} samples have one identity"

NONE_TO_FIND = "no value: the gallery has the identity of none of {:,} queries"


@dataclass(frozen=True, eq=False)
class Leaving:
    """A value, and what it is without each identity, (identities,). weights: how much of each counts, of those that
    can go wrong; others are only found. why: it has no limits; "" where it may. moves: how far the value moves where
    one goes wrong, where its weight does not say it.
    """

    value: float
    without: np.ndarray
    weights: np.ndarray
    why: str = ""
    moves: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Space:
    """Vectors, float64 (samples, numbers): of length 1 for the cosine; squares, (samples,): of Euclidean distances."""

    vectors: np.ndarray
    squares: np.ndarray | None = None

    @property
    def tied(self) -> float:
        return TIED if self.squares is None else TIED * max(1e-300, float(self.squares.max()))

    def stretches(self, queries: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields (places, similarities to all): the cosine, or the squared distance times −1; of itself −∞. queries:
        bool, (samples,): those that ask alone, and −∞ to each other; None: all ask.
        """
        step = max(1, VALUES // max(1, len(self.vectors)))
        asking = np.arange(len(self.vectors)) if queries is None else np.flatnonzero(queries)
        for first in range(0, len(asking), step):
            places = asking[first : first + step]
            near = self.vectors[places] @ self.vectors.T
            if self.squares is not None:
                near = np.minimum(2 * near - self.squares[places, None] - self.squares, 0)
            near[np.arange(len(places)), places] = -np.inf
            if queries is not None:
                near[:, queries] = -np.inf
            yield places, near

    def of_pairs(self, pairs: np.ndarray) -> np.ndarray:
        """Returns the similarity of each pair of places, (pairs,)."""
        one, other = pairs[:, 0], pairs[:, 1]
        near: np.ndarray = np.einsum("ij,ij->i", self.vectors[one], self.vectors[other])
        return near if self.squares is None else np.minimum(2 * near - self.squares[one] - self.squares[other], 0)


def space_of(vectors: np.ndarray, euclidean: bool) -> Space:
    """Returns the space of vectors, (samples, numbers). One of length 0 has a cosine of 0 to all."""
    flat = vectors.reshape(len(vectors), -1).astype(np.float64)
    if euclidean:
        flat = flat - flat.mean(axis=0)  # distances stay, and are rounded less
        return Space(flat, np.square(flat).sum(axis=1))
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return Space(np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 0))


def units_of(identities: np.ndarray) -> np.ndarray:
    """Returns the identity of each sample as a number from 0, (samples,)."""
    return np.unique(identities, return_inverse=True)[1].reshape(-1)


def ranks(space: Space, identities: np.ndarray, queries: np.ndarray | None = None) -> np.ndarray:
    """Returns how many of others are at least as near to each sample as the nearest of its own, (samples,); −1 where
    there is none of its own, or the sample does not ask. queries: as in Space.stretches.
    """
    found = np.full(len(identities), -1, np.int64)
    for places, near in space.stretches(queries):
        alike = identities[places, None] == identities
        best = np.where(alike, near, -np.inf).max(axis=1)
        before = (~alike & (near >= best[:, None] - space.tied)).sum(axis=1)
        found[places] = np.where(best > -np.inf, before, -1)
    return found


def recall(space: Space, identities: np.ndarray, k: int, queries: np.ndarray | None = None) -> Leaving:
    """Returns recall at k, leave-one-out, or of the queries among the gallery. Raises Absent where nothing of its
    identity is there for any to find.
    """
    units = units_of(identities)
    count = int(units.max()) + 1
    asked, hits = np.zeros(count), np.zeros(count)
    others = np.zeros(count)  # hits of others' that are won without each identity
    for places, near in space.stretches(queries):
        alike = identities[places, None] == identities
        best = np.where(alike, near, -np.inf).max(axis=1)
        before = ~alike & (near >= best[:, None] - space.tied)
        rank, known = before.sum(axis=1), best > -np.inf
        hit = known & (rank < k)
        asked += np.bincount(units[places], known, count)
        hits += np.bincount(units[places], hit, count)
        for row in np.flatnonzero(known & ~hit & (rank < k + most_of(units))):
            hidden = np.bincount(units[before[row]], minlength=count)
            others += rank[row] - hidden < k
    if not asked.sum():
        raise Absent(NO_PARTNER.format(len(identities)) if queries is None else NONE_TO_FIND.format(int(queries.sum())))
    without = (hits.sum() - hits + others) / np.maximum(asked.sum() - asked, 1)
    return Leaving(float(hits.sum() / asked.sum()), without, asked[asked > 0])


def asked_of(identities: np.ndarray, queries: np.ndarray | None = None) -> np.ndarray:
    """Returns how many samples of each identity are asked, of those of which some are: a sample is not where no other,
    or none of the gallery, has its identity.
    """
    units = units_of(identities)
    own = np.bincount(units)
    if queries is None:
        return own[own > 1].astype(np.float64)
    asking = np.bincount(units[queries], minlength=len(own))
    return asking[(asking > 0) & (own > asking)].astype(np.float64)


def most_of(units: np.ndarray) -> int:
    return int(np.bincount(units).max())
