"""Windows of a series that overlap: the next sample holds what the one before it holds, some steps later."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.build.lint import Remark
from harness.records import Dataset

LOOKED, FIRST, CANDIDATES = 400, 5, 16  # pairs of samples; those that say by which shift; places where it may be
MANY = 0.5  # of the pairs
TOLD = (
    "the test set's windows of {} overlap: in {:.0%} of the pairs looked at the next one holds the same, {} later."
    " They are not independent, and intervals that take them for such are too narrow"
)
ADVICE = (
    'leave out what overlaps, or name what belongs together, such as the series or the day: group = "day" under [data]'
)


def of_windows(dataset: Dataset) -> Iterator[Remark]:
    """Yields that windows overlap, in the order in which they are stored, where nothing says which belong together."""
    if dataset.groups is not None:
        return
    arrays = {"inputs": dataset.test_inputs[0], "labels": dataset.test_labels}
    for what, array in arrays.items():
        if array is not None and (found := overlap(array)):
            steps, share = found
            yield Remark(TOLD.format(what, share, f"{steps} {'step' if steps == 1 else 'steps'}"), ADVICE)
            return


def overlap(windows: np.ndarray) -> tuple[int, float] | None:
    """Returns by how many steps a window is later than the one before it, and in which share of the pairs; None where
    that is so in few. windows: (samples, steps, …); one that holds the same at each step says nothing.
    """
    if windows.ndim < 2 or windows.shape[1] < 3 or len(windows) < FIRST + 1:
        return None
    some = np.asarray(windows[: LOOKED + 1])
    told = np.flatnonzero((some[:-1] != some[:-1, :1]).reshape(len(some) - 1, -1).any(axis=1))
    if len(told) < FIRST:
        return None
    shifts = {steps for n in told[:FIRST].tolist() for steps in shifts_of(some[n], some[n + 1])}
    shares = {steps: float(np.mean([later(some[n], some[n + 1], steps) for n in told])) for steps in shifts}
    steps = max(shares, key=lambda each: shares[each], default=0)
    return (steps, shares[steps]) if steps and shares[steps] >= MANY else None


def shifts_of(one: np.ndarray, other: np.ndarray) -> list[int]:
    """Returns the shifts after which the second window may go on with the first one: it begins as that is there."""
    begins = (one == other[0]).reshape(len(one), -1).all(axis=1)
    places = np.flatnonzero(begins[1:-1]) + 1  # at least two steps in common
    return [n for n in places[:CANDIDATES].tolist() if later(one, other, n)]


def later(one: np.ndarray, other: np.ndarray, steps: int) -> bool:
    """Returns whether they share what is not the same at each step, as the black borders of two pictures are."""
    shared = other[: len(other) - steps]
    return bool((one[steps:] == shared).all() and (shared != shared[0]).any())
