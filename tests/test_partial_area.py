"""The area under ROC up to a rate of false alarms, beside scikit-learn's and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.statistics.partial_area import PartialArea

RNG = np.random.default_rng(8)


def made(samples: int, share: float, digits: int = 9, apart: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    positive = RNG.random(samples) < share
    return positive, np.round(RNG.normal(size=samples) + apart * positive, digits)


@pytest.mark.parametrize("digits", [9, 1, 0], ids=["no ties", "ties", "many ties"])
@pytest.mark.parametrize("share", [0.5, 0.03])
@pytest.mark.parametrize("most", [0.1, 0.37])
def test_it_is_scikit_learns(digits, share, most):
    positive, scores = made(401, share, digits)
    wanted = roc_auc_score(positive, scores, max_fpr=most)
    assert PartialArea(positive, scores, most).value == pytest.approx(wanted, abs=1e-12)


def test_all_scores_equal_are_chance_and_none_out_of_place_is_one():
    positive = np.arange(50) < 20
    assert PartialArea(positive, np.ones(50), 0.1).value == pytest.approx(0.5)
    assert PartialArea(positive, 1.0 * positive, 0.1).value == pytest.approx(1)
    assert PartialArea(positive, -1.0 * positive, 0.1).value == pytest.approx(0.5 * (1 - 0.005 / 0.095))


@pytest.mark.parametrize("digits", [9, 0])
def test_each_left_out_is_what_is_computed_without_it(digits):
    positive, scores = made(60, 0.3, digits)
    keep = ~np.eye(60, dtype=bool)
    wanted = [roc_auc_score(positive[k], scores[k], max_fpr=0.1) for k in keep]
    assert PartialArea(positive, scores, 0.1)._known.without == pytest.approx(wanted, abs=1e-12)


def test_few_positive_samples_of_which_none_is_out_of_place_bound_what_they_may_hide():
    """Of 40 none lost, so up to 1 − .05^(1/40) of them may be, and each would lose ½ · (1 + .005 / .095)."""
    positive = np.arange(2000) < 40
    before = positive + 0.01 * RNG.random(2000)
    moved = PartialArea(positive, before + 1e-4 * RNG.random(2000), 0.1).less(PartialArea(positive, before, 0.1))
    hidden = 1 - 0.05 ** (1 / 40)
    assert moved.value == 0 and moved.limits(0.9).low <= -hidden / 2
    assert moved.p(-0.01, -1) > 0.05 and moved.p(-0.2, -1) < 0.05


def test_few_negative_samples_of_which_none_moved_bound_what_they_may_hide():
    """Of 60 none moved, so 1 − .05^(1/60) of them may come to lie over all: scikit-learn says what that costs."""
    positive = np.arange(2000) >= 60
    scores = positive + 0.01 * RNG.random(2000)
    same = PartialArea(positive, scores, 0.1).less(PartialArea(positive, scores, 0.1))
    moved = scores + 5 * (np.arange(2000) < 3)  # 3 of 60 are 5 %, as 1 − .05^(1/60) is
    assert same.limits(0.9).low <= roc_auc_score(positive, moved, max_fpr=0.1) - 1 + 0.01
    assert same.p(-0.02, -1) > 0.05


@pytest.mark.parametrize(("samples", "share"), [(600, 0.5), (1500, 0.08)])
def test_limits_hold_the_truth(samples, share):
    """The truth is that of two normal distributions, by the mean of many draws."""
    truth = np.mean([PartialArea(*made(20_000, 0.5), 0.1).value for _ in range(20)])
    found = [PartialArea(*made(samples, share), 0.1).limits(0.9) for _ in range(40)]
    under, over = (sum(side) for side in ([i.low > truth for i in found], [i.high < truth for i in found]))
    assert max(under, over) <= 6  # of 40 at 5 % each: 99.7 % of such counts
