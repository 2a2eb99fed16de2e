"""Which output of a .tflite file is which of the model's where names do not say it: the one that answers alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.discrepancy import SUSPECT_EXPLAINED, explained_share, row_differences, variation
from harness.metrics.task import row_by_row

NEVER = 1e9  # the error of two outputs that cannot be one: of another size, or not finite
FITS = 1 - SUSPECT_EXPLAINED  # the largest error of an output that may be the one
CLEARLY = 10  # how many times as large the error of every other order must be
ROUNDING = 1e-9


def matched(wanted: Sequence[np.ndarray], given: Sequence[np.ndarray]) -> tuple[int, ...] | None:
    """For each of the model's outputs the place of the file's output that gives its answers, (samples, …) each; None
    where no order fits, or more than one does.

    An error is the share of an output's variation that the other leaves unexplained. The best order is the assignment
    of the smallest sum; every other one must be far worse, except where it exchanges outputs that are the same.
    """
    errors = np.array([[error(w, g) for g in given] for w in wanted])
    order = assignment(errors)
    if any(errors[n, place] > FITS for n, place in enumerate(order)):
        return None
    for n, place in enumerate(order):
        other = errors.copy()
        other[n, [p for p, g in enumerate(given) if alike(g, given[place])]] = NEVER
        second = assignment(other)
        differing = [m for m in range(len(order)) if second[m] != order[m]]
        best, next_best = (sum(errors[m, o[m]] for m in differing) for o in (order, second))
        if other[n, second[n]] < NEVER and next_best <= CLEARLY * best + ROUNDING:
            return None
    return order


def assignment(errors: np.ndarray) -> tuple[int, ...]:
    from scipy.optimize import linear_sum_assignment  # takes a third of a second to load, and few files need it

    return tuple(int(place) for place in linear_sum_assignment(errors)[1])


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.size == other.size and np.array_equal(one.ravel(), other.ravel(), equal_nan=True)


def error(wanted: np.ndarray, given: np.ndarray) -> float:
    """1 − the coefficient of determination."""
    if lengths(wanted.shape) != lengths(given.shape) or not np.isfinite(given).all():
        return NEVER
    squared = float(row_by_row(lambda *rows: np.square(row_differences(*rows)).sum(axis=1), wanted, given).sum())
    return min(NEVER, 1 - explained_share(squared, variation(wanted)))


def lengths(shape: tuple[int, ...]) -> list[int]:
    """The axes without those of length 1, which do not change the order of the numbers."""
    return [n for n in shape if n != 1]
