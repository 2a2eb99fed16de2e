"""Which samples are looked at: those whose answer the variant changed, and as many whose it did not."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from harness.records import Case, Comparison

MOST_SAMPLES = 200
LEAST_SAMPLES = 8
MOST_BYTES = {False: 2 << 30, True: 400 << 20}  # of all tensors of all samples, as float32, here and on a device


@dataclass(frozen=True)
class Picked:
    """places: in the test set, those that changed first. changed: how many those are. left_out: why no more."""

    places: tuple[int, ...]
    changed: int
    left_out: str = ""


def picked(
    comparison: Comparison, case: Case, sample_bytes: int, most: int = MOST_SAMPLES, remote: bool = False
) -> Picked:
    """Answers that flipped, those that moved most first, or where nothing flips the samples that moved most; then as
    many of the others, drawn by the plan's seed. Of a case without answers, samples that are drawn.

    sample_bytes: of all tensors of one sample.
    """
    fits = max(LEAST_SAMPLES, min(most, MOST_BYTES[remote] // max(1, sample_bytes)))
    room = f"{MOST_BYTES[remote] >> 20:,} MiB"
    left = "" if fits == most else f"{fits} samples are looked at: the tensors of more would take over {room}"
    chance, rows = random.Random(f"{comparison.run.plan.seed}/explain"), comparison.samples.get(case)
    if rows is None:
        count = comparison.run.test_count
        return Picked(tuple(sorted(chance.sample(range(count), min(count, fits)))), 0, left)
    moved = rows["max_abs_diff"].astype(np.float64)
    order = np.argsort(-np.nan_to_num(moved, nan=np.inf, posinf=np.inf), kind="stable")
    flips = "flip" in (rows.dtype.names or ())
    flipped = [int(n) for n in order if rows["flip"][n]] if flips else order[: fits // 2].tolist()
    changed = flipped[: max(1, fits // 2)]
    others = sorted(set(range(len(rows))) - set(flipped))
    drawn = chance.sample(others, min(len(others), fits - len(changed)))
    return Picked((*changed, *sorted(drawn)), len(changed), left)
