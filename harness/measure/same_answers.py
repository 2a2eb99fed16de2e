"""Whether a model answers the same twice: bit for bit, in any of its outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.records import Case, Run


def changed(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> int:
    """How many samples have an answer, in any output, that is not equal bit for bit. One array an output."""
    unequal = [(as_bytes(x) != as_bytes(y)).any(axis=1) for x, y in zip(one, other, strict=True)]
    return int(np.any(unequal, axis=0).sum())


def as_bytes(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)


def answers_of(run: Run, case: Case, samples: Sequence[int]) -> list[np.ndarray]:
    """What the case answered in the pass over the whole test set to the samples at these places."""
    shards = sorted((s for s in run.shards if s.case == case), key=lambda shard: shard.first)
    places = np.array(samples)
    found = [np.empty((len(places), *y.shape[1:]), y.dtype) for y in shards[0].outputs]
    for shard in shards:
        own = (shard.first <= places) & (places < shard.last)
        for kept, output in zip(found, shard.outputs, strict=True):
            if own.any():
                kept[own] = np.asarray(output)[places[own] - shard.first]
    return found
