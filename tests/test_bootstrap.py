"""BCa limits against scipy's own bootstrap, and what they must hold: coverage, pairing, no claim from a constant."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from harness.metrics import bootstrap
from harness.metrics.bootstrap import BLOCKS, Called, Combined, bca, bca_p, difference, growth, means
from harness.metrics.roc import RankArea, rank_area

RNG = np.random.default_rng(5)
BEFORE = RNG.gamma(2, 1, 300)
AFTER = BEFORE + RNG.gamma(1, 0.3, 300) - 0.25


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.99])
@pytest.mark.parametrize("statistic", [np.mean, lambda x, axis: np.sqrt(np.mean(np.square(x), axis=axis))])
def test_the_limits_are_scipys_of_the_same_resamples(statistic, confidence):
    """The replicates are scipy's, the jackknife is written out: the two limits must be equal."""
    theirs = stats.bootstrap(
        (AFTER,), statistic, n_resamples=2000, method="BCa", confidence_level=confidence, rng=np.random.default_rng(1)
    )
    jackknife = np.array([statistic(np.delete(AFTER, n), axis=-1) for n in range(len(AFTER))])
    value = float(statistic(AFTER, axis=-1))
    ours = bca(Combined(value, value, theirs.bootstrap_distribution, jackknife), confidence)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)


def test_a_paired_difference_of_means_is_scipys_up_to_its_draws():
    def moved(after, before, axis):
        return after.mean(axis=axis) - before.mean(axis=axis)

    theirs = stats.bootstrap(
        (AFTER, BEFORE),
        moved,
        paired=True,
        n_resamples=9999,
        method="BCa",
        confidence_level=0.9,
        rng=np.random.default_rng(1),
    ).confidence_interval
    ours = bca(difference(means(AFTER), means(BEFORE)), 0.9)
    width = theirs.high - theirs.low
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)
    alone = bca(means(AFTER), 0.9)
    assert ours.high - ours.low < 0.3 * (alone.high - alone.low)


def test_growth_is_relative_and_paired():
    noise = np.random.default_rng(3).normal(0, 0.01, 300)
    limits = bca(growth(means(1.02 * BEFORE + noise - noise.mean()), means(BEFORE)), 0.9)
    assert limits.low < 0.02 < limits.high and limits.high - limits.low < 0.004


def test_the_jackknife_of_means_leaves_each_sample_out():
    root = means(np.square(AFTER), lambda mean: np.sqrt(mean[..., 0]))
    written_out = [np.sqrt(np.mean(np.square(np.delete(AFTER, n)))) for n in range(len(AFTER))]
    assert root.jackknife == pytest.approx(written_out)


def test_what_is_called_anew_agrees_with_what_is_made_of_means():
    called = Called(lambda labels, outputs: float(np.mean(np.abs(outputs - labels))), BEFORE, AFTER)
    own = means(np.abs(AFTER - BEFORE))
    assert called.value == pytest.approx(own.value)
    one, other = bca(called), bca(own)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.1 * (other.high - other.low))


def test_the_same_samples_have_the_same_limits():
    assert bca(means(AFTER)) == bca(means(AFTER.copy()))


def test_exactly_nothing_has_limits_at_nothing():
    nothing = difference(means(AFTER), means(AFTER.copy()))
    assert (bca(nothing).low, bca(nothing).high) == (0, 0)
    assert [bca_p(nothing, limit) for limit in (0.1, 0.0, -0.1)] == [0, 0, 1]
    assert [bca_p(nothing, limit, -1) for limit in (0.1, 0.0, -0.1)] == [1, 0, 0]


@pytest.mark.parametrize("shift", [0.1, -3.0])
def test_a_constant_difference_has_no_limits(shift):
    """scipy's BCa gives NaN there; rounding must not pass for spread."""
    for constant in (difference(means(AFTER + shift), means(AFTER)), means(np.full(50, 0.3))):
        for limits in (bca, lambda statistic: bca_p(statistic, 1.0)):
            with pytest.raises(match="the same in every resample"):
                limits(constant)


def test_limits_further_out_than_resamples_reach_are_none():
    with pytest.raises(match="2,000 resamples do not reach"):
        bca(means(AFTER), 0.9998)


def test_a_statistic_that_most_resamples_do_not_have_says_so():
    """A class of one sample is in 63 % of the resamples."""
    labels, scores = np.array([1, *[0] * 60]), np.random.default_rng(0).random((61, 2))
    with pytest.raises(match="too many resamples have no value"):
        bca(rank_area(labels, scores))


def test_the_p_value_is_the_level_whose_limit_it_is():
    moved = difference(means(AFTER), means(BEFORE))
    for confidence in (0.5, 0.8, 0.98):
        high = bca(moved, confidence).high
        assert bca_p(moved, high) == pytest.approx((1 - confidence) / 2, abs=0.002)
        assert bca_p(moved, bca(moved, confidence).low, -1) == pytest.approx((1 - confidence) / 2, abs=0.002)


def test_many_samples_are_resampled_in_blocks_and_mean_the_same():
    many = np.random.default_rng(2).exponential(1, 3 * BLOCKS + 7)
    own, error = means(many), many.std() / np.sqrt(len(many))
    assert own.replicates.std() == pytest.approx(error, rel=0.05)
    assert len(own.jackknife) == BLOCKS and own.value == pytest.approx(many.mean())
    limits = bca(own, 0.9)
    assert (limits.low, limits.high) == pytest.approx(
        (own.value - 1.645 * error, own.value + 1.645 * error), abs=0.15 * error
    )


def test_ninety_per_cent_hold_the_truth_nine_times_in_ten():
    """The mean of an exponential is 1; 400 tries of 60 samples each, so the share found may be .03 off."""
    rng = np.random.default_rng(8)
    found = [bca(means(rng.exponential(1, 60)), 0.9) for _ in range(400)]
    held = np.mean([limits.low <= 1 <= limits.high for limits in found])
    assert 0.84 <= held <= 0.94


@pytest.mark.parametrize("classes", [2, 3])
def test_rank_area_is_scikit_learns_with_ties_and_in_every_resample(classes):
    labels, scores = RNG.integers(0, classes, 200), np.round(RNG.random((200, classes)), 1)
    area, of = RankArea(labels, scores), [1] if classes == 2 else range(classes)

    def theirs(index):
        return np.mean([roc_auc_score(labels[index] == k, scores[index, k]) for k in of])

    assert area.value == pytest.approx(theirs(np.arange(200)))
    for row in (0, 3):
        index = np.repeat(np.arange(200), bootstrap.weights(200)[row])
        assert area.replicates[row] == pytest.approx(theirs(index))


@pytest.mark.parametrize("rare", [0.5, 0.03])
def test_influences_give_the_limits_of_resamples_sorted_anew(monkeypatch, rare):
    rng = np.random.default_rng(6)
    labels = (rng.random(1500) < rare).astype(int)
    scores = np.round(np.stack([np.zeros(1500), labels + rng.normal(0, 1, 1500)], axis=1), 1)
    exact = bca(rank_area(labels, scores))
    monkeypatch.setattr("harness.metrics.roc.SORTED_ANEW", 0)
    quick = rank_area(labels, scores)
    assert quick.value == pytest.approx(roc_auc_score(labels, scores[:, 1]))
    limits, width = bca(quick), exact.high - exact.low
    assert (limits.low, limits.high) == pytest.approx((exact.low, exact.high), abs=0.05 * width)


def test_a_function_that_takes_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(bootstrap, "LONGEST_S", 0.0)
    with pytest.raises(match="one value a sample"):
        bca(Called(lambda labels, outputs: float(outputs.mean()), None, AFTER))
