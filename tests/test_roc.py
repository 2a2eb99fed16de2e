"""The area under the ROC curve by placements."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from harness.statistics.bounded import Effects
from harness.statistics.roc import ManyMoved, RankArea, placements

RNG = np.random.default_rng(5)


def two(labels: np.ndarray, scores: np.ndarray) -> RankArea:
    return RankArea(labels, np.stack([-scores, scores], axis=1))


def naive(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """DeLong's placements, pair by pair."""
    higher = np.sign(scores[:, None] - scores[None, :]) / 2 + 0.5
    positive = labels == 1
    return np.where(positive, higher[:, ~positive].mean(axis=1), higher[positive].mean(axis=0))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_area_is_scikit_learns_with_ties(classes):
    labels, scores = RNG.integers(0, classes, 200), np.round(RNG.random((200, classes)), 1)
    theirs = np.mean([roc_auc_score(labels == k, scores[:, k]) for k in ([1] if classes == 2 else range(classes))])
    assert RankArea(labels, scores).value == pytest.approx(theirs)


def test_placements_are_those_of_all_pairs():
    labels, scores = RNG.integers(0, 2, 60), np.round(RNG.normal(size=60), 1)
    assert placements(labels == 1, scores) == pytest.approx(naive(labels, scores))


@pytest.mark.parametrize("rare", [0.5, 0.05])
def test_the_variance_of_a_move_is_delongs(rare):
    labels = (RNG.random(1500) < rare).astype(int)
    before = labels + RNG.normal(size=1500)
    after = before + 0.3 * RNG.normal(size=1500)
    moved = two(labels, after).less(two(labels, before))
    each, positive = naive(labels, after) - naive(labels, before), labels == 1
    delong = each[positive].var() / positive.sum() + each[~positive].var() / (~positive).sum()
    assert moved.value == pytest.approx(roc_auc_score(labels, after) - roc_auc_score(labels, before))
    assert moved.spread == pytest.approx(delong, rel=0.02)


def test_the_variance_of_several_classes_is_the_bootstraps():
    labels = RNG.integers(0, 3, 600)
    scores = np.eye(3)[labels] + RNG.normal(size=(600, 3))
    area, rng = RankArea(labels, scores), np.random.default_rng(1)
    drawn = [RankArea(labels[index], scores[index]).value for index in rng.integers(0, 600, (500, 600))]
    assert np.sqrt(area.alone.spread) == pytest.approx(np.std(drawn), rel=0.25)


def test_an_area_that_is_all_of_it_is_as_sure_as_the_rarer_side():
    """Nothing out of place among 40 positives: up to 1 − .05^(1/40) of them may be."""
    labels = np.array([1] * 40 + [0] * 400)
    area = two(labels, labels + 0.1 * RNG.random(440))
    assert area.value == 1 and area.limits(0.9).low == pytest.approx(0.05 ** (1 / 40), abs=1e-3)


def test_labels_of_one_class_have_no_area():
    assert np.isnan(two(np.ones(30, int), RNG.random(30)).value)


def moved_area(rng: np.random.Generator, n: int, noise: float, lost: float = 0.0) -> Effects:
    labels = rng.integers(0, 2, n)
    before = 1.5 * labels + rng.normal(size=n)
    after = np.where((labels == 1) & (rng.random(n) < lost), -9, before + noise * rng.normal(size=n))
    return two(labels, after).less(two(labels, before))


def test_a_move_that_many_samples_carry_is_bounded_by_delongs_variance() -> None:
    """To 5 %: a t of so many is about normal, and a tenth of the error is given away."""
    moved = moved_area(np.random.default_rng(1), 1_000, 0.4)
    assert isinstance(moved, ManyMoved) and "DeLong" in moved.words(0.9)
    error = np.sqrt(moved.spread)
    assert moved.p(moved.value - 1.745 * error, -1) == pytest.approx(0.05, rel=0.05)
    assert moved.times(2).p(2 * (moved.value - 1.745 * error), -1) == pytest.approx(0.05, rel=0.05)
    assert moved.scaled(4).p(moved.value - 1.745 * error / 2, -1) == pytest.approx(0.05, rel=0.05)
    low, high = (moved.limits(0.9).low, moved.limits(0.9).high)
    assert (
        (moved.value - low) / error
        == pytest.approx(1.745, rel=0.03)
        == pytest.approx((high - moved.value) / error, rel=0.03)
    )


def test_few_samples_or_few_that_carry_it_are_bounded_by_what_could_have_happened() -> None:
    rng = np.random.default_rng(2)
    assert not isinstance(moved_area(rng, 150, 0.4), ManyMoved)
    assert not isinstance(moved_area(rng, 1_000, 1e-3, lost=0.02), ManyMoved)


def test_a_fault_that_so_many_samples_may_have_missed_is_not_passed_by_a_small_variance() -> None:
    """One positive in 250 is lost: of 500 none is in 13 % of the test sets, and all others hardly move."""
    moved = moved_area(np.random.default_rng(3), 1_000, 0.05)
    assert isinstance(moved, ManyMoved) and moved.error < 1e-3
    assert moved.p(moved.value - 0.004, -1) > 0.05 > moved.p(moved.value - 0.01, -1)


def test_a_move_at_its_limit_passes_one_time_in_twenty_at_most() -> None:
    rng, tried = np.random.default_rng(9), 1_500
    truth = float(np.mean([moved_area(np.random.default_rng(seed), 400_000, 0.4).value for seed in range(3)]))
    passed = sum(moved_area(rng, 700, 0.4).p(truth, -1) <= 0.05 for _ in range(tried))
    assert passed / tried <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / tried)


def one_with_top_positives_lost(
    rng: np.random.Generator, area: float, loss: float, noise: float
) -> tuple[RankArea, ...]:
    """150 of 1,500 are positive. Of those over nine negatives in ten so many are lost that the area is the loss lower,
    as a share of itself. Scores are normal, and all else moves and stays as good.
    """
    labels, shift, top = (np.arange(1_500) < 150).astype(int), np.sqrt(2) * norm.ppf(area), norm.ppf(0.9)
    over = np.linspace(top, top + 9, 2_001)
    worth = (norm.pdf(over - shift) * norm.cdf(over)).sum() * (over[1] - over[0])  # of all of them
    lost = loss * area / worth
    before = rng.normal(size=1_500)
    after = np.sqrt(1 - noise**2) * before + noise * rng.normal(size=1_500) + shift * labels
    before = before + shift * labels
    after[(labels == 1) & (before > top) & (rng.random(1_500) < lost)] = -9
    return two(labels, after), two(labels, before)


def test_a_loss_of_so_much_of_an_area_near_a_half_rarely_passes_at_its_limit() -> None:
    """A positive that is lost costs up to 1/.55 of the area, so that fewer make the loss. Before, 12 % passed."""
    rng, limit = np.random.default_rng(1), 0.0205
    drawn = (one_with_top_positives_lost(rng, 0.55, limit, 0.1) for _ in range(100))
    passed = sum(after.growth(before).p(-limit, -1) <= 0.05 for after, before in drawn)
    assert passed / 100 <= 0.05


def test_a_p_value_is_the_same_in_every_unit() -> None:
    """Under all but the last limit, what may have been missed decides it."""
    moved = moved_area(np.random.default_rng(3), 1_000, 0.05)
    assert isinstance(moved, ManyMoved)
    for limit in (-0.001, -0.003, -0.005, -0.02):
        assert moved.times(1 / 0.55).p(limit / 0.55, -1) == pytest.approx(moved.p(limit, -1), rel=1e-6)
