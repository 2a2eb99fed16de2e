"""Where the level of a series of runs changed, with a known rate of false alarms.

The series is cut where the cuts lower its squared deviations from the means of the parts by more than a penalty each:
the penalised least squares of Killick, Fearnhead & Eckley (Journal of the American Statistical Association 107, 2012,
1590–1598), by `ruptures`. The penalty is what chance alone reaches: the same series in a random order, PERMUTATIONS
times (a permutation test, as Matteson & James, ibid. 109, 2014, 334–345, have it). Where all orders are equally likely,
that is where nothing changed, a series is cut at most FALSE_ALARMS of the time, whatever its distribution. A slow drift
is no single change, and is found as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.records.absent import Absent

if TYPE_CHECKING:
    from ruptures import KernelCPD

FALSE_ALARMS = 0.05
PERMUTATIONS = 199  # with the series itself 200 orders, of which the ten most apart are alarms
LEAST_RUNS = 8  # of fewer, one order in twenty is as far apart as the clearest change
LEAST_PART = 2  # one run alone is no level
MOST_CUTS = 4
SEED = 20260101


def change_points(values: Sequence[float] | np.ndarray) -> tuple[int, ...]:
    """Returns the indices at which a new level begins, in order; () where none is shown.

    values: one a run, in the order of time. Raises Absent where there are too few.
    """
    if len(values) < LEAST_RUNS:
        raise Absent(f"{len(values)} runs: a change is told from {LEAST_RUNS} on")
    series = np.asarray(values, float)
    scaled = series - series.mean()
    if not (spread := float(np.abs(scaled).max())):
        return ()
    scaled /= spread
    penalty = penalty_of(scaled)
    if gain_a_cut(scaled) <= penalty:
        return ()
    return tuple(map(int, fitted(scaled).predict(pen=penalty)[:-1]))


def penalty_of(series: np.ndarray) -> float:
    """Returns what a cut gains at most in all but FALSE_ALARMS of the orders of the series, itself among them."""
    draw = np.random.default_rng(SEED)
    gains = sorted([gain_a_cut(series), *(gain_a_cut(draw.permutation(series)) for _ in range(PERMUTATIONS))])
    allowed = int(FALSE_ALARMS * len(gains))
    return gains[-1 - allowed]


def gain_a_cut(series: np.ndarray) -> float:
    """Returns the largest penalty at which the series is still cut: what the best cuts gain, each."""
    fit = fitted(series)
    whole = squares(series)
    most = min(MOST_CUTS, len(series) // LEAST_PART - 1)
    return max((whole - remaining(series, fit.predict(n_bkps=cuts))) / cuts for cuts in range(1, most + 1))


def remaining(series: np.ndarray, ends: Sequence[int]) -> float:
    return sum(squares(part) for part in np.split(series, ends[:-1]))


def squares(part: np.ndarray) -> float:
    return float(((part - part.mean()) ** 2).sum())


def fitted(series: np.ndarray) -> KernelCPD:
    from ruptures import KernelCPD  # it loads scipy.stats, which takes a second

    return KernelCPD(kernel="linear", min_size=LEAST_PART).fit(series[:, None])
