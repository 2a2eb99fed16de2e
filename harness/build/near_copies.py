"""Test samples that are nearly equal: the same picture with noise or stored anew, the same table row rounded.

Pictures are hashed by the signs of random projections (Charikar, STOC 2002), which pictures that correlate share, so
that only those with an equal hash are compared: time and memory grow with the samples, not with their pairs. Pictures
that are shifted, turned or cut are not found.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.support.arrays import pick, stretches

CORRELATION = (
    0.995  # of two pictures less the mean picture: 5 of 255 steps of noise; no two of MNIST's test set reach it
)
MOST = 100_000  # samples that are looked at, the first ones
SIDE = 32  # pictures are shrunk to this before they are hashed
BITS, HASHES, NEXT, REAL = 16, 8, 4, 16  # a hash misses a pair at CORRELATION in 2 of 5, all eight in 1 of 1,500
LOOSE = 2.5  # times the squared distance of such a pair, that REAL projections may show
STEPS = 1e4  # of a column's standard deviation, to which a table is rounded
COLUMNS = 4  # in fewer, numbers agree by chance
AT_ONCE = 64 << 20  # bytes of pictures that are compared, as float32


def near_copies(samples: np.ndarray) -> np.ndarray:
    """Return pairs of places of samples that are nearly and not exactly equal, (pairs, 2), at most NEXT · HASHES each.

    samples: pictures, (samples, h, w) or (samples, h, w, channels), or rows of numbers, (samples, …).
    """
    looked = samples[:MOST]
    if len(looked) < 2:
        return np.zeros((0, 2), np.int64)
    return alike(looked) if samples.ndim in (3, 4) and min(samples.shape[1:3]) > 3 else rounded(looked)


def alike(pictures: np.ndarray) -> np.ndarray:
    """Return the pairs of pictures that correlate, less the mean picture."""
    mean = np.sum([stretch.sum(axis=0, dtype=np.float64) for stretch in stretches(pictures)], axis=0) / len(pictures)
    small = shrunk(mean[None].astype(np.float32))
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(small.shape[1], BITS * HASHES + REAL)).astype(np.float32)
    parts = [directions(shrunk(stretch) - small) @ axes for stretch in stretches(pictures)]
    real = np.concatenate([part[:, -REAL:] for part in parts])
    hashes = np.concatenate([hashes_of(part[:, :-REAL]) for part in parts])
    found = np.unique(np.concatenate([neighbours(column, real) for column in hashes.T]), axis=0)
    return np.concatenate([found[:0], *compared(pictures, mean.astype(np.float32), found)])


def shrunk(pictures: np.ndarray) -> np.ndarray:
    """Return each picture in about SIDE × SIDE blocks, each its mean, as float32 in one row."""
    steps = [max(1, size // SIDE) for size in pictures.shape[1:3]]
    high, wide = (size // step for size, step in zip(pictures.shape[1:3], steps, strict=True))
    cut = pictures[:, : high * steps[0], : wide * steps[1]].astype(np.float32)
    return cut.reshape(len(cut), high, steps[0], wide, steps[1], -1).mean(axis=(2, 4)).reshape(len(cut), -1)


def directions(rows: np.ndarray) -> np.ndarray:
    """Return the rows less their mean, of length 1; constant ones are 0."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def hashes_of(projected: np.ndarray) -> np.ndarray:
    """Return the signs of each BITS projections as a number, (samples, HASHES)."""
    signs = (projected > 0).reshape(len(projected), HASHES, BITS)
    return signs @ (1 << np.arange(BITS))


def neighbours(hashed: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return pairs with one hash that are next to one another in it by a projection, and not far apart by any."""
    order = np.lexsort((real[:, 0], hashed))
    pairs = []
    for step in range(1, NEXT + 1):
        one, other = order[:-step], order[step:]
        distance = ((real[one] - real[other]) ** 2).mean(axis=1)
        close = (hashed[one] == hashed[other]) & (distance < LOOSE * 2 * (1 - CORRELATION))
        pairs.append(np.sort(np.stack([one[close], other[close]], axis=1), axis=1))
    return np.concatenate(pairs)


def compared(pictures: np.ndarray, mean: np.ndarray, pairs: np.ndarray) -> Iterator[np.ndarray]:
    """Yield those of the pairs that correlate and differ, a few pairs at a time."""
    at_once = max(1, AT_ONCE // (8 * mean.size))
    for first in range(0, len(pairs), at_once):
        some = pairs[first : first + at_once]
        stored = [pick(pictures, some[:, side]) for side in (0, 1)]
        one, other = (directions((each - mean).reshape(len(some), -1)) for each in stored)
        differ = (stored[0] != stored[1]).reshape(len(some), -1).any(axis=1)
        yield some[((one * other).sum(axis=1) > CORRELATION) & differ]


def rounded(rows: np.ndarray) -> np.ndarray:
    """Return the pairs of rows of real numbers that are equal to a ten-thousandth of each column's deviation.

    A pair on both sides of a step is missed.
    """
    table = np.asarray(rows).reshape(len(rows), -1)
    if table.dtype.kind != "f" or table.shape[1] < COLUMNS:
        return np.zeros((0, 2), np.int64)
    spread = table.std(axis=0, dtype=np.float64)
    steps = np.round(table[:, spread > 0] / spread[spread > 0] * STEPS).astype(np.int64)
    if steps.shape[1] < COLUMNS:
        return np.zeros((0, 2), np.int64)
    weights = np.random.default_rng(0).integers(1, 1 << 62, steps.shape[1], np.int64) | 1
    hashed = (steps * weights).sum(axis=1)  # wraps around, as a hash may
    order = np.argsort(hashed, kind="stable")
    one, other = order[:-1], order[1:]
    same = (hashed[one] == hashed[other]) & (table[one] != table[other]).any(axis=1)
    return np.stack([one[same], other[same]], axis=1)
