"""Change points: where there is none, at most one series in twenty says so; a clear one is found where it is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from harness.records import Absent
from harness.statistics.change_points import change_points, gain_a_cut

TRIES = 60


@pytest.mark.parametrize("name", ["heavy tails", "few values"])
def test_a_series_without_a_change_says_so_nineteen_times_in_twenty(name: str) -> None:
    draw = np.random.default_rng(11)
    make = {
        "heavy tails": lambda: draw.standard_t(2, size=12),
        "few values": lambda: draw.integers(0, 3, size=12).astype(float),
    }[name]
    alarms = sum(bool(change_points(make())) for _ in range(TRIES))
    assert alarms <= binom.ppf(0.999, TRIES, 0.05)


def test_a_clear_change_is_found_where_it_is() -> None:
    draw = np.random.default_rng(2)
    found = [change_points([*draw.normal(size=8), *draw.normal(4, size=7)]) for _ in range(30)]
    assert sum(cuts == (8,) for cuts in found) >= 25


def test_there_and_back_is_two_changes() -> None:
    noise = np.random.default_rng(4).normal(size=30) / 10
    assert change_points(noise + np.repeat([0, 1, 0], 10)) == (10, 20)


def test_the_unit_does_not_matter() -> None:
    values = np.array([4.1, 4.0, 4.2, 4.1, 4.0, 5.3, 5.2, 5.4, 5.3, 5.2])
    assert change_points(values) == change_points(values * 1e9) == change_points(values - 1e3) == (5,)


def test_a_constant_has_none_and_one_odd_run_is_no_level() -> None:
    assert change_points([3.0] * 20) == ()
    assert change_points([3.0] * 19 + [9.0]) == ()


def test_of_fewer_than_eight_runs_nothing_is_told() -> None:
    with pytest.raises(Absent, match="7 runs"):
        change_points([1, 1, 1, 1, 9, 9, 9])
    assert change_points([1, 1, 1, 1, 9, 9, 9, 9]) == (4,)  # 2 of its 70 orders are as far apart


def test_the_gain_of_a_cut_is_the_best_of_all_ways_to_cut() -> None:
    """By every way to cut nine values into parts of two and more, into at most four."""
    values = np.random.default_rng(7).normal(size=9)

    def squares(parts: list[np.ndarray]) -> float:
        return sum(float(np.var(part) * len(part)) for part in parts)

    best = 0.0
    for cuts in (1, 2, 3):
        for ends in combinations(range(1, 9), cuts):
            parts = np.split(values, ends)
            if min(map(len, parts)) >= 2:
                best = max(best, (squares([values]) - squares(parts)) / cuts)
    assert gain_a_cut(values) == pytest.approx(best)
