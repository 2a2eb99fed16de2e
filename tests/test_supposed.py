"""statistics/supposed.py: draws have the shares, the spread and the correlation that were supposed."""

from __future__ import annotations

import numpy as np
import pytest

from harness.records import Absent
from harness.statistics.supposed import Outcomes, Residuals, Scores, independent


@pytest.mark.parametrize(("classes", "right", "changed"), [(2, 0.9, 0.01), (4, 0.7, 0.05), (10, 0.95, 0.004)])
def test_so_many_are_right_and_so_many_of_one_model_alone(classes: int, right: float, changed: float) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, classes, 100_000)
    one, other = (
        each.argmax(axis=1) == labels for each in Scores.of(classes, right, changed).drawn(labels, independent(rng))
    )
    assert one.mean() == pytest.approx(right, abs=0.005) and other.mean() == pytest.approx(right, abs=0.005)
    assert (one != other).mean() == pytest.approx(changed, rel=0.15)


def test_what_cannot_be_supposed_says_why() -> None:
    with pytest.raises(Absent, match="right in 40 % of 2 classes"):
        Scores.of(2, 0.4, 0.01)
    with pytest.raises(Absent, match="so many answers cannot differ"):
        Scores.of(2, 0.99, 0.3)


def test_errors_leave_so_much_unexplained_and_move_so_far() -> None:
    rng = np.random.default_rng(2)
    labels = rng.gamma(3, 1, 100_000)
    one, other = Residuals(0.8, 0.1).drawn(labels, independent(rng))
    for output in (one, other):
        assert 1 - (output - labels).var() / labels.var() == pytest.approx(0.8, abs=0.005)
    assert (other - one).std() / (one - labels).std() == pytest.approx(0.1, rel=0.02)


def test_a_number_that_is_not_known_in_every_sample_has_the_spread_of_those_in_which_it_is() -> None:
    """One column has a hole, another is known nowhere: both leave the others as they are."""
    rng = np.random.default_rng(2)
    labels = rng.normal(0, [1, 3, 1], (100_000, 3))
    labels[7, 1], labels[:, 2] = np.nan, np.nan
    one, _ = Residuals(0.8, 0.1).drawn(labels, independent(rng))
    errors = one - labels
    assert np.isnan(errors[7, 1]) and np.isnan(errors[:, 2]).all()
    assert np.nanstd(errors[:, :2], axis=0) == pytest.approx([np.sqrt(0.2), 3 * np.sqrt(0.2)], rel=0.02)


def test_samples_of_one_group_have_the_correlation() -> None:
    groups = np.repeat(np.arange(50_000), 2)
    before, after = Outcomes(0.9, 0.04, 0.02, 0.3).drawn(groups, np.random.default_rng(3))
    lost, won = before & ~after, ~before & after
    assert (before.mean(), lost.mean(), won.mean()) == pytest.approx((0.9, 0.04, 0.02), abs=0.005)
    assert np.corrcoef(before[::2], before[1::2])[0, 1] == pytest.approx(0.3, abs=0.03)
    assert np.corrcoef(lost[::2], lost[1::2])[0, 1] == pytest.approx(0.3, abs=0.04)
