"""The equal error rate of verification: every pair of samples is one of one identity, or one of two.

At a threshold, false rejections are the pairs of one identity that are no more alike than it, and false acceptances the
pairs of two that are. The equal error rate is where both shares are equal (ISO/IEC 19795-1), on the straight lines
between the points of scikit-learn's roc_curve. Pairs are counted in bins, and those of the bin in which the shares
cross one by one, so that memory grows with the samples and not with their pairs. Each pair is met twice, in the row
of either sample.

The limits are a jackknife: leaving a unit out leaves out all pairs that it is in, so what pairs share is known. Where
the shares cross without it is found between LEVELS thresholds around the crossing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.records import Absent
from harness.statistics.neighbours import Leaving, Space, units_of

BINS = 1 << 16
LEVELS = np.linspace(-0.05, 0.05, 33)  # of false rejections less false acceptances
FEWEST_THRESHOLDS = 8  # of fewer it cannot be told how far an identity moves the rate
COARSE = "no limits: many pairs are equally alike, and {} thresholds lie around the equal error rate; 8 are the fewest"
ONE_KIND = "no value: verification takes pairs of one identity and pairs of two"


@dataclass(frozen=True)
class Bins:
    """How many pairs lie in each bin of similarity, from low to high, (2, BINS): of one identity, and of two."""

    low: float
    high: float
    counts: np.ndarray

    @property
    def under(self) -> np.ndarray:
        """The share of either kind up to the end of each bin, (2, BINS)."""
        shares: np.ndarray = np.cumsum(self.counts, axis=1) / self.counts.sum(axis=1, keepdims=True)
        return shares

    @property
    def lead(self) -> np.ndarray:
        """False rejections less false acceptances at the end of each bin; it rises from about −1 to 1."""
        return np.asarray(self.under.sum(axis=0) - 1)

    def ends(self, places: np.ndarray) -> np.ndarray:
        """Returns the similarity at which each of these bins ends."""
        return np.asarray(self.low + (places + 1) * (self.high - self.low) / BINS)


def rows(space: Space, identities: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields (samples, similarities, kind): 0 for a pair of one identity, 1 of two, 2 for the sample with itself."""
    for places, near in space.stretches():
        kind = (identities[places, None] != identities).astype(np.int64)
        kind[np.arange(len(places)), places] = 2
        yield places, near, kind


def bin_of(near: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((near - low) * (BINS / max(high - low, 1e-300)), 0, BINS - 1).astype(np.int64)


def binned(space: Space, identities: np.ndarray) -> Bins:
    """Counts all pairs. Raises Absent where they are of one kind."""
    if len(identities) < 2:
        raise Absent(ONE_KIND)
    ends = [(near[kind < 2].min(), near.max()) for _, near, kind in rows(space, identities)]
    low, high = float(min(end for end, _ in ends)), float(max(end for _, end in ends))
    counts = np.zeros(3 * BINS, np.int64)
    for _, near, kind in rows(space, identities):
        counts += np.bincount((kind * BINS + bin_of(near, low, high)).ravel(), minlength=3 * BINS)
    found = Bins(low, high, counts.reshape(3, BINS)[:2])
    if not found.counts.any(axis=1).all():
        raise Absent(ONE_KIND)
    return found


def within(space: Space, identities: np.ndarray, bins: Bins, wanted: int) -> np.ndarray:
    """Returns how many pairs of either kind have each of the different similarities of one bin, which rise, (2, …)."""
    values, counts = np.zeros(0), np.zeros((2, 0), np.int64)
    for _, near, kind in rows(space, identities):
        here = (bin_of(near, bins.low, bins.high) == wanted) & (kind < 2)
        values, place = np.unique(np.concatenate([values, near[here]]), return_inverse=True)
        known = counts.shape[1]
        merged = np.zeros((2, len(values)), np.int64)
        merged[:, place[:known]] = counts
        np.add.at(merged, (kind[here], place[known:]), 1)
        counts = merged
    return counts


def crossing(space: Space, identities: np.ndarray, bins: Bins) -> float:
    """Returns the equal error rate over all pairs."""
    place = int(np.argmax(bins.lead >= 0))
    before = bins.under[:, place - 1] if place else np.zeros(2)
    inside = np.cumsum(within(space, identities, bins, place), axis=1) / bins.counts.sum(axis=1, keepdims=True)
    under = np.concatenate([before[:, None], before[:, None] + inside], axis=1)
    return float(crossed(under[0][None], 1 - under[1][None])[0])


def crossed(rejected: np.ndarray, accepted: np.ndarray) -> np.ndarray:
    """Returns where each row of false rejections, which rise, meets false acceptances, which fall; (rows, thresholds)
    both. A row that does not meet them has its nearest end.
    """
    after = np.clip((rejected < accepted).sum(axis=1), 1, rejected.shape[1] - 1)
    row = np.arange(len(rejected))
    gap = (accepted - rejected)[row, after - 1]
    part = np.clip(np.divide(gap, gap - (accepted - rejected)[row, after], where=gap > 0, out=np.zeros_like(gap)), 0, 1)
    return np.asarray(rejected[row, after - 1] + part * (rejected[row, after] - rejected[row, after - 1]))


def equal_error_rate(space: Space, identities: np.ndarray) -> Leaving:
    """Returns the equal error rate over all pairs. Raises Absent where they are of one kind."""
    bins = binned(space, identities)
    rate = crossing(space, identities, bins)
    units = units_of(identities)
    thresholds = bins.ends(np.unique(np.clip(np.searchsorted(bins.lead, LEVELS), 0, BINS - 1)))
    weights = np.bincount(units).astype(np.float64)
    if len(thresholds) < FEWEST_THRESHOLDS:
        return Leaving(rate, np.zeros(0), weights, COARSE.format(len(thresholds)))
    under, totals = without_each(space, identities, units, thresholds)
    share = np.divide(under, totals[..., None], out=np.zeros(under.shape), where=totals[..., None] > 0)
    each = crossed(share[0], 1 - share[1])  # the last is that of all
    return Leaving(rate, rate + each[:-1] - each[-1], weights)


def without_each(
    space: Space, identities: np.ndarray, units: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many pairs of either kind are at or under each threshold without each unit, and with all, last; and
    how many there are: (2, units + 1, thresholds) and (2, units + 1).
    """
    count, ends = int(units.max()) + 1, len(thresholds) + 1
    found = np.zeros(3 * count * ends)
    for places, near, kind in rows(space, identities):
        place = (kind * count + units[places, None]) * ends + np.searchsorted(thresholds, near)
        found += np.bincount(place.ravel(), minlength=len(found))
    own = np.cumsum(found.reshape(3, count, ends)[:2], axis=2)  # of rows: a pair within a unit is met twice in it
    whole = own.sum(axis=1, keepdims=True)
    twice = np.array([1, 2])[:, None, None]
    left = np.concatenate([whole - twice * own, whole], axis=1)
    return left[..., :-1], left[..., -1]
