"""The range of a tensor: by a share of its values, and by the least squared error."""

from __future__ import annotations

import numpy as np
import pytest

from harness.build.variants.ranges import MOST_VALUES, SHARES, best_range, share_of, squared_error, thinned


def test_a_share_leaves_out_as_many_values_at_either_end():
    low, high = share_of(np.arange(1001, dtype=np.float32), 99)
    assert (low, high) == (pytest.approx(5), pytest.approx(995))


def test_the_error_of_a_range_is_that_of_rounding_and_clipping():
    """Rounding to a step leaves step² / 12 (Widrow & Kollár); what lies beyond the range is lost."""
    values = np.random.default_rng(0).uniform(0, 255, 200_000).astype(np.float32)
    assert squared_error(values, 0, 255) == pytest.approx(1 / 12, rel=0.02)
    assert squared_error(np.array([10.0, 10.0]), 0, 5) == pytest.approx(25)


def test_an_outlier_is_left_out_where_that_makes_less_error():
    """Of 100,000 normal values and one of 60: to hold it costs a step of .25, to clip it 54² / 100,001."""
    values = np.append(np.random.default_rng(0).normal(0, 1, 100_000), 60.0).astype(np.float32)
    low, high = best_range(values)
    whole = squared_error(values, float(values.min()), 60.0)
    assert high < 60 and squared_error(values, low, high) < whole


def test_values_that_are_spread_evenly_keep_their_range():
    values = np.linspace(-1, 1, 10_001, dtype=np.float32)
    assert best_range(values) == (pytest.approx(-SHARES[-1]), pytest.approx(SHARES[-1]))
    assert best_range(np.zeros(5, np.float32)) == (0.0, 0.0)


def test_values_are_thinned_out_evenly_with_both_ends():
    kept = thinned(np.arange(3 * MOST_VALUES), MOST_VALUES)
    assert len(kept) == MOST_VALUES and kept[0] == 0 and kept[-1] == 3 * MOST_VALUES - 1
    assert thinned(np.arange(3), 10).tolist() == [0, 1, 2]
