"""statistics/by_label.py: a rare label that shows no loss may still hide one, and labels may be lost together."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.by_label import LabelF1

SHARES = np.array([0.3, 0.2, 0.1, 0.05, 0.02])


def test_what_a_label_without_a_loss_hides_has_the_probability_of_not_being_seen():
    """Of 6 samples, 20 % of whose kind lose the label, none does in .8⁶ of the test sets."""
    wanted = np.zeros((300, 1), bool)
    wanted[:6] = True
    right = LabelF1(wanted, wanted)
    lost = 2 * 0.8 / (1 + 0.8)  # F1, where precision is 1 and recall .8
    moved = right.less(right)
    assert moved.resampled.p(lost - 1, -1) < 0.05  # resamples of nothing say that all is well
    assert moved.p(lost - 1, -1) == pytest.approx(0.8**6, rel=0.25)  # by the slope at 1, which falls


def test_a_rare_label_that_loses_a_fifth_passes_at_most_one_time_in_twenty():
    rng, passes = np.random.default_rng(3), []
    f1 = np.array([0.9, 0.72]) * 2 * SHARES[-1] / (SHARES[-1] * np.array([1.9, 1.72]) + 0.02 * (1 - SHARES[-1]))
    for _ in range(100):
        wanted = rng.random((300, 5)) < SHARES
        before = np.where(wanted, rng.random(wanted.shape) < 0.9, rng.random(wanted.shape) < 0.02)
        after = before.copy()
        after[:, -1] &= ~(wanted[:, -1] & (rng.random(300) < 0.2))
        moved = LabelF1(wanted, after).less(LabelF1(wanted, before))
        passes.append(not moved.doubt and moved.p((f1[1] - f1[0]) / 5, -1) <= 0.05)
    assert np.mean(passes) <= 0.09  # two standard errors over 5 %; by resamples alone a third passes


def test_limits_are_the_wider_of_two_and_meet_the_value():
    rng = np.random.default_rng(4)
    wanted = rng.random((1000, 3)) < 0.4
    before, after = (wanted ^ (rng.random(wanted.shape) < share) for share in (0.1, 0.12))
    for moved in (LabelF1(wanted, after).less(LabelF1(wanted, before)), LabelF1(wanted, after).alone):
        limits, parts = moved.limits(0.9), [moved.resampled.limits(0.9), moved.bounded.limits(0.9)]
        assert limits.low == min(part.low for part in parts) < moved.value < limits.high == max(p.high for p in parts)
        assert parts[0].high - parts[0].low == pytest.approx(parts[1].high - parts[1].low, rel=0.15)
        assert moved.bounded.value == pytest.approx(moved.value)


def test_a_label_of_which_none_was_wanted_counts_as_one():
    wanted = np.random.default_rng(5).random((200, 3)) < 0.4
    wanted[:, 2] = False
    given = wanted.copy()
    given[0] = ~given[0]
    assert LabelF1(wanted, given).less(LabelF1(wanted, wanted)).words(0.9).endswith("could have happened to 3 labels")
